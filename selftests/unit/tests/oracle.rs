// SPDX-License-Identifier: GPL-2.0

//! Any sequence of updates, and tables made to hurt, against the oracle.

mod common;

use altfib_unit::{
    host,
    lpm::{Prefix, MAX_VALUE, V4, V6},
};
use common::{v4, v6, Addr, Numbers, Pair};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Insert(u128, u8, u32),
    Remove(u128, u8),
    /// Removes one of the prefixes that are there.
    Drop(usize),
    /// Replaces the value of one that is there.
    Again(usize, u32),
    /// Ends all grace periods.
    Grace,
}

/// Addresses that meet: a few bytes, each from a few values.
fn bits() -> impl Strategy<Value = u128> {
    let byte = prop_oneof![
        4 => prop::sample::select(vec![0u8, 1, 10, 127, 128, 192, 254, 255]),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 16).prop_map(|bytes| {
        let mut all = [0; 16];
        all.copy_from_slice(&bytes);
        u128::from_be_bytes(all)
    })
}

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 1..4u32,
        1 => 1..=MAX_VALUE,
        1 => (1..=MAX_VALUE).prop_map(|v| v | 1 << 30),
    ]
}

fn op(max_len: u8) -> impl Strategy<Value = Op> {
    // Lengths around the borders of the levels get their share.
    let len = prop_oneof![
        3 => 0..=max_len,
        1 => (0..=max_len / 8).prop_map(|n| n * 8),
        1 => (0..max_len / 8).prop_map(|n| n * 8 + 1),
    ];
    prop_oneof![
        10 => (bits(), len.clone(), value()).prop_map(|(a, l, v)| Op::Insert(a, l, v)),
        1 => (bits(), len).prop_map(|(a, l)| Op::Remove(a, l)),
        6 => any::<usize>().prop_map(Op::Drop),
        4 => (any::<usize>(), value()).prop_map(|(n, v)| Op::Again(n, v)),
        1 => Just(Op::Grace),
    ]
}

fn run<F: Addr>(ops: &[Op], shape: (usize, usize)) {
    let mut pair = Pair::<F>::with_shape(shape.0, shape.1);
    for op in ops {
        let pick = |n: usize, pair: &Pair<F>| {
            let len = pair.oracle.len();
            (len > 0).then(|| *pair.oracle.keys().nth(n % len).expect("in range"))
        };
        let touched = match *op {
            Op::Insert(a, len, v) => {
                let p = Prefix::new(F::from_bits(a), len).expect("in range");
                pair.insert(p, v);
                Some(p)
            }
            Op::Remove(a, len) => {
                let p = Prefix::new(F::from_bits(a), len).expect("in range");
                pair.remove(p);
                Some(p)
            }
            Op::Drop(n) => pick(n, &pair).inspect(|&p| pair.remove(p)),
            Op::Again(n, v) => pick(n, &pair).inspect(|&p| pair.insert(p, v)),
            Op::Grace => {
                host::advance();
                None
            }
        };
        if let Some(p) = touched {
            pair.check_around(p);
            pair.check_next(p);
        }
    }
    pair.check();
    // And down to nothing again.
    let all: Vec<_> = pair.oracle.keys().copied().collect();
    for p in all {
        pair.remove(p);
        pair.check_around(p);
    }
    pair.check();
}

fn shape() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        Just((4096, 1024)),
        Just((1, 0)),
        (1..40usize).prop_map(|n| (n, n / 2)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sequences_v4(ops in prop::collection::vec(op(32), 1..120), shape in shape()) {
        run::<V4>(&ops, shape);
    }

    #[test]
    fn sequences_v6(ops in prop::collection::vec(op(128), 1..80), shape in shape()) {
        run::<V6>(&ops, shape);
    }
}

const SHAPES: [(usize, usize); 3] = [(usize::MAX, 0), (1, 0), (100, 50)];

#[test]
fn empty_and_default_only() {
    for (widen, narrow) in SHAPES {
        let mut pair = Pair::<V4>::with_shape(widen, narrow);
        pair.check();
        assert_eq!(pair.table.lookup(0x0102_0304), 0);
        assert_eq!(pair.table.memory(), 0);
        pair.insert(v4(0, 0), 7);
        pair.check();
        assert_eq!(pair.table.lookup(0x0102_0304), 7);
        pair.insert(v4(0, 0), 8);
        pair.check();
        pair.remove(v4(0, 0));
        pair.check();
        assert_eq!(pair.table.lookup(u32::MAX), 0);
    }
}

/// Each value below 2^31 comes back as it was, and no length beyond the family's is accepted.
#[test]
fn values_and_lengths() {
    for v in [1, 2, MAX_VALUE, 1 << 30, MAX_VALUE | 1 << 30] {
        let mut pair = Pair::<V4>::new();
        for len in 0..=32 {
            pair.insert(v4(0xc0a8_0101, len), v);
            assert_eq!(pair.table.lookup(0xc0a8_0101), v);
        }
    }
    assert!(Prefix::<V4>::new(0, 33).is_none());
    assert!(Prefix::<V6>::new(0, 129).is_none());
    assert_eq!(v4(u32::MAX, 9).addr(), 0xff80_0000);
}

