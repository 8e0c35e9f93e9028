// SPDX-License-Identifier: GPL-2.0

//! An input is a sequence of operations on one table; a list of prefixes and a linear scan say
//! what is right.

use altfib_unit::{
    host,
    lpm::{Algorithm, Error, Family, Flags, Prefix, Table, Value, Writer, V4, V6},
};

/// What a writer and a table have without a block.
const MEMORY_OF_NOTHING: usize = 2 << 10;

/// The directories of the blocks count, but are not known before: by so much these small tables may
/// exceed a budget.
const SLACK: usize = 0;

/// The most operations of an input.
const MAX_OPS: usize = 300;

/// What the body needs of an address beyond what the module does.
trait Addr: Family {
    /// The first bits of `bits`.
    fn from_bits(bits: u128) -> Self::Addr;
    fn add(a: Self::Addr, n: i8) -> Self::Addr;
    fn last(p: Prefix<Self>) -> Self::Addr;
}

macro_rules! addr {
    ($family:ident, $addr:ident) => {
        impl Addr for $family {
            fn from_bits(bits: u128) -> $addr {
                (bits >> (128 - $addr::BITS)) as $addr
            }
            fn add(a: $addr, n: i8) -> $addr {
                a.wrapping_add_signed(n.into())
            }
            fn last(p: Prefix<$family>) -> $addr {
                p.addr() | $addr::MAX.checked_shr(p.len().into()).unwrap_or(0)
            }
        }
    };
}

addr!(V4, u32);
addr!(V6, u128);

/// Bytes that are used up; 0 after the end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    fn index(&mut self, len: usize) -> usize {
        (usize::from(self.byte()) | usize::from(self.byte()) << 8) % len
    }

    fn value(&mut self) -> Value {
        match self.byte() {
            // Bit 30 is the caller's, and bit 31 is not kept.
            n @ 0xf0.. => 0x7fff_ffff - u32::from(n & 15),
            n => 1 + u32::from(n % 6),
        }
    }
}

struct Run<'a, F: Addr> {
    input: Input<'a>,
    table: Table<F>,
    writer: Writer<F>,
    list: Vec<(Prefix<F>, Value)>,
    /// The address that the next one is made from.
    bits: u128,
    budget: usize,
}

/// Runs one input; panics where the table is wrong.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    if input.byte() & 1 == 0 {
        Run::<V4>::new(input).all();
    } else {
        Run::<V6>::new(input).all();
    }
    host::fail_allocation(None);
    host::fail_all(false);
}

impl<'a, F: Addr> Run<'a, F> {
    fn new(input: Input<'a>) -> Self {
        host::fail_allocation(None);
        host::fail_all(false);
        let (table, writer) = Table::new(Flags).expect("an empty table");
        Run {
            input,
            table,
            writer,
            list: Vec::new(),
            bits: 0,
            budget: usize::MAX,
        }
    }

    fn all(&mut self) {
        for _ in 0..MAX_OPS {
            if self.input.0.is_empty() {
                break;
            }
            self.step();
        }
        host::fail_allocation(None);
        host::fail_all(false);
        self.check();
        // And down to nothing.
        while let Some(&(p, _)) = self.list.last() {
            self.remove(p);
        }
        self.check();
    }

    fn step(&mut self) {
        match self.input.byte() % 26 {
            0..=8 => {
                let (p, v) = (self.prefix(), self.input.value());
                self.insert(p, v);
            }
            9..=11 => {
                if let Some(p) = self.pick() {
                    let v = self.input.value();
                    self.insert(p, v);
                }
            }
            12..=14 => {
                if let Some(p) = self.pick() {
                    self.remove(p);
                }
            }
            15 => {
                let p = self.prefix();
                self.remove(p);
            }
            16 => {
                let p = self.prefix();
                self.insert(p, 0);
            }
            17 => {
                let p = self.prefix();
                self.check_around(p);
                self.check_next(p);
            }
            18 => host::advance(),
            19 => {
                // None, or what is there and a little more or less.
                let n = usize::from(self.input.byte());
                self.budget = match n {
                    0..=31 => usize::MAX,
                    _ => (self.writer.memory() + (n << 8)).saturating_sub(64 << 8),
                };
                self.writer.set_budget(self.budget);
            }
            20 => {
                let n = u64::from(self.input.byte());
                host::fail_all(n & 0x80 != 0);
                host::fail_allocation((n & 0x40 != 0).then_some(n & 0x3f));
            }
            21 => {
                let from = usize::from(self.input.byte()) % 48;
                let below = usize::from(self.input.byte()) % (from + 1);
                self.writer.set_wide(from, below);
            }
            22 => match self.input.byte() & 3 {
                0 => self.writer.set_exclusive(true),
                1 => self.writer.set_exclusive(false),
                _ => self.check(),
            },
            23 | 24 => {
                // 0 leaves it to the table's size.
                let n = usize::from(self.input.byte()) % (Algorithm::ALL.len() + 1);
                let algorithm = n.checked_sub(1).map(|n| Algorithm::ALL[n]);
                self.writer.set_algorithm(algorithm);
                self.writer.settle(&self.table, Flags);
                self.check_batch();
            }
            _ => self.rebuild(),
        }
    }

    /// A prefix near the last one: some bytes of its address replaced.
    fn prefix(&mut self) -> Prefix<F> {
        let bytes = usize::from(F::BITS / 8);
        let how = self.input.byte();
        for n in 0..usize::from(how & 3) {
            let at = (usize::from(how >> 2) + n) % bytes;
            let shift = 120 - 8 * at;
            let byte = u128::from(self.input.byte());
            self.bits = self.bits & !(0xff << shift) | byte << shift;
        }
        let len = self.input.byte() % (F::BITS + 1);
        Prefix::new(F::from_bits(self.bits), len).expect("in range")
    }

