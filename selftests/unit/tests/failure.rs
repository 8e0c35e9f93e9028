// SPDX-License-Identifier: GPL-2.0

//! Memory that is not there, not given back, or not allowed.

mod common;

use altfib_unit::{
    host,
    lpm::{Error, Prefix, V4, V6},
};
use common::{v4, Addr, Numbers, Pair};

enum Op<F: Addr> {
    Insert(Prefix<F>, u32),
    Remove(Prefix<F>),
}

/// A sequence that makes and empties nodes on all levels and crosses the shapes (40, 20).
fn sequence<F: Addr>(seed: u64) -> Vec<Op<F>> {
    let mut numbers = Numbers(seed);
    let mut ops = Vec::new();
    let mut live: Vec<Prefix<F>> = Vec::new();
    for phase in 0..4 {
        for _ in 0..60 {
            let kind = numbers.below(10);
            if (phase % 2 == 0 && kind < 8) || live.is_empty() || kind < 2 {
                let bytes = [10u8, 10, 11, 200].map(u128::from);
                let bits =
                    (0..16).fold(0u128, |all, _| all << 8 | bytes[numbers.below(4) as usize]);
                let len = numbers.below(u64::from(F::BITS) + 1) as u8;
                let p = Prefix::new(F::from_bits(bits), len).expect("in range");
                live.push(p);
                ops.push(Op::Insert(p, 1 + numbers.below(3) as u32));
            } else {
                let p = live.swap_remove(numbers.below(live.len() as u64) as usize);
                ops.push(Op::Remove(p));
            }
        }
    }
    ops
}

/// For every n: the n-th allocation of the sequence fails, the table is then as it was, and the
/// update succeeds when it is tried again.
fn every_allocation<F: Addr>(seed: u64) -> u64 {
    let ops = sequence::<F>(seed);
    let mut failed = 0;
    for n in 0.. {
        let mut pair = Pair::<F>::with_shape(40, 20);
        let mut refused = 0;
        host::fail_allocation(Some(n));
        for op in &ops {
            let used = pair.writer.used();
            let error = match *op {
                Op::Insert(p, v) => pair.try_insert(p, v).err(),
                Op::Remove(p) => pair.try_remove(p).err(),
            };
            if let Some(error) = error {
                assert_eq!(error, Error::NoMemory);
                refused += 1;
                // Only lines in reserve for the limbo may be kept.
                assert!(pair.writer.used() <= used + 2 * 64);
                pair.check();
                match *op {
                    Op::Insert(p, v) => pair.insert(p, v),
                    Op::Remove(p) => pair.remove(p),
                }
                pair.check();
            }
        }
        let done = host::allocations();
        host::fail_allocation(None);
        pair.check();
        assert!(refused <= 1);
        failed += refused;
        // Nothing is lost on the way.
        for p in pair.oracle.keys().copied().collect::<Vec<_>>() {
            pair.remove(p);
        }
        pair.writer.set_wide(40, 20);
        pair.insert(Prefix::new(F::from_bits(0), 1).expect("in range"), 1);
        pair.remove(Prefix::new(F::from_bits(0), 1).expect("in range"));
        assert_eq!(pair.table.memory(), 0);
        if done <= n {
            break;
        }
    }
    failed
}

#[test]
fn every_allocation_v4() {
    assert!(every_allocation::<V4>(1) > 200);
    assert!(every_allocation::<V4>(2) > 200);
}

#[test]
fn every_allocation_v6() {
    assert!(every_allocation::<V6>(1) > 500);
}

/// No memory at all for long stretches, and no grace period either.
#[test]
fn long_droughts() {
    let mut numbers = Numbers(9);
    let mut pair = Pair::<V4>::with_shape(200, 100);
    let mut refused = 0;
    for n in 0..20_000u32 {
        if n % 500 == 0 {
            host::fail_all(n % 1000 != 0);
        }
        if n % 3000 == 0 {
            host::advance();
        }
        let p = v4(
            numbers.next() as u32 & 0x0f0f_07ff,
            8 + numbers.below(25) as u8,
        );
        let result = if numbers.below(20) < 11 {
            pair.try_insert(p, 1 + numbers.below(4) as u32)
        } else {
            pair.try_remove(p)
        };
        refused += u32::from(result.is_err());
        pair.check_around(p);
        if n % 1000 == 999 {
            pair.check();
        }
    }
    host::fail_all(false);
    assert!(refused > 100, "{refused} updates refused");
    pair.check();
}

