// SPDX-License-Identifier: GPL-2.0
//! Text tables of prefixes: `prefix [origin AS or next hop]`, one a line.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// An IP prefix without host bits. IPv4 addresses stand in the low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    pub v6: bool,
    bits: u128,
    pub len: u8,
}

impl Prefix {
    pub fn new(addr: IpAddr, len: u8) -> Result<Self> {
        let (v6, bits, width) = match addr {
            IpAddr::V4(a) => (false, u128::from(a.to_bits()), 32),
            IpAddr::V6(a) => (true, a.to_bits(), 128),
        };
        if len > width {
            bail!("prefix length {len} is longer than {width}");
        }
        let p = Prefix { v6, bits, len };
        if bits & p.host_mask() != 0 {
            bail!("{addr}/{len} has bits set behind its prefix length");
        }
        Ok(p)
    }

    fn width(&self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    fn host_mask(&self) -> u128 {
        match u32::from(self.width() - self.len) {
            128 => u128::MAX,
            n => (1u128 << n) - 1,
        }
    }

    pub fn network(&self) -> IpAddr {
        self.address(0)
    }

    /// The address inside the prefix whose host part is taken from `host`.
    pub fn address(&self, host: u128) -> IpAddr {
        let bits = self.bits | (host & self.host_mask());
        if self.v6 {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
        }
    }

    /// The prefix of length `len` that covers this one.
    pub fn truncate(&self, len: u8) -> Prefix {
        let mut p = *self;
        p.len = len.min(self.len);
        p.bits &= !p.host_mask();
        p
    }

    /// Prefixes that no global table should hold: private, loopback,
    /// link-local, benchmarking, multicast and reserved space. The demo and
    /// the benchmarks number their own links from 198.18.0.0/15.
    pub fn is_special(&self) -> bool {
        const V4: [(u32, u8); 11] = [
            (0x0000_0000, 8),
            (0x0a00_0000, 8),
            (0x6440_0000, 10),
            (0x7f00_0000, 8),
            (0xa9fe_0000, 16),
            (0xac10_0000, 12),
            (0xc000_0200, 24),
            (0xc0a8_0000, 16),
            (0xc612_0000, 15),
            (0xe000_0000, 4),
            (0xf000_0000, 4),
        ];
        if self.v6 {
            // Only 2000::/3 is global unicast.
            return self.len < 3 || self.bits >> 125 != 1;
        }
        V4.iter().any(|&(bits, len)| {
            self.len >= len && (self.bits as u32) >> (32 - len) == bits >> (32 - len)
        })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.len)
    }
}

impl FromStr for Prefix {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        if s == "default" {
            return Prefix::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        }
        let (addr, len) = match s.split_once('/') {
            Some((a, l)) => (a, Some(l)),
            None => (s, None),
        };
        let addr: IpAddr = addr
            .parse()
            .with_context(|| format!("'{s}' is not a prefix"))?;
        let len = match len {
            Some(l) => l
                .parse()
                .with_context(|| format!("'{s}' has no usable prefix length"))?,
            None if addr.is_ipv4() => 32,
            None => 128,
        };
        Prefix::new(addr, len)
    }
}

/// What the second column says about where a prefix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Unknown,
    As(u32),
    Gateway(IpAddr),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Unknown => Ok(()),
            Origin::As(n) => write!(f, " {n}"),
            Origin::Gateway(a) => write!(f, " {a}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub prefix: Prefix,
    pub origin: Origin,
}

/// One line of a table; None for an empty line or a comment.
pub fn parse_line(line: &str) -> Result<Option<Entry>> {
    let line = line.split('#').next().unwrap_or("");
    let mut words = line.split_ascii_whitespace();
    let Some(prefix) = words.next() else {
        return Ok(None);
    };
    let prefix = prefix.parse()?;
    let origin = match words.next() {
        None => Origin::Unknown,
        Some(w) => parse_origin(w)?,
    };
    if let Some(w) = words.next() {
        bail!("'{w}' is one column too many: a line is 'prefix [origin AS or next hop]'");
    }
    Ok(Some(Entry { prefix, origin }))
}

