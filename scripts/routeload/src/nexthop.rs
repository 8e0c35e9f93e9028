// SPDX-License-Identifier: GPL-2.0
//! Which next hop a prefix gets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::table::{Entry, Origin, Prefix};

/// Where routes may go: gateway, device, or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    pub gateway: Option<IpAddr>,
    pub dev: Option<String>,
}

impl FromStr for Via {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        let (addr, dev) = match s.split_once('@') {
            Some((a, d)) => (a, Some(d)),
            None => (s, None),
        };
        let gateway = match addr {
            "" => None,
            a => Some(
                a.parse()
                    .with_context(|| format!("'{a}' is not an address"))?,
            ),
        };
        if dev == Some("") || (gateway.is_none() && dev.is_none()) {
            bail!("'{s}' is not a next hop: give ADDRESS, ADDRESS@DEVICE or @DEVICE");
        }
        Ok(Via {
            gateway,
            dev: dev.map(str::to_owned),
        })
    }
}

/// How unevenly prefixes spread over next hops, as measured on real routers.
#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub enum Skew {
    /// Transit router: the top two of 94 next hops carry 55.6 and 33.0 %
    Transit,
    /// Edge with two upstreams: 59.9 and 36.3 %, 30 others share the rest
    Edge,
    /// Internet exchange: 3771 next hops, the top ten carry 60.5 %
    Exchange,
    /// All next hops alike: the worst case for merging
    Even,
}

impl Skew {
    /// Points (rank, share of all prefixes up to that rank).
    fn points(self) -> &'static [(f64, f64)] {
        match self {
            Skew::Transit => &[(1.0, 0.556), (2.0, 0.886), (10.0, 0.949), (94.0, 1.0)],
            Skew::Edge => &[(1.0, 0.599), (2.0, 0.962), (32.0, 1.0)],
            Skew::Exchange => &[
                (1.0, 0.197),
                (2.0, 0.308),
                (3.0, 0.413),
                (10.0, 0.605),
                (50.0, 0.772),
                (100.0, 0.834),
                (500.0, 0.948),
                (1000.0, 0.976),
                (3771.0, 1.0),
            ],
            Skew::Even => &[],
        }
    }

    /// Share of the first `rank` next hops. Between two measured points the
    /// share grows with the logarithm of the rank, as in a Zipf law.
    fn cumulative(self, rank: usize, of: usize) -> f64 {
        let r = rank as f64;
        let points = self.points();
        let Some(&(first, share)) = points.first() else {
            return r / of as f64;
        };
        if r <= first {
            return share * r / first;
        }
        for w in points.windows(2) {
            let ((r0, s0), (r1, s1)) = (w[0], w[1]);
            if r <= r1 {
                return s0 + (s1 - s0) * (r / r0).ln() / (r1 / r0).ln();
            }
        }
        1.0
    }

    /// Upper bounds in 0..=u64::MAX of the hash range of each next hop.
    fn bounds(self, count: usize) -> Vec<u64> {
        let total = self.cumulative(count, count);
        let mut bounds: Vec<u64> = (1..=count)
            .map(|k| (self.cumulative(k, count) / total * u64::MAX as f64) as u64)
            .collect();
        if let Some(last) = bounds.last_mut() {
            *last = u64::MAX;
        }
        bounds
    }
}

/// The finaliser of splitmix64: cheap, and good enough to spread AS numbers.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mix_prefix(p: Prefix) -> u64 {
    let bits = match p.network() {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    };
    mix(mix(bits as u64 ^ u64::from(p.len) << 56) ^ (bits >> 64) as u64)
}

/// Assigns one of a list of next hops to each entry. Deterministic: load,
/// unload, replay and verify agree on it without talking to each other.
pub struct Mapper {
    bounds: Vec<u64>,
    per_prefix: bool,
    /// Next hops that the table names, in order of appearance.
    named: HashMap<IpAddr, usize>,
}

impl Mapper {
    pub fn new(skew: Skew, count: usize, per_prefix: bool, entries: &[Entry]) -> Result<Self> {
        if count == 0 {
            bail!("no next hop: give --via or --dev, or a table with next hops");
        }
        let mut named = HashMap::new();
        for e in entries {
            if let Origin::Gateway(a) = e.origin {
                let next = named.len();
                named.entry(a).or_insert(next);
            }
        }
        Ok(Mapper {
            bounds: skew.bounds(count),
            per_prefix,
            named,
        })
    }