    /// One of the prefixes that are there.
    fn pick(&mut self) -> Option<Prefix<F>> {
        if self.list.is_empty() {
            return None;
        }
        let at = self.input.index(self.list.len());
        Some(self.list[at].0)
    }

    fn find(&self, p: Prefix<F>) -> Option<usize> {
        self.list.iter().position(|&(q, _)| q == p)
    }

    fn get(&self, p: Prefix<F>) -> Value {
        self.find(p).map_or(0, |at| self.list[at].1)
    }

    fn insert(&mut self, p: Prefix<F>, v: Value) {
        let memory = self.writer.memory();
        match self.writer.insert(&self.table, p, v, Flags) {
            Ok(old) => {
                assert_eq!(old, self.get(p), "insert {p:?}");
                match self.find(p) {
                    Some(at) if v == 0 => {
                        self.list.swap_remove(at);
                    }
                    Some(at) => self.list[at].1 = v,
                    None if v == 0 => {}
                    None => self.list.push((p, v)),
                }
            }
            Err(error) => self.refused(error),
        }
        // A removal may go beyond it.
        assert!(v == 0 || self.writer.memory() <= self.budget.saturating_add(SLACK).max(memory));
        self.check_touched(p);
    }

    fn remove(&mut self, p: Prefix<F>) {
        match self.writer.remove(&self.table, p, Flags) {
            Ok(old) => {
                assert_eq!(old, self.get(p), "remove {p:?}");
                if let Some(at) = self.find(p) {
                    self.list.swap_remove(at);
                }
            }
            Err(error) => self.refused(error),
        }
        self.check_touched(p);
    }

    /// An update is refused only if memory fails, and then as asked for.
    fn refused(&mut self, error: Error) {
        if error == Error::Budget {
            assert_ne!(self.budget, usize::MAX);
        }
        // So that no input is a table that refuses everything.
        host::fail_all(false);
        host::fail_allocation(None);
    }

    fn check_touched(&self, p: Prefix<F>) {
        assert_eq!(self.writer.get(p), self.get(p), "{p:?}");
        assert_eq!(self.writer.len(), self.list.len());
        self.check_around(p);
        self.check_next(p);
    }

    fn expect(&self, addr: F::Addr) -> Value {
        self.list
            .iter()
            .filter(|&&(p, _)| Prefix::new(addr, p.len()) == Some(p))
            .max_by_key(|(p, _)| p.len())
            .map_or(0, |&(_, v)| v)
    }

    fn check_addr(&self, addr: F::Addr) {
        assert_eq!(self.table.lookup(addr), self.expect(addr), "{addr:#x}");
    }

    fn check_around(&self, p: Prefix<F>) {
        for n in -1..=1 {
            self.check_addr(F::add(p.addr(), n));
            self.check_addr(F::add(F::last(p), n));
        }
    }

    fn check_next(&self, p: Prefix<F>) {
        let next = self.list.iter().filter(|(q, _)| *q > p).min().copied();
        assert_eq!(self.writer.next(Some(p)), next, "after {p:?}");
    }

    /// All borders, so all addresses, and the whole list.
    fn check(&self) {
        for &(p, v) in &self.list {
            self.check_around(p);
            self.check_next(p);
            assert_eq!(self.writer.get(p), v);
        }
        assert_eq!(self.writer.next(None), self.list.iter().min().copied());
        self.check_addr(F::from_bits(0));
        self.check_addr(F::from_bits(u128::MAX));
        assert_eq!(self.writer.is_empty(), self.list.is_empty());
        assert!(self.writer.used() <= self.writer.memory());
        self.check_batch();
    }

    /// The table with all that is in it at once, or refused and empty.
    fn rebuild(&mut self) {
        let (table, mut writer) = Table::new(Flags).expect("an empty table");
        let how = self.input.byte();
        writer.set_budget(self.budget);
        writer.set_exclusive(how & 1 != 0);
        let algorithm = Algorithm::ALL.get(usize::from(how >> 1 & 3)).copied();
        writer.set_algorithm(algorithm);
        let mut sorted = self.list.clone();
        sorted.sort();
        // One input in eight is not sorted, if there is a way to be.
        let swapped = how >> 5 == 7 && sorted.len() > 2;
        if swapped {
            sorted.swap(1, 2);
        }
        match writer.build(&table, sorted.iter().copied(), Flags) {
            Ok(()) => {
                assert!(!swapped);
                assert!(
                    writer.memory() <= self.budget.saturating_add(SLACK).max(MEMORY_OF_NOTHING)
                );
                self.table = table;
                self.writer = writer;
                self.check();
            }
            Err(Error::Unsorted) => assert!(swapped),
            Err(error) => {
                self.refused(error);
                assert!(writer.is_empty());
                assert_eq!(writer.next(None), None);
                assert_eq!(table.lookup(F::from_bits(0)), 0);
            }
        }
    }

    /// Many at once: the same answers as one by one.
    fn check_batch(&self) {
        let addrs: Vec<_> = self
            .list
            .iter()
            .flat_map(|&(p, _)| [p.addr(), F::last(p), F::add(F::last(p), 1)])
            .take(70)
            .collect();
        let mut out = vec![u32::MAX; addrs.len()];
        self.table.lookup_batch(&addrs, &mut out);
        for (&addr, &value) in addrs.iter().zip(&out) {
            assert_eq!(value, self.expect(addr), "{addr:#x} in a batch");
        }
    }
}