fn parse_origin(word: &str) -> Result<Origin> {
    let digits = word
        .strip_prefix("AS")
        .or_else(|| word.strip_prefix("as"))
        .unwrap_or(word);
    if let Ok(n) = digits.parse() {
        return Ok(Origin::As(n));
    }
    match word.parse() {
        Ok(a) => Ok(Origin::Gateway(a)),
        Err(_) => bail!("'{word}' is neither an AS number nor an address"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    Announce(Prefix),
    Withdraw(Prefix),
}

impl Update {
    pub fn prefix(&self) -> Prefix {
        match *self {
            Update::Announce(p) | Update::Withdraw(p) => p,
        }
    }
}

/// One line of an update trace: `A prefix` or `W prefix`.
pub fn parse_update(line: &str) -> Result<Option<Update>> {
    let mut words = line.split_ascii_whitespace();
    let Some(kind) = words.next() else {
        return Ok(None);
    };
    let prefix = words
        .next()
        .context("an update is 'A prefix' or 'W prefix'")?
        .parse()?;
    match kind {
        "A" => Ok(Some(Update::Announce(prefix))),
        "W" => Ok(Some(Update::Withdraw(prefix))),
        _ => bail!("'{kind}' is not an update: a line is 'A prefix' or 'W prefix'"),
    }
}

/// Opens a file ("-": standard input). xz and gzip are told by their first
/// bytes and go through the tool of that name.
pub fn open(path: &str) -> Result<Box<dyn BufRead>> {
    if path == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let fail = || format!("cannot read {path}");
    let mut magic = Vec::new();
    let file = File::open(path).with_context(fail)?;
    file.take(6).read_to_end(&mut magic).with_context(fail)?;
    let tool = match magic.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => "xz",
        [0x1f, 0x8b, ..] => "gzip",
        _ => {
            let file = File::open(path).with_context(fail)?;
            return Ok(Box::new(BufReader::with_capacity(1 << 20, file)));
        }
    };
    let child = Command::new(tool)
        .args(["-dc", path])
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{path} is compressed: install {tool}"))?;
    Ok(Box::new(
        Unpacked {
            child,
            tool,
            path: path.to_owned(),
            out: None,
        }
        .start(),
    ))
}

/// Output of an unpacking tool; its failure is an error at end of file, since
/// a damaged archive would otherwise pass for a short table.
struct Unpacked {
    child: std::process::Child,
    tool: &'static str,
    path: String,
    out: Option<BufReader<std::process::ChildStdout>>,
}

impl Unpacked {
    fn start(mut self) -> Self {
        self.out = self.child.stdout.take().map(BufReader::new);
        self
    }

    fn finish(&mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let (tool, path) = (self.tool, &self.path);
        Err(io::Error::other(format!("{tool} could not unpack {path}")))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Unpacked {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let empty = match &mut self.out {
            Some(out) => out.fill_buf()?.is_empty(),
            None => true,
        };
        if empty {
            self.finish()?;
        }
        match &mut self.out {
            Some(out) => out.fill_buf(),
            None => Ok(&[]),
        }
    }

    fn consume(&mut self, n: usize) {
        if let Some(out) = &mut self.out {
            out.consume(n);
        }
    }
}

/// Calls `parse` on each line and collects what it returns; an error names
/// file and line.
pub fn read_lines<T>(path: &str, parse: impl Fn(&str) -> Result<Option<T>>) -> Result<Vec<T>> {
    let mut input = open(path)?;
    let mut line = String::new();
    let mut out = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        let at = || format!("{path}, line {number}");
        if input.read_line(&mut line).with_context(at)? == 0 {
            return Ok(out);
        }
        out.extend(parse(&line).with_context(at)?);
    }
}

/// Reads a table; `limit` keeps that many entries, spread evenly over it.
pub fn read(path: &str, limit: Option<usize>) -> Result<Vec<Entry>> {
    let entries = read_lines(path, parse_line)?;
    if entries.is_empty() {
        bail!("{path} holds no prefix");
    }
    Ok(match limit {
        Some(k) => thin_out(entries, k),
        None => entries,
    })
}

/// `keep` entries, spread evenly over all.
pub fn thin_out(entries: Vec<Entry>, keep: usize) -> Vec<Entry> {
    let n = entries.len();
    if keep >= n {
        return entries;
    }
    (0..keep).map(|i| entries[i * n / keep]).collect()
}

/// Longest match by one hash probe a length: for preparing tables only.
pub struct Origins {
    map: HashMap<Prefix, Origin>,
    lengths: Vec<u8>,
}

impl Origins {
    pub fn new(entries: &[Entry]) -> Self {
        let mut lengths: Vec<u8> = entries.iter().map(|e| e.prefix.len).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let map = entries.iter().map(|e| (e.prefix, e.origin)).collect();
        Origins { map, lengths }
    }

    pub fn lookup(&self, prefix: Prefix) -> Origin {
        let covering = self.lengths.iter().filter(|&&l| l <= prefix.len);
        covering
            .filter_map(|&l| self.map.get(&prefix.truncate(l)))
            .copied()
            .next()
            .unwrap_or(Origin::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(s: &str) -> Prefix {
        s.parse().unwrap()
    }

    #[test]
    fn prefixes_parse_and_print() {
        for s in [
            "0.0.0.0/0",
            "1.0.0.0/24",
            "255.255.255.255/32",
            "::/0",
            "2001:db8::/32",
        ] {
            assert_eq!(p(s).to_string(), s);
        }
        assert_eq!(p("default"), p("0.0.0.0/0"));
        assert_eq!(p("192.0.2.1"), p("192.0.2.1/32"));
        for s in [
            "1.0.0.1/24",
            "1.0.0.0/33",
            "1.0.0/24",
            "x",
            "::1/64",
            "::/129",
            "1.0.0.0/",
        ] {
            assert!(s.parse::<Prefix>().is_err(), "{s}");
        }
    }

    #[test]
    fn addresses_stay_inside() {
        assert_eq!(
            p("10.1.0.0/16").address(u128::MAX).to_string(),
            "10.1.255.255"
        );
        assert_eq!(p("10.1.2.3/32").address(u128::MAX).to_string(), "10.1.2.3");
        assert_eq!(p("0.0.0.0/0").address(1).to_string(), "0.0.0.1");
        assert_eq!(p("2001:db8::/64").address(7).to_string(), "2001:db8::7");
    }

    #[test]
    fn lines_parse() {
        let e = |s| parse_line(s).unwrap();
        assert_eq!(e(""), None);
        assert_eq!(e("# note"), None);
        assert_eq!(e("1.0.0.0/24").unwrap().origin, Origin::Unknown);
        assert_eq!(e("1.0.0.0/24 13335").unwrap().origin, Origin::As(13335));
        assert_eq!(
            e("1.0.0.0/24\tAS13335 # x").unwrap().origin,
            Origin::As(13335)
        );
        let via = Origin::Gateway("10.0.0.1".parse().unwrap());
        assert_eq!(e("1.0.0.0/24 10.0.0.1").unwrap().origin, via);
        assert!(parse_line("1.0.0.0/24 foo").is_err());
        assert!(parse_line("1.0.0.0/24 1 2").is_err());
    }

    #[test]
    fn updates_parse() {
        let u = |s| parse_update(s).unwrap();
        assert_eq!(u("A 1.0.0.0/24"), Some(Update::Announce(p("1.0.0.0/24"))));
        assert_eq!(u("W ::/0"), Some(Update::Withdraw(p("::/0"))));
        assert_eq!(u("\n"), None);
        assert!(parse_update("X 1.0.0.0/24").is_err());
        assert!(parse_update("A").is_err());
    }

    #[test]
    fn special_space_is_known() {
        for s in [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/24",
            "fe80::/10",
            "::/0",
        ] {
            assert!(p(s).is_special(), "{s}");
        }
        for s in [
            "1.0.0.0/8",
            "198.16.0.0/14",
            "223.255.255.0/24",
            "100.0.0.0/8",
            "2001:db8::/32",
        ] {
            assert!(!p(s).is_special(), "{s}");
        }
    }

    #[test]
    fn thinning_spreads_evenly() {
        let entry = |i: u32| Entry {
            prefix: Prefix::new(IpAddr::V4(i.into()), 32).unwrap(),
            origin: Origin::As(i),
        };
        let all: Vec<_> = (0..1000).map(entry).collect();
        let few = thin_out(all.clone(), 10);
        assert_eq!(few.len(), 10);
        assert!(few.windows(2).all(|w| w[1].prefix > w[0].prefix));
        assert_eq!(few[9].origin, Origin::As(900));
        assert_eq!(thin_out(all, 5000).len(), 1000);
    }

    #[test]
    fn origin_by_longest_match() {
        let e = |s| parse_line(s).unwrap().unwrap();
        let o = Origins::new(&[e("1.0.0.0/8 1"), e("1.2.0.0/16 2"), e("2001:db8::/32 3")]);
        assert_eq!(o.lookup(p("1.2.3.0/24")), Origin::As(2));
        assert_eq!(o.lookup(p("1.2.0.0/15")), Origin::As(1));
        assert_eq!(o.lookup(p("1.3.0.0/24")), Origin::As(1));
        assert_eq!(o.lookup(p("2.0.0.0/24")), Origin::Unknown);
        assert_eq!(o.lookup(p("2001:db8:1::/48")), Origin::As(3));
    }
}
