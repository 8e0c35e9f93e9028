// SPDX-License-Identifier: GPL-2.0

//! A smoke test of [`crate::lpm`] as the kernel builds it: its own compiler flags, allocator and
//! grace periods. What proves the tables runs on the host (`selftests/unit`).

use kernel::prelude::*;

#[kunit_tests(altfib_lpm)]
mod tests {
    use super::*;
    use crate::lpm::{Family, Prefix, Table, Value, Writer, V4, V6};

    /// What the tests need of an address beyond what the module does.
    trait Addr: Family {
        /// The first bits of `bits`.
        fn from_bits(bits: u128) -> Self::Addr;
        fn before(a: Self::Addr) -> Self::Addr;
        fn after(a: Self::Addr) -> Self::Addr;
        fn last(p: Prefix<Self>) -> Self::Addr;
    }

    macro_rules! addr {
        ($family:ident, $addr:ident) => {
            impl Addr for $family {
                fn from_bits(bits: u128) -> $addr {
                    (bits >> (128 - $addr::BITS)) as $addr
                }
                fn before(a: $addr) -> $addr {
                    a.wrapping_sub(1)
                }
                fn after(a: $addr) -> $addr {
                    a.wrapping_add(1)
                }
                fn last(p: Prefix<$family>) -> $addr {
                    p.addr() | $addr::MAX.checked_shr(p.len().into()).unwrap_or(0)
                }
            }
        };
    }

    addr!(V4, u32);
    addr!(V6, u128);

