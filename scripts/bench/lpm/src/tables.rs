// SPDX-License-Identifier: GPL-2.0

//! The tables and the keys that all peers get.

use crate::{
    common::{Addr, Numbers},
    data::Tables,
};
use altfib_unit::lpm::{Family, Prefix, V4, V6};
use std::{collections::BTreeSet, fs, path::Path};

/// A family, and its addresses as they stand in a packet.
pub trait Fam: Addr {
    const NAME: &'static str;
    /// The longest prefix that splitting makes, as long as most of the real ones.
    const SPLIT: u8;
    /// Keys of a measurement: 4 MiB, so that in both families the keys take as much of the caches
    /// from the tables, and there are about as many keys as
    /// prefixes in a full table.
    const KEYS: usize;
    type Net: Copy + Send + Sync;
    fn net(addr: Self::Addr) -> Self::Net;
    /// An address anywhere in the space that is routed.
    fn anywhere(noise: u128) -> Self::Addr;
}

impl Fam for V4 {
    const NAME: &'static str = "v4";
    const SPLIT: u8 = 24;
    const KEYS: usize = 1 << 20;
    type Net = [u8; 4];
    fn net(addr: u32) -> [u8; 4] {
        addr.to_be_bytes()
    }
    fn anywhere(noise: u128) -> u32 {
        noise as u32
    }
}

impl Fam for V6 {
    const NAME: &'static str = "v6";
    const SPLIT: u8 = 48;
    const KEYS: usize = 1 << 18;
    type Net = [u8; 16];
    fn net(addr: u128) -> [u8; 16] {
        addr.to_be_bytes()
    }
    /// Nearly all of the rest has no routes at all, and a peer would be measured at saying so.
    fn anywhere(noise: u128) -> u128 {
        (noise >> 3) | (1 << 125)
    }
}

pub type Routes<F> = Vec<(Prefix<F>, u32)>;

/// What `WHAT` in next hops is.
pub const NEXT_HOPS: &str =
    "94 next hops, by prefix at random: 55.6 % the first, 33.0 % the second, the rest even";

/// Few next hops carry most prefixes, as at a router with two upstreams and 92 peers.
pub fn skewed(n: u64) -> u32 {
    match n % 1000 {
        0..556 => 1,
        556..886 => 2,
        _ => 3 + (n / 1000 % 92) as u32,
    }
}

pub fn with_hops<F: Family>(prefixes: &[Prefix<F>]) -> Routes<F> {
    let mut numbers = Numbers(1);
    prefixes
        .iter()
        .map(|&p| (p, skewed(numbers.next())))
        .collect()
}

/// The same in an order that no sort finds done.
pub fn shuffled<T: Copy>(sorted: &[T]) -> Vec<T> {
    let mut all = sorted.to_vec();
    let mut numbers = Numbers(7);
    for i in (1..all.len()).rev() {
        all.swap(i, numbers.below(i as u64 + 1) as usize);
    }
    all
}

/// `count` prefixes of the table, spread evenly over it.
pub fn sample<F: Family>(table: &[Prefix<F>], count: usize) -> Vec<Prefix<F>> {
    let count = count.min(table.len());
    (0..count).map(|i| table[i * table.len() / count]).collect()
}

/// The table, and halves of its prefixes and of these halves, until there are `count`.
pub fn split<F: Fam>(table: &[Prefix<F>], count: usize) -> Vec<Prefix<F>> {
    let mut set: BTreeSet<Prefix<F>> = table.iter().copied().collect();
    let mut from = table.to_vec();
    let mut numbers = Numbers(2);
    while set.len() < count && !from.is_empty() {
        let p = from.swap_remove(numbers.below(from.len() as u64) as usize);
        if p.len() >= F::SPLIT {
            continue;
        }
        let ones = F::mix(p, F::from_bits(u128::MAX));
        for addr in [p.addr(), ones] {
            let half = Prefix::new(addr, p.len() + 1).expect("a length");
            if set.insert(half) {
                from.push(half);
            }
        }
    }
    set.into_iter().collect()
}

/// The default route, a connected network, and one more.
pub fn three<F: Fam>() -> Vec<Prefix<F>> {
    let high = |bits: u128, len: u8| Prefix::new(F::from_bits(bits << 64), len).expect("a length");
    if F::BITS == 32 {
        vec![
            high(0, 0),
            high(0x0a00_0000_0000_0000, 8),
            high(0xc0a8_0100_0000_0000, 24),
        ]
    } else {
        vec![
            high(0, 0),
            high(0x2001_0db8_0000_0000, 32),
            high(0x2001_0db8_0001_0000, 64),
        ]
    }
}

/// The table that `scripts/demo/prepare.sh` makes, if it is there.
pub fn libloc<F: Fam>(cache: &Path) -> Option<Vec<Prefix<F>>> {
    let text = fs::read_to_string(cache.join(format!("tables/libloc-{}.txt", F::NAME))).ok()?;
    let mut all: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (addr, len) = line.split(' ').next()?.split_once('/')?;
            let bits = match addr.parse().ok()? {
                std::net::IpAddr::V4(addr) => u128::from(u32::from(addr)) << 96,
                std::net::IpAddr::V6(addr) => u128::from(addr),
            };
            Prefix::new(F::from_bits(bits), len.parse().ok()?)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    Some(all)
}

pub fn full<F: Fam>() -> Tables<F> {
    Tables::load()
}

/// How keys are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Draw {
    Uniform,
    Prefix,
    Zipf,
}

impl Draw {
    pub const ALL: [Draw; 3] = [Draw::Uniform, Draw::Prefix, Draw::Zipf];

    pub fn name(self) -> &'static str {
        match self {
            Draw::Uniform => "uniform",
            Draw::Prefix => "per-prefix",
            Draw::Zipf => "zipf",
        }
    }
}

/// Keys beyond the number that is asked for: the last answer moves the next key by so much at most,
/// and a batch takes 32.
pub const SLACK: usize = 64;

/// Keys as numbers and as they stand in a packet.
pub struct Keys<F: Fam> {
    pub host: Vec<F::Addr>,
    pub net: Vec<F::Net>,
    pub count: usize,
}

impl<F: Fam> Keys<F> {
    pub fn draw(table: &[Prefix<F>], draw: Draw, count: usize) -> Self {
        let mut numbers = Numbers(3);
        let noise =
            |numbers: &mut Numbers| u128::from(numbers.next()) << 64 | u128::from(numbers.next());
        // Rank r is drawn in proportion to 1/r: the shares of ranks 1 to r, added up.
        let mut shares = Vec::new();
        let mut ranked = Vec::new();
        if draw == Draw::Zipf {
            let mut sum = 0.0;
            shares.extend((1..=table.len()).map(|r| {
                sum += 1.0 / r as f64;
                sum
            }));
            ranked = shuffled(table);
        }
        let host: Vec<F::Addr> = (0..count + SLACK)
            .map(|_| {
                let p = match draw {
                    Draw::Uniform => return F::anywhere(noise(&mut numbers)),
                    Draw::Prefix => table[numbers.below(table.len() as u64) as usize],
                    Draw::Zipf => {
                        let share = numbers.next() as f64 / u64::MAX as f64;
                        let at = share * shares[shares.len() - 1];
                        ranked[shares.partition_point(|&s| s < at).min(ranked.len() - 1)]
                    }
                };
                F::mix(p, F::from_bits(noise(&mut numbers)))
            })
            .collect();
        Keys {
            net: host.iter().map(|&a| F::net(a)).collect(),
            host,
            count,
        }
    }
}