    /// `salt` moves a prefix to other next hops; 0 is where the table puts it.
    pub fn index(&self, entry: &Entry, salt: u64) -> usize {
        let hash = match entry.origin {
            Origin::Gateway(a) if salt == 0 => {
                return self.named.get(&a).copied().unwrap_or(0) % self.bounds.len();
            }
            Origin::As(n) if !self.per_prefix => mix(n.into()),
            _ => mix_prefix(entry.prefix),
        };
        let hash = if salt == 0 { hash } else { mix(hash ^ salt) };
        self.bounds.partition_point(|&b| b < hash)
    }

    pub fn named_count(&self) -> usize {
        self.named.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::parse_line;

    fn shares(skew: Skew, count: usize) -> Vec<f64> {
        let m = Mapper::new(skew, count, false, &[]).unwrap();
        let n = 400_000u32;
        let mut seen = vec![0u32; count];
        for asn in 0..n {
            let prefix = Prefix::new(IpAddr::V4((asn << 8).into()), 24).unwrap();
            seen[m.index(
                &Entry {
                    prefix,
                    origin: Origin::As(asn),
                },
                0,
            )] += 1;
        }
        seen.iter().map(|&k| f64::from(k) / f64::from(n)).collect()
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 0.004, "{a} is not near {b}");
    }

    #[test]
    fn transit_has_the_measured_skew() {
        let s = shares(Skew::Transit, 94);
        near(s[0], 0.556);
        near(s[1], 0.330);
        near(s[..10].iter().sum(), 0.949);
        assert!(s.iter().all(|&x| x > 0.0));
    }

    #[test]
    fn edge_and_exchange_have_the_measured_skew() {
        let s = shares(Skew::Edge, 32);
        near(s[0], 0.599);
        near(s[1], 0.363);
        let s = shares(Skew::Exchange, 3771);
        near(s[0], 0.197);
        near(s[..10].iter().sum(), 0.605);
        near(s[..1000].iter().sum(), 0.976);
    }

    #[test]
    fn even_is_even_and_few_next_hops_work() {
        shares(Skew::Even, 10).iter().for_each(|&x| near(x, 0.1));
        assert_eq!(shares(Skew::Transit, 1), [1.0]);
        let s = shares(Skew::Transit, 2);
        near(s[0], 0.556 / 0.886);
        // More next hops than were measured: the rest stay empty.
        near(shares(Skew::Transit, 200)[..94].iter().sum(), 1.0);
    }

    #[test]
    fn named_next_hops_keep_their_order() {
        let e = |s: &str| parse_line(s).unwrap().unwrap();
        let t = [
            e("1.0.0.0/24 9.9.9.9"),
            e("1.0.1.0/24 8.8.8.8"),
            e("1.0.2.0/24 9.9.9.9"),
        ];
        let m = Mapper::new(Skew::Transit, 94, false, &t).unwrap();
        assert_eq!(t.map(|e| m.index(&e, 0)), [0, 1, 0]);
        assert_eq!(m.named_count(), 2);
    }

    #[test]
    fn same_as_same_next_hop_unless_per_prefix() {
        let e = |s: &str| parse_line(s).unwrap().unwrap();
        let t: Vec<_> = (0..64).map(|i| e(&format!("1.0.{i}.0/24 64500"))).collect();
        let spread = |per_prefix| {
            let m = Mapper::new(Skew::Even, 94, per_prefix, &t).unwrap();
            let mut v: Vec<_> = t.iter().map(|e| m.index(e, 0)).collect();
            v.sort_unstable();
            v.dedup();
            v.len()
        };
        assert_eq!(spread(false), 1);
        assert!(spread(true) > 20);
    }

    #[test]
    fn via_parses() {
        let v: Via = "10.0.0.1@eth0".parse().unwrap();
        assert_eq!(v.dev.as_deref(), Some("eth0"));
        assert!(v.gateway.is_some());
        assert!("@lo".parse::<Via>().unwrap().gateway.is_none());
        for s in ["", "@", "10.0.0@x", "10.0.0.1@"] {
            assert!(s.parse::<Via>().is_err(), "{s}");
        }
    }
}
