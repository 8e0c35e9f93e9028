// SPDX-License-Identifier: GPL-2.0

//! Which addresses the local table can't have, told by one bit.
//!
//! The local table comes first, and nearly no packet that is forwarded matches anything there: a
//! bit for each of 256 parts of the address space says where it has prefixes at all. A bit may
//! be set without a prefix, never the other way round.

use crate::lpm;
use crate::lpm::Family;
use crate::lpm::Prefix;
use crate::sys::shared::Word;

/// Beyond so many prefixes, bits stay set that no prefix needs any more.
const RECOUNTED: usize = 64;

/// The parts in which a table has prefixes.
pub(super) struct Filter {
    bits: [Word; 4],
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            bits: [const { Word::new(0) }; 4],
        }
    }

    /// Whether the table may hold `addr`.
    #[inline(always)]
    pub(super) fn admits<F: Family>(&self, addr: F::Addr) -> bool {
        let part = part::<F>(addr);
        let word = self.bits.get((part >> 6) as usize & 3);
        word.is_none_or(|word| word.load().wrapping_shr(part) & 1 != 0)
    }

    /// A prefix is about to come.
    pub(super) fn add<F: Family>(&self, prefix: Prefix<F>) {
        let mut all = self.load();
        set(&mut all, prefix);
        self.store(all);
    }

    /// A prefix has gone.
    pub(super) fn removed<F: Family>(&self, left: &lpm::Writer<F>) {
        if left.len() <= RECOUNTED {
            self.recount(left);
        }
    }

    /// The table has come to be otherwise, while nothing was excluded.
    pub(super) fn recount<F: Family>(&self, writer: &lpm::Writer<F>) {
        let mut all = [0; 4];
        let mut after = None;
        while let Some((prefix, _)) = writer.next(after) {
            set(&mut all, prefix);
            after = Some(prefix);
        }
        self.store(all);
    }

    /// Nothing is excluded.
    pub(super) fn admit_all(&self) {
        self.store([u64::MAX; 4]);
    }

    fn load(&self) -> [u64; 4] {
        core::array::from_fn(|i| self.bits.get(i).map_or(u64::MAX, Word::load))
    }

    fn store(&self, all: [u64; 4]) {
        for (word, bits) in self.bits.iter().zip(all) {
            word.store(bits);
        }
    }
}

/// The part of the address space, below 256, in which an address is. Of IPv6, where most global
/// addresses start alike, a hash of the first 32 bits; multicast has a part of its own.
#[inline(always)]
fn part<F: Family>(addr: F::Addr) -> u32 {
    match F::head(addr) {
        head if F::BITS == 32 || head == 0xff => head,
        _ => ((F::to_u128(addr) >> 96) as u32).wrapping_mul(0x9e37_79b1) >> 25,
    }
}

/// Sets the bit of the part in which `prefix` is, or all if it may be in several.
fn set<F: Family>(all: &mut [u64; 4], prefix: Prefix<F>) {
    let head = F::head(prefix.addr());
    let decides = if F::BITS == 32 || head == 0xff { 8 } else { 32 };
    let part = part::<F>(prefix.addr());
    match all.get_mut((part >> 6) as usize) {
        Some(word) if prefix.len() >= decides => *word |= 1u64.wrapping_shl(part),
        _ => *all = [u64::MAX; 4],
    }
}
