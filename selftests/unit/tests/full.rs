// SPDX-License-Identifier: GPL-2.0

//! Full tables: the answer at every border of every prefix, so for every address, before and after
//! a day of updates. Which tables these are: see `common/data.rs`.

mod common;
#[path = "common/data.rs"]
mod data;

use altfib_unit::{
    host,
    lpm::{Flags, Prefix, Table, Writer, V4, V6},
};
use common::{Addr, Numbers};
use data::Tables;
use std::collections::BTreeMap;

/// Checks each range of addresses with one longest prefix: its first and last address, and one
/// between. The ranges come from a walk over the sorted prefixes with a stack.
fn check_all<F: Addr>(table: &Table<F>, oracle: &BTreeMap<Prefix<F>, u32>, numbers: &mut Numbers) {
    let mut open: Vec<(F::Addr, u32)> = Vec::new();
    let mut from = F::from_bits(0);
    let mut ranges = 0u64;
    let mut range = |from: F::Addr, last: F::Addr, value: u32| {
        let whole = Prefix::<F>::new(from, 0).expect("a length");
        let between = F::mix(whole, F::from_bits(u128::from(numbers.next()) << 64));
        for addr in [from, last, between.clamp(from, last)] {
            assert_eq!(table.lookup(addr), value, "{addr:#x}");
        }
        ranges += 1;
    };
    for (&p, &value) in oracle {
        while let Some(&(last, value)) = open.last().filter(|(last, _)| *last < p.addr()) {
            if from <= last {
                range(from, last, value);
                from = F::add(last, 1);
            }
            open.pop();
        }
        if from < p.addr() {
            range(
                from,
                F::add(p.addr(), -1),
                open.last().map_or(0, |top| top.1),
            );
            from = p.addr();
        }
        open.push((F::last(p), value));
    }
    let end = F::from_bits(u128::MAX);
    while let Some((last, value)) = open.pop() {
        if from <= last {
            range(from, last, value);
            if last == end {
                return;
            }
            from = F::add(last, 1);
        }
    }
    range(from, end, 0);
    assert!(ranges > 100_000, "{ranges}");
}

fn check_writer<F: Addr>(writer: &Writer<F>, oracle: &BTreeMap<Prefix<F>, u32>) {
    assert_eq!(writer.len(), oracle.len());
    let mut at = None;
    for (&p, &value) in oracle {
        let next = writer.next(at);
        assert_eq!(next, Some((p, value)));
        at = Some(p);
    }
    assert_eq!(writer.next(at), None);
}

fn full<F: Addr>(bytes_per_prefix: usize) {
    let tables = Tables::<F>::load();
    let mut numbers = Numbers(1);
    let mut oracle = BTreeMap::new();
    let (table, mut writer) = Table::<F>::new(Flags).expect("an empty table");
    let mut order = tables.table.clone();
    for i in (1..order.len()).rev() {
        order.swap(i, numbers.below(i as u64 + 1) as usize);
    }
    for (n, p) in order.into_iter().enumerate() {
        let value = 1 + numbers.below(94) as u32;
        oracle.insert(p, value);
        assert_eq!(writer.insert(&table, p, value, Flags), Ok(0));
        if n % 1024 == 0 {
            host::advance();
        }
    }
    println!(
        "{}: {} prefixes, {} KiB for lookups, {} KiB in all",
        tables.source,
        writer.len(),
        table.memory() >> 10,
        writer.memory() >> 10
    );
    // Made-up tables are less dense than real ones.
    assert!(!tables.real || table.memory() <= bytes_per_prefix * writer.len());
    assert!(writer.memory() <= 32 << 20);
    check_all(&table, &oracle, &mut numbers);
    check_writer(&writer, &oracle);

    for (n, &(p, announced)) in tables.updates.iter().enumerate() {
        if announced {
            let value = 1 + numbers.below(94) as u32;
            let old = oracle.insert(p, value).unwrap_or(0);
            assert_eq!(writer.insert(&table, p, value, Flags), Ok(old));
        } else {
            let old = oracle.remove(&p).unwrap_or(0);
            assert_eq!(writer.remove(&table, p, Flags), Ok(old));
        }
        if n % 1024 == 0 {
            host::advance();
        }
    }
    check_all(&table, &oracle, &mut numbers);
    check_writer(&writer, &oracle);

    // Short prefixes over everything, and a default.
    for len in [0, 1, 3, 8, 9, 15, 16] {
        for bits in [0, 0x2000u128 << 112, 0x6000u128 << 112, 0xc000u128 << 112] {
            let p = Prefix::new(F::from_bits(bits), len).expect("a length");
            let value = 1000 + u32::from(len);
            let old = oracle.insert(p, value).unwrap_or(0);
            assert_eq!(writer.insert(&table, p, value, Flags), Ok(old));
        }
    }
    check_all(&table, &oracle, &mut numbers);
    for len in [8, 1, 0, 15, 16, 9, 3] {
        let p = Prefix::new(F::from_bits(0x2000u128 << 112), len).expect("a length");
        let old = oracle.remove(&p).unwrap_or(0);
        assert_eq!(writer.remove(&table, p, Flags), Ok(old));
    }
    check_all(&table, &oracle, &mut numbers);
}

#[test]
fn full_v4() {
    full::<V4>(7);
}

#[test]
fn full_v6() {
    full::<V6>(22);
}