/// The budget bounds all memory; what was there answers on, and removals get through.
#[test]
fn budget() {
    let mut numbers = Numbers(4);
    let mut pair = Pair::<V4>::new();
    let budget = 200 << 10;
    pair.writer.set_budget(budget);
    let mut refused = 0;
    for _ in 0..20_000 {
        let p = v4(numbers.next() as u32, 16 + numbers.below(17) as u8);
        if let Err(error) = pair.try_insert(p, 1 + numbers.below(4) as u32) {
            assert_eq!(error, Error::Budget);
            refused += 1;
        }
        assert!(pair.writer.memory() <= budget, "{}", pair.writer.memory());
    }
    assert!(refused > 1000);
    assert!(pair.writer.len() > 200, "{}", pair.writer.len());
    pair.check();
    for (n, p) in pair.oracle.keys().copied().enumerate().collect::<Vec<_>>() {
        pair.remove(p);
        if n % 16 == 0 {
            host::advance();
        }
    }
    pair.check();
    host::advance();
    // What the removals gave back is used again.
    pair.insert(v4(0x0102_0300, 24), 5);
    pair.insert(v4(0x0102_0304, 32), 6);
    pair.check();
    assert!(pair.writer.memory() <= budget + (64 << 10));
}

/// A namespace with a few routes costs little.
#[test]
fn small_tables() {
    let mut pair = Pair::<V4>::new();
    pair.insert(v4(0, 0), 1);
    assert!(pair.writer.memory() < 2 << 10, "{}", pair.writer.memory());
    pair.insert(v4(0x0a00_0000, 24), 2);
    pair.insert(v4(0x0a00_0001, 32), 3);
    pair.insert(v4(0x0a00_00ff, 32), 4);
    pair.check();
    assert!(pair.writer.memory() < 6 << 10, "{}", pair.writer.memory());
    // However often a route changes.
    for n in 0..100_000 {
        pair.insert(v4(0x0a00_0100, 24), 5 + (n & 1));
        pair.remove(v4(0x0a00_0100, 24));
        if n % 50 == 0 {
            host::advance();
        }
    }
    pair.check();
    assert!(pair.writer.memory() < 24 << 10, "{}", pair.writer.memory());
}

/// A table that changes all the time and remains as large as it is takes no more memory.
#[test]
fn steady_churn() {
    let mut numbers = Numbers(5);
    let mut pair = Pair::<V4>::new();
    let mut live = Vec::new();
    let random = |numbers: &mut Numbers| {
        let lens = [24, 24, 24, 23, 22, 22, 21, 20, 19, 16, 28, 32];
        let len = lens[numbers.below(12) as usize];
        v4(numbers.next() as u32 & 0x1fff_ffff, len)
    };
    while live.len() < 30_000 {
        let p = random(&mut numbers);
        if !pair.oracle.contains_key(&p) {
            live.push(p);
            pair.insert(p, 1 + numbers.below(90) as u32);
            if live.len() % 256 == 0 {
                host::advance();
            }
        }
    }
    let mut at_start = (0, 0);
    for n in 0..1_500_000u32 {
        if n == 100_000 {
            at_start = (pair.writer.memory(), pair.writer.used());
        }
        if n % 256 == 0 {
            host::advance();
        }
        let i = numbers.below(live.len() as u64) as usize;
        if n % 4 == 0 {
            let p = random(&mut numbers);
            if !pair.oracle.contains_key(&p) {
                pair.remove(live[i]);
                pair.insert(p, 1 + numbers.below(90) as u32);
                live[i] = p;
            }
        } else {
            pair.insert(live[i], 1 + numbers.below(90) as u32);
        }
    }
    pair.check();
    let (memory, used) = (pair.writer.memory(), pair.writer.used());
    assert!(
        memory <= at_start.0 + at_start.0 / 20,
        "{at_start:?} {memory} {used}"
    );
    assert!(used * 100 >= memory * 80, "{used} used of {memory}");
}

/// A table without readers waits for nobody.
#[test]
fn exclusive() {
    let mut numbers = Numbers(6);
    let mut pair = Pair::<V4>::new();
    pair.writer.set_exclusive(true);
    for _ in 0..50_000 {
        pair.insert(
            v4(numbers.next() as u32 & 0x00ff_ffff, 24),
            1 + numbers.below(9) as u32,
        );
    }
    pair.check();
    let used = pair.writer.used();
    assert!(
        pair.writer.memory() < used + used / 4,
        "{used} {}",
        pair.writer.memory()
    );
    pair.writer.set_exclusive(false);
    for _ in 0..1000 {
        pair.insert(
            v4(numbers.next() as u32 & 0x00ff_ffff, 24),
            1 + numbers.below(9) as u32,
        );
    }
    pair.check();
}