    /// Numbers that are the same in each run (splitmix64).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, n: usize) -> usize {
            (self.next() >> 33) as usize % n.max(1)
        }
    }

    /// A table, its writer, and the same as a list.
    struct Pair<F: Family> {
        table: Table<F>,
        writer: Writer<F>,
        list: KVVec<(Prefix<F>, Value)>,
    }

    impl<F: Addr> Pair<F> {
        fn new() -> Result<Self> {
            let (table, writer) = Table::new(GFP_KERNEL).map_err(|_| ENOMEM)?;
            let list = KVVec::new();
            Ok(Pair {
                table,
                writer,
                list,
            })
        }

        fn expect(&self, addr: F::Addr) -> Value {
            let mut best: (u8, Value) = (0, 0);
            for &(p, value) in self.list.iter() {
                if p.len() >= best.0 && Prefix::new(addr, p.len()) == Some(p) {
                    best = (p.len(), value);
                }
            }
            best.1
        }

        fn check_addr(&self, addr: F::Addr) -> Result {
            let (got, wanted) = (self.table.lookup(addr), self.expect(addr));
            if got == wanted {
                return Ok(());
            }
            pr_err!("lookup of {:#x} gives {}, not {}\n", addr, got, wanted);
            Err(EINVAL)
        }

        /// The borders of a prefix and the addresses beside them.
        fn check(&self, p: Prefix<F>) -> Result {
            for edge in [p.addr(), F::last(p)] {
                self.check_addr(F::before(edge))?;
                self.check_addr(edge)?;
                self.check_addr(F::after(edge))?;
            }
            Ok(())
        }

        fn check_all(&self) -> Result {
            for &(p, value) in self.list.iter() {
                self.check(p)?;
                if self.writer.get(p) != value {
                    pr_err!("{:?} is {}, not {}\n", p, self.writer.get(p), value);
                    return Err(EINVAL);
                }
            }
            if self.writer.len() != self.list.len() {
                pr_err!("{} prefixes, not {}\n", self.writer.len(), self.list.len());
                return Err(EINVAL);
            }
            Ok(())
        }

        #[inline(never)]
        fn insert(&mut self, p: Prefix<F>, value: Value) -> Result {
            let at = self.list.iter().position(|&(q, _)| q == p);
            let had = at.and_then(|at| self.list.get(at)).map_or(0, |had| had.1);
            match at.and_then(|at| self.list.get_mut(at)) {
                Some(entry) => entry.1 = value,
                None => self.list.push((p, value), GFP_KERNEL)?,
            }
            let old = self
                .writer
                .insert(&self.table, p, value, GFP_KERNEL)
                .map_err(|_| ENOMEM)?;
            if old == had {
                return Ok(());
            }
            pr_err!("insert of {:?} found {}, not {}\n", p, old, had);
            Err(EINVAL)
        }

        /// The same in a new table, at once.
        #[inline(never)]
        fn rebuild(&mut self) -> Result {
            let (table, mut writer) = Table::new(GFP_KERNEL).map_err(|_| ENOMEM)?;
            sort(&mut self.list);
            let built = writer.build(&table, self.list.iter().copied(), GFP_KERNEL);
            built.map_err(|_| ENOMEM)?;
            (self.table, self.writer) = (table, writer);
            self.check_all()
        }

        #[inline(never)]
        fn remove(&mut self, at: usize) -> Result<Prefix<F>> {
            let (p, had) = *self.list.get(at).ok_or(EINVAL)?;
            let last = self.list.pop().ok_or(EINVAL)?;
            if let Some(entry) = self.list.get_mut(at) {
                *entry = last;
            }
            let old = self
                .writer
                .remove(&self.table, p, GFP_KERNEL)
                .map_err(|_| ENOMEM)?;
            if old == had {
                return Ok(p);
            }
            pr_err!("removal of {:?} found {}, not {}\n", p, old, had);
            Err(EINVAL)
        }
    }

    /// Shell's sort: that of `core` recurses, and a kernel stack is small.
    fn sort<T: Ord>(list: &mut [T]) {
        let mut gap = list.len() / 2;
        while gap > 0 {
            for n in gap..list.len() {
                let mut at = n;
                while at >= gap && list[at] < list[at - gap] {
                    list.swap(at, at - gap);
                    at -= gap;
                }
            }
            gap /= 2;
        }
    }

    /// Prefixes that meet: a few bytes from a few values, of all lengths.
    fn random<F: Addr>(numbers: &mut Numbers, values: usize) -> Option<Prefix<F>> {
        let bytes = [10u8, 0, 127, 255, 128, 11, 192, 1];
        let mut bits = 0u128;
        for _ in 0..16 {
            let byte = if numbers.below(values) < 8 {
                bytes.get(numbers.below(8)).copied().unwrap_or(0)
            } else {
                numbers.next() as u8
            };
            bits = (bits << 8) | u128::from(byte);
        }
        let len = numbers.below(usize::from(F::BITS) + 1) as u8;
        Prefix::new(F::from_bits(bits), len)
    }

    /// Updates around `size` prefixes, each checked at the borders of what it changed, the whole
    /// table at times, then everything removed.
    fn churn<F: Addr>(size: usize, updates: usize, values: usize) -> Result {
        let mut numbers = Numbers(size as u64);
        let mut pair = Pair::<F>::new()?;
        for n in 0..updates {
            let len = pair.list.len();
            let full = len >= size && numbers.below(16) != 0;
            let p = if len > 0 && (full || numbers.below(8) == 0) {
                pair.remove(numbers.below(len))?
            } else {
                let p = random(&mut numbers, values).ok_or(EINVAL)?;
                pair.insert(p, 1 + numbers.below(5) as Value)?;
                p
            };
            pair.check(p)?;
            if n % (updates / 4) == 0 {
                pair.check_all()?;
            }
        }
        pair.check_all()?;
        pair.rebuild()?;
        while !pair.list.is_empty() {
            let at = numbers.below(pair.list.len());
            let p = pair.remove(at)?;
            pair.check(p)?;
        }
        pair.check_all()
    }

    #[test]
    fn v4_small() -> Result {
        churn::<V4>(20, 4000, 8)
    }

    #[test]
    fn v4_large() -> Result {
        churn::<V4>(5000, 9000, 16)
    }

    #[test]
    fn v6_small() -> Result {
        churn::<V6>(20, 4000, 8)
    }

    #[test]
    fn v6_large() -> Result {
        churn::<V6>(5000, 9000, 16)
    }
}
