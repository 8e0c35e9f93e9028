// SPDX-License-Identifier: GPL-2.0

//! Size and speed on a full table: `cargo run --release --example measure`, with `ALTFIB_DATA`
//! naming a folder of tables, or on a made-up table without.

#![allow(clippy::float_arithmetic)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/data.rs"]
mod data;

use altfib_unit::{
    host,
    lpm::{Flags, Prefix, Table, Writer},
};
use common::{Addr, Numbers};
use data::Tables;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Time on a CPU, which other load on the machine disturbs less than time on the wall.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanos = text.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn show<F: Addr>(what: &str, table: &Table<F>, writer: &Writer<F>) {
    let n = writer.len() as f64;
    println!(
        "  {what}: {} prefixes, lookups touch {:.2} B/prefix ({} KiB), all memory {:.2} B/prefix ({} KiB), of that in use {} KiB",
        writer.len(),
        table.memory() as f64 / n,
        table.memory() >> 10,
        writer.memory() as f64 / n,
        writer.memory() >> 10,
        writer.used() >> 10,
    );
}

fn measure<F: Addr>(name: &str, hops: &str, hop: impl Fn(u64) -> u32) {
    let tables = Tables::<F>::load();
    println!("{name}, {}, next hops {hops}", tables.source);
    let mut numbers = Numbers(1);
    let (table, mut writer) = Table::<F>::new(Flags).expect("an empty table");
    let begin = cpu();
    writer.set_exclusive(true);
    for &p in &tables.table {
        writer
            .insert(&table, p, hop(numbers.next()), Flags)
            .expect("memory");
    }
    writer.set_exclusive(false);
    println!("  built one by one in {:.2?} on the CPU", cpu() - begin);
    show("full", &table, &writer);

    // Each announcement changes the next hop: more work than a real day.
    let mut times = Vec::with_capacity(tables.updates.len());
    let begin = cpu();
    let mut last = Instant::now();
    for (n, &(p, announced)) in tables.updates.iter().enumerate() {
        if announced {
            writer
                .insert(&table, p, hop(numbers.next()), Flags)
                .expect("memory");
        } else {
            writer.remove(&table, p, Flags).expect("memory");
        }
        let now = Instant::now();
        times.push(now - last);
        last = now;
        if n % 2000 == 0 {
            host::advance();
        }
    }
    let total = cpu() - begin;
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "  {} updates in {total:.2?} on the CPU, mean {:.2?}; by the wall clock median {:.2?}, 99 % {:.2?}, 99.9 % {:.2?}, most {:.2?}",
        times.len(),
        total / times.len() as u32,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    show("after", &table, &writer);

    let keys: Vec<F::Addr> = (0..1 << 20)
        .map(|_| {
            let p = tables.table[numbers.below(tables.table.len() as u64) as usize];
            let noise = Prefix::<F>::new(
                F::from_bits(u128::from(numbers.next()) << 64),
                128.min(F::BITS),
            )
            .expect("a length");
            F::mix(p, noise.addr())
        })
        .collect();
    let rounds = 8;
    let time = |f: &mut dyn FnMut() -> u32| -> Duration {
        f();
        let begin = cpu();
        for _ in 0..rounds {
            black_box(f());
        }
        (cpu() - begin) / rounds
    };
    let independent = time(&mut || keys.iter().fold(0, |sum, &k| sum ^ table.lookup(k)));
    let mask = keys.len() - 1;
    let dependent = time(&mut || {
        let mut last = 0;
        for i in 0..keys.len() {
            last = table.lookup(keys[(i + (last as usize & 7)) & mask]);
        }
        last
    });
    println!(
        "  lookup, keys by prefix: {:.1} ns independent, {:.1} ns dependent",
        independent.as_nanos() as f64 / keys.len() as f64,
        dependent.as_nanos() as f64 / keys.len() as f64,
    );
}

/// Few next hops carry most prefixes, as at a router with two upstreams and 92 peers.
fn skewed(n: u64) -> u32 {
    match n % 1000 {
        0..556 => 1,
        556..886 => 2,
        _ => 3 + (n / 1000 % 92) as u32,
    }
}

fn main() {
    measure::<altfib_unit::lpm::V4>("IPv4", "by prefix, 94, skewed", skewed);
    measure::<altfib_unit::lpm::V4>("IPv4", "by prefix, 512, even", |n| 1 + (n % 512) as u32);
    measure::<altfib_unit::lpm::V6>("IPv6", "by prefix, 94, skewed", skewed);
    measure::<altfib_unit::lpm::V6>("IPv6", "by prefix, 512, even", |n| 1 + (n % 512) as u32);
}
