// SPDX-License-Identifier: GPL-2.0

//! The oracle, tables and small helpers that the tests share.

#![allow(dead_code, unreachable_pub)]

use altfib_unit::lpm::{Error, Family, Flags, Prefix, Table, Value, Writer, V4, V6};
use std::{collections::BTreeMap, ops::Bound};

/// What the tests need of an address beyond what the module does.
pub trait Addr: Family {
    fn add(a: Self::Addr, n: i8) -> Self::Addr;
    fn last(p: Prefix<Self>) -> Self::Addr;
    fn from_bits(bits: u128) -> Self::Addr;
    /// An address in `p`, the rest from `noise`.
    fn mix(p: Prefix<Self>, noise: Self::Addr) -> Self::Addr;
}

macro_rules! addr {
    ($family:ident, $addr:ident) => {
        impl Addr for $family {
            fn add(a: $addr, n: i8) -> $addr {
                if n < 0 {
                    a.wrapping_sub(n.unsigned_abs().into())
                } else {
                    a.wrapping_add(n.unsigned_abs().into())
                }
            }
            fn last(p: Prefix<$family>) -> $addr {
                p.addr() | $addr::MAX.checked_shr(p.len().into()).unwrap_or(0)
            }
            /// The first bits of `bits`.
            fn from_bits(bits: u128) -> $addr {
                (bits >> (128 - $addr::BITS)) as $addr
            }
            fn mix(p: Prefix<$family>, noise: $addr) -> $addr {
                p.addr() | noise & $addr::MAX.checked_shr(p.len().into()).unwrap_or(0)
            }
        }
    };
}

addr!(V4, u32);
addr!(V6, u128);

pub fn v4(addr: u32, len: u8) -> Prefix<V4> {
    Prefix::new(addr, len).expect("a length of the family")
}

pub fn v6(addr: u128, len: u8) -> Prefix<V6> {
    Prefix::new(addr, len).expect("a length of the family")
}

/// A table, its writer, and the same by the simplest means.
pub struct Pair<F: Family> {
    pub table: Table<F>,
    pub writer: Writer<F>,
    pub oracle: BTreeMap<Prefix<F>, Value>,
}

impl<F: Addr> Pair<F> {
    pub fn new() -> Self {
        let (table, writer) = Table::new(Flags).expect("an empty table");
        Pair {
            table,
            writer,
            oracle: BTreeMap::new(),
        }
    }

    /// A pair whose table changes its shape at small sizes.
    pub fn with_shape(widen_at: usize, narrow_at: usize) -> Self {
        let mut pair = Self::new();
        pair.writer.set_wide(widen_at, narrow_at);
        pair
    }

    pub fn insert(&mut self, p: Prefix<F>, v: Value) {
        let old = self.writer.insert(&self.table, p, v, Flags);
        let wanted = if v == 0 {
            self.oracle.remove(&p)
        } else {
            self.oracle.insert(p, v)
        };
        assert_eq!(old, Ok(wanted.unwrap_or(0)), "insert {p:?} {v}");
    }

    pub fn remove(&mut self, p: Prefix<F>) {
        let old = self.writer.remove(&self.table, p, Flags);
        let wanted = self.oracle.remove(&p).unwrap_or(0);
        assert_eq!(old, Ok(wanted), "remove {p:?}");
    }

    /// As `insert`, but the table may refuse, and is then as before.
    pub fn try_insert(&mut self, p: Prefix<F>, v: Value) -> Result<Value, Error> {
        let old = self.writer.insert(&self.table, p, v, Flags)?;
        assert_eq!(old, self.oracle.insert(p, v).unwrap_or(0));
        Ok(old)
    }

    /// As `remove`, but the table may refuse, and is then as before.
    pub fn try_remove(&mut self, p: Prefix<F>) -> Result<Value, Error> {
        let old = self.writer.remove(&self.table, p, Flags)?;
        assert_eq!(old, self.oracle.remove(&p).unwrap_or(0));
        Ok(old)
    }

    /// The oracle's answer: the longest of all prefixes that hold the address.
    pub fn expect(&self, addr: F::Addr) -> Value {
        (0..=F::BITS)
            .rev()
            .find_map(|len| self.oracle.get(&Prefix::new(addr, len)?).copied())
            .unwrap_or(0)
    }

    pub fn check_addr(&self, addr: F::Addr) {
        assert_eq!(self.table.lookup(addr), self.expect(addr), "{addr:#x}");
    }

    /// The borders of a prefix and the addresses beside them.
    pub fn check_around(&self, p: Prefix<F>) {
        for n in -1..=1 {
            self.check_addr(F::add(p.addr(), n));
            self.check_addr(F::add(F::last(p), n));
        }
    }

    /// Everything, for tables of moderate size: all borders, so all addresses, and all the writer
    /// knows.
    pub fn check(&self) {
        for &p in self.oracle.keys() {
            self.check_around(p);
        }
        self.check_addr(F::from_bits(0));
        self.check_addr(F::from_bits(u128::MAX));
        self.check_writer();
    }

    /// What the writer says about single prefixes and as an iterator.
    pub fn check_writer(&self) {
        assert_eq!(self.writer.len(), self.oracle.len());
        assert_eq!(self.writer.is_empty(), self.oracle.is_empty());
        let mut at = None;
        for (&p, &v) in &self.oracle {
            assert_eq!(self.writer.get(p), v);
            assert_eq!(self.writer.next(at), Some((p, v)), "after {at:?}");
            at = Some(p);
        }
        assert_eq!(self.writer.next(at), None);
    }

    /// The successor of any prefix, there or not.
    pub fn check_next(&self, p: Prefix<F>) {
        let wanted = self
            .oracle
            .range((Bound::Excluded(p), Bound::Unbounded))
            .next()
            .map(|(&p, &v)| (p, v));
        assert_eq!(self.writer.next(Some(p)), wanted, "after {p:?}");
    }
}

/// A small generator of numbers that are the same in each run (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}
