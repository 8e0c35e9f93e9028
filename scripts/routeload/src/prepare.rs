// SPDX-License-Identifier: GPL-2.0
//! Makes the text table of announced prefixes.

use std::io::{BufRead, Write};

use anyhow::{Context, Result};

use crate::table::{self, Entry, Origin, Origins, Prefix};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
    Both,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub kept: usize,
    pub special: usize,
    pub no_origin: usize,
    pub duplicate: usize,
    pub other_family: usize,
}

/// Reads the stanzas of `location dump`. Networks without an origin AS are
/// registry blocks, not announcements: they are dropped.
pub fn read_location(path: &str, counts: &mut Counts) -> Result<Vec<Entry>> {
    let mut input = table::open(path)?;
    let mut entries = Vec::new();
    let (mut net, mut asn): (Option<Prefix>, Option<u32>) = (None, None);
    let mut line = String::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        let at = || format!("{path}, line {number}");
        let end = input.read_line(&mut line).with_context(at)? == 0;
        let text = line.trim();
        match text.split_once(':') {
            Some(("net", v)) => net = Some(v.trim().parse().with_context(at)?),
            // Stanzas of AS numbers say "AS1", those of networks "1".
            Some(("aut-num", v)) if net.is_some() => {
                asn = Some(v.trim().trim_start_matches("AS").parse().with_context(at)?);
            }
            _ if text.is_empty() => {
                match (net.take(), asn.take()) {
                    (Some(prefix), Some(n)) => {
                        entries.push(Entry {
                            prefix,
                            origin: Origin::As(n),
                        });
                    }
                    (Some(_), None) => counts.no_origin += 1,
                    _ => {}
                }
                if end {
                    return Ok(entries);
                }
            }
            _ => {}
        }
    }
}

/// Sorts, and drops what no global table should hold.
pub fn clean(mut entries: Vec<Entry>, family: Family, counts: &mut Counts) -> Vec<Entry> {
    let before = entries.len();
    entries.retain(|e| match family {
        Family::V4 => !e.prefix.v6,
        Family::V6 => e.prefix.v6,
        Family::Both => true,
    });
    counts.other_family = before - entries.len();
    let before = entries.len();
    entries.retain(|e| !e.prefix.is_special());
    counts.special = before - entries.len();
    let before = entries.len();
    entries.sort_by_key(|e| e.prefix);
    entries.dedup_by_key(|e| e.prefix);
    counts.duplicate = before - entries.len();
    counts.kept = entries.len();
    entries
}

/// Gives each prefix without origin that of its longest match in `from`.
pub fn add_origins(entries: &mut [Entry], from: &[Entry]) {
    let origins = Origins::new(from);
    for e in entries.iter_mut().filter(|e| e.origin == Origin::Unknown) {
        e.origin = origins.lookup(e.prefix);
    }
}

pub fn write(entries: &[Entry], out: &mut impl Write) -> Result<()> {
    for e in entries {
        writeln!(out, "{}{}", e.prefix, e.origin)?;
    }
    out.flush().context("cannot write the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "#\n# Location Database Export\n#\n\naut-num:  AS1\nname:     LVLT-1\n\n\
        net:      1.0.0.0/8\ncountry:  AU\n\n\
        net:      1.0.0.0/24\ncountry:  AU\naut-num:  13335\nis-anycast: yes\n\n\
        net:      10.0.0.0/24\naut-num:  5\n\n\
        net:      2001:db9::/32\naut-num:  7\n";

    #[test]
    fn location_dump_becomes_a_table() {
        let path = std::env::temp_dir().join(format!("altfib-dump-{}", std::process::id()));
        std::fs::write(&path, DUMP).unwrap();
        let mut counts = Counts::default();
        let all = read_location(path.to_str().unwrap(), &mut counts).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(counts.no_origin, 1);
        let kept = clean(all.clone(), Family::V4, &mut counts);
        assert_eq!(
            (counts.kept, counts.special, counts.other_family),
            (1, 1, 1)
        );
        let mut out = Vec::new();
        write(&kept, &mut out).unwrap();
        assert_eq!(out, b"1.0.0.0/24 13335\n");
        assert_eq!(clean(all, Family::Both, &mut counts).len(), 2);
    }

    #[test]
    fn origins_are_added_where_missing() {
        let e = |s| table::parse_line(s).unwrap().unwrap();
        let mut t = [e("1.0.1.0/24"), e("1.0.2.0/24 9"), e("2.0.0.0/24")];
        add_origins(&mut t, &[e("1.0.0.0/8 5")]);
        assert_eq!(
            t.map(|e| e.origin),
            [Origin::As(5), Origin::As(9), Origin::Unknown]
        );
    }
}
