// SPDX-License-Identifier: GPL-2.0

//! Full tables and a day of updates: real ones from the folder that `ALTFIB_DATA` names; else the
//! tables of Debian's libloc-database that the demo prepares in the cache folder, or if they are not
//! there either made-up ones, both with made-up updates.

#![allow(dead_code, unreachable_pub)]

use super::common::{Addr, Numbers};
use altfib_unit::lpm::Prefix;
use std::{
    collections::BTreeSet,
    env, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub struct Tables<F: Addr> {
    pub source: &'static str,
    pub real: bool,
    pub table: Vec<Prefix<F>>,
    /// Announced (`true`) or withdrawn, in order.
    pub updates: Vec<(Prefix<F>, bool)>,
}

fn xz(path: &Path) -> String {
    let output = Command::new("xz")
        .arg("-dc")
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run xz: {error}"));
    assert!(output.status.success(), "cannot read {}", path.display());
    String::from_utf8(output.stdout).expect("text")
}

fn parse<F: Addr>(text: &str) -> Prefix<F> {
    let (addr, len) = text.split_once('/').expect("a prefix");
    let bits = match addr.parse().expect("an address") {
        IpAddr::V4(addr) => u128::from(u32::from(addr)) << 96,
        IpAddr::V6(addr) => u128::from(addr),
    };
    Prefix::new(F::from_bits(bits), len.parse().expect("a length")).expect("a length in range")
}

impl<F: Addr> Tables<F> {
    pub fn load() -> Self {
        match env::var_os("ALTFIB_DATA").filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::read(Path::new(&folder)),
            None => Self::libloc().unwrap_or_else(Self::make_up),
        }
    }

    /// What `scripts/demo/prepare.sh 4 6` made.
    fn libloc() -> Option<Self> {
        let set = |name: &str| env::var_os(name).filter(|folder| !folder.is_empty());
        let cache = set("ALTFIB_CACHE")
            .map(PathBuf::from)
            .or_else(|| Some(Path::new(&set("HOME")?).join(".cache/altfib")))?;
        let file = if F::BITS == 32 {
            "tables/libloc-v4.txt"
        } else {
            "tables/libloc-v6.txt"
        };
        let text = fs::read_to_string(cache.join(file)).ok()?;
        let table: Vec<_> = text
            .lines()
            .filter_map(|line| Some(parse(line.split_whitespace().next()?)))
            .collect();
        Some(Tables {
            source: "Debian's libloc-database",
            real: true,
            updates: updates(&table, table.len(), &mut Numbers(2026)),
            table,
        })
    }

    fn read(folder: &Path) -> Self {
        let family = if F::BITS == 32 { "v4" } else { "v6" };
        let name =
            |middle: &str| folder.join(format!("ris-20260511-as3333-{middle}{family}.txt.xz"));
        Tables {
            source: "RIPE NCC RIS, AS3333, 2026-05-11",
            real: true,
            table: xz(&name("")).lines().map(parse).collect(),
            updates: xz(&name("updates-"))
                .lines()
                .map(|line| {
                    let (what, prefix) = line.split_once(' ').expect("an update");
                    (parse(prefix), what == "A")
                })
                .collect(),
        }
    }

    /// About the size, the lengths and the density of real tables: routed blocks, split or not, and
    /// more specific prefixes in them.
    fn make_up() -> Self {
        let v4 = F::BITS == 32;
        let mut numbers = Numbers(2026);
        let mut set = BTreeSet::new();
        let wanted = if v4 { 1_000_000 } else { 240_000 };
        while set.len() < wanted {
            // A block of a registry's size, in the part of the space that is routed.
            let (high, block, longest) = if v4 {
                let first = 1 + numbers.below(222);
                (
                    u128::from(first) << 120 | u128::from(numbers.next() >> 8) << 64,
                    14 + numbers.below(9) as u8,
                    24,
                )
            } else {
                let first = 0x2001 + numbers.below(60) * 0x10;
                (
                    u128::from(first) << 112 | u128::from(numbers.next() >> 16) << 64,
                    29 + numbers.below(12) as u8,
                    48,
                )
            };
            let block_prefix = Prefix::new(F::from_bits(high), block).expect("a length");
            set.insert(block_prefix);
            for _ in 0..numbers.below(24) {
                let len = match numbers.below(50) {
                    0 => block + numbers.below(u64::from(F::BITS - block) + 1) as u8,
                    1..12 => {
                        block + numbers.below(u64::from(longest - block.min(longest)) + 1) as u8
                    }
                    _ => longest,
                };
                let noise =
                    F::from_bits(u128::from(numbers.next()) << 64 | u128::from(numbers.next()));
                set.insert(Prefix::new(F::mix(block_prefix, noise), len).expect("a length"));
            }
        }
        let table: Vec<_> = set.into_iter().collect();
        Tables {
            source: "made up",
            real: false,
            updates: updates(&table, wanted, &mut numbers),
            table,
        }
    }
}

/// About `count` updates of a table: as in real ones most announce what is there already.
fn updates<F: Addr>(
    table: &[Prefix<F>],
    count: usize,
    numbers: &mut Numbers,
) -> Vec<(Prefix<F>, bool)> {
    let mut set: BTreeSet<_> = table.iter().copied().collect();
    let mut updates = Vec::new();
    let mut gone: Vec<Prefix<F>> = Vec::new();
    for _ in 0..count {
        let p = table[numbers.below(table.len() as u64) as usize];
        match numbers.below(40) {
            0 if set.remove(&p) => {
                gone.push(p);
                updates.push((p, false));
            }
            1 if !gone.is_empty() => {
                let p = gone.swap_remove(numbers.below(gone.len() as u64) as usize);
                set.insert(p);
                updates.push((p, true));
            }
            _ if set.contains(&p) => updates.push((p, true)),
            _ => {}
        }
    }
    updates
}