/// All prefixes on the way to one address, from short to long and back, and the other way.
#[test]
fn nested_chains() {
    for (widen, narrow) in SHAPES {
        for addr in [0u32, u32::MAX, 0x0a80_ff01, 0x5555_5555] {
            let mut pair = Pair::<V4>::with_shape(widen, narrow);
            for len in 0..=32 {
                pair.insert(v4(addr, len), u32::from(len) + 1);
                pair.check();
            }
            for len in 0..=32 {
                pair.remove(v4(addr, len));
                pair.check();
            }
            for len in (0..=32).rev() {
                pair.insert(v4(addr, len), u32::from(len) + 1);
                pair.check();
            }
            for len in (0..=32).rev() {
                pair.remove(v4(addr, len));
                pair.check();
            }
        }
        for addr in [0u128, u128::MAX, 0x2001_0db8_80ff << 80 | 0x55aa] {
            let mut pair = Pair::<V6>::with_shape(widen, narrow);
            for len in 0..=128 {
                pair.insert(v6(addr, len), u32::from(len) + 1);
            }
            pair.check();
            for len in (0..=128).step_by(2) {
                pair.remove(v6(addr, len));
                pair.check_around(v6(addr, len));
            }
            pair.check();
            for len in (1..=128).step_by(2).collect::<Vec<_>>().into_iter().rev() {
                pair.remove(v6(addr, len));
                pair.check_around(v6(addr, len));
            }
            pair.check();
        }
    }
}

/// All /32 of a /16 with next hops that alternate: no two runs merge.
#[test]
fn all_hosts_of_a_16() {
    let mut pair = Pair::<V4>::new();
    pair.insert(v4(0x0a00_0000, 8), 9);
    for host in 0..=0xffff {
        pair.insert(v4(0x0a01_0000 | host, 32), 1 + (host & 1));
        host::advance();
    }
    for addr in 0x0a00_fff0..=0x0a02_0010 {
        pair.check_addr(addr);
    }
    for host in (0..=0xffff).filter(|host| host % 3 != 0) {
        pair.remove(v4(0x0a01_0000 | host, 32));
    }
    for addr in 0x0a00_fff0..=0x0a02_0010 {
        pair.check_addr(addr);
    }
    for host in (0..=0xffff).rev().filter(|host| host % 3 == 0) {
        pair.remove(v4(0x0a01_0000 | host, 32));
    }
    pair.check();
}

/// All 510 prefixes that one node can hold, on each level, with different values.
#[test]
fn full_nodes() {
    for (widen, narrow) in SHAPES {
        for level in 0..4u8 {
            let mut pair = Pair::<V4>::with_shape(widen, narrow);
            let mut numbers = Numbers(u64::from(level));
            let mut all: Vec<_> = (1..=8u8)
                .flat_map(|len| (0..1u32 << len).map(move |n| (n << (8 - len), len)))
                .map(|(byte, len)| {
                    let above = 0x6464_6464u32
                        .checked_shl(32 - 8 * u32::from(level))
                        .unwrap_or(0);
                    v4(above | byte << (24 - 8 * level), 8 * level + len)
                })
                .collect();
            for i in (1..all.len()).rev() {
                all.swap(i, numbers.below(i as u64 + 1) as usize);
            }
            // A few things below, whose covers change with each of them.
            pair.insert(v4(0x6464_6464, 32), 77);
            pair.insert(v4(0x6464_64ff, 32), 78);
            pair.insert(v4(0x6400_0000, 30), 79);
            for (n, &p) in all.iter().enumerate() {
                if pair.oracle.contains_key(&p) {
                    continue;
                }
                pair.insert(p, n as u32 + 100);
                pair.check_around(p);
                pair.check_addr(0x6464_6465);
            }
            pair.check();
            for &p in &all {
                pair.remove(p);
                pair.check_around(p);
                pair.check_addr(0x6464_6465);
            }
            pair.check();
        }
    }
}

/// Growing through the array's threshold and shrinking through the other, again and again.
#[test]
fn across_the_shapes() {
    let mut numbers = Numbers(3);
    let mut pair = Pair::<V4>::with_shape(300, 100);
    let mut order = Vec::new();
    for round in 0..4 {
        while order.len() < 400 {
            let len = 1 + numbers.below(32) as u8;
            let p = v4(numbers.next() as u32 & 0x3fff_ffff, len);
            if !pair.oracle.contains_key(&p) {
                order.push(p);
            }
            pair.insert(p, 1 + numbers.below(5) as u32);
            pair.check_around(p);
        }
        pair.check();
        // The array of round 1 may not be used again before its readers are gone.
        assert_eq!(pair.table.memory() >= 256 << 10, round != 2);
        while order.len() > 50 {
            let p = order.swap_remove(numbers.below(order.len() as u64) as usize);
            pair.remove(p);
            pair.check_around(p);
        }
        pair.check();
        assert!(pair.table.memory() < 256 << 10);
        if round != 1 {
            host::advance();
        }
    }
}
