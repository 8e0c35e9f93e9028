// SPDX-License-Identifier: GPL-2.0

//! Address families and prefixes.

use super::arena::with_half;
use crate::sys::shared::Line;
use core::{cmp::Ordering, fmt, hash};

mod sealed {
    pub trait Sealed {}
}

/// An address family: [`V4`] or [`V6`].
pub trait Family:
    sealed::Sealed + Copy + Ord + hash::Hash + fmt::Debug + Send + Sync + 'static
{
    /// An address, as a number in host order.
    type Addr: Copy + Eq + Ord + hash::Hash + Default + fmt::Debug + fmt::LowerHex + Send + Sync;

    /// Bits of an address.
    const BITS: u8;

    /// The first byte of an address.
    #[doc(hidden)]
    fn head(addr: Self::Addr) -> u32;

    /// The first two bytes of an address.
    #[doc(hidden)]
    fn head16(addr: Self::Addr) -> u32;

    /// The address without its first byte, moved up.
    #[doc(hidden)]
    fn tail(addr: Self::Addr) -> Self::Addr;

    /// The address without its first two bytes, moved up.
    #[doc(hidden)]
    fn tail16(addr: Self::Addr) -> Self::Addr;

    /// The address with all bits after the first `len` cleared.
    #[doc(hidden)]
    fn mask(addr: Self::Addr, len: u8) -> Self::Addr;

    /// The address with all bits after the first `len` set.
    #[doc(hidden)]
    fn host_ones(addr: Self::Addr, len: u8) -> Self::Addr;

    /// The address after this, if there is one.
    #[doc(hidden)]
    fn successor(addr: Self::Addr) -> Option<Self::Addr>;

    /// Byte `level` of the address.
    #[doc(hidden)]
    fn byte(addr: Self::Addr, level: usize) -> u32;

    /// The address with byte `level` replaced and all after it cleared.
    #[doc(hidden)]
    fn with_byte(addr: Self::Addr, level: usize, byte: u32) -> Self::Addr;

    /// The address as a number of 128 bits.
    #[doc(hidden)]
    fn to_u128(addr: Self::Addr) -> u128;

    /// The address of [`Family::to_u128`].
    #[doc(hidden)]
    fn from_u128(bits: u128) -> Self::Addr;

    /// Addresses that find room in a cache line.
    #[doc(hidden)]
    const PER_LINE: u32;

    /// Address `i` of those in a line.
    #[doc(hidden)]
    fn in_line(line: &Line, i: u32) -> Self::Addr;

    /// Stores address `i` of those in a line.
    #[doc(hidden)]
    fn set_in_line(line: &Line, i: u32, addr: Self::Addr);

    /// Prefixes that find room in a cache line, each an address and a mask.
    #[doc(hidden)]
    const MASKED_PER_LINE: u32;

    /// Whether prefix `i` of those in a line holds `addr`.
    #[doc(hidden)]
    fn holds(line: &Line, i: u32, addr: Self::Addr) -> bool;

    /// Stores prefix `i` of those in a line: the first address and the last.
    #[doc(hidden)]
    fn set_masked(line: &Line, i: u32, first: Self::Addr, last: Self::Addr);
}

/// IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V4;

/// IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V6;

macro_rules! family {
    ($family:ident, $addr:ident, $bits:literal, $per_line:literal, $masked:literal, $cells:ident) => {
        impl sealed::Sealed for $family {}

        impl Family for $family {
            type Addr = $addr;
            const BITS: u8 = $bits;

            #[inline(always)]
            fn head(addr: $addr) -> u32 {
                (addr >> ($bits - 8)) as u32
            }

            #[inline(always)]
            fn head16(addr: $addr) -> u32 {
                (addr >> ($bits - 16)) as u32
            }

            #[inline(always)]
            fn tail(addr: $addr) -> $addr {
                addr << 8
            }

            #[inline(always)]
            fn tail16(addr: $addr) -> $addr {
                addr << 16
            }

            #[inline]
            fn mask(addr: $addr, len: u8) -> $addr {
                let host = $addr::MAX.checked_shr(u32::from(len)).unwrap_or(0);
                addr & !host
            }

            #[inline]
            fn host_ones(addr: $addr, len: u8) -> $addr {
                addr | $addr::MAX.checked_shr(u32::from(len)).unwrap_or(0)
            }

            #[inline]
            fn successor(addr: $addr) -> Option<$addr> {
                addr.checked_add(1)
            }

            #[inline]
            fn byte(addr: $addr, level: usize) -> u32 {
                let shift = ($bits - 8u32).wrapping_sub((level as u32) << 3);
                (addr.wrapping_shr(shift) & 0xff) as u32
            }

            #[inline]
            fn with_byte(addr: $addr, level: usize, byte: u32) -> $addr {
                let shift = ($bits - 8u32).wrapping_sub((level as u32) << 3);
                let kept = Self::mask(addr, (level as u8) << 3);
                kept | $addr::from(byte as u8).wrapping_shl(shift)
            }

            #[inline]
            fn to_u128(addr: $addr) -> u128 {
                u128::from(addr)
            }

            #[inline]
            fn from_u128(bits: u128) -> $addr {
                bits as $addr
            }

            const PER_LINE: u32 = $per_line;

            #[inline(always)]
            fn in_line(line: &Line, i: u32) -> $addr {
                $cells::in_line(line, i)
            }

            #[inline(always)]
            fn set_in_line(line: &Line, i: u32, addr: $addr) {
                $cells::set_in_line(line, i, addr);
            }

            const MASKED_PER_LINE: u32 = $masked;

            #[inline(always)]
            fn holds(line: &Line, i: u32, addr: $addr) -> bool {
                $cells::holds(line, i, addr)
            }

            fn set_masked(line: &Line, i: u32, first: $addr, last: $addr) {
                $cells::set_masked(line, i, first, !(first ^ last));
            }
        }
    };
}

family!(V4, u32, 32, 16, 8, v4);
family!(V6, u128, 128, 4, 2, v6);

/// Addresses of 32 bits in lines: halves of words; with a mask, a word.
mod v4 {
    use super::{with_half, Line};

    #[inline(always)]
    pub(super) fn in_line(line: &Line, i: u32) -> u32 {
        let word = line.word(i as usize >> 1).load();
        word.wrapping_shr((i & 1) << 5) as u32
    }

    pub(super) fn set_in_line(line: &Line, i: u32, addr: u32) {
        let word = line.word(i as usize >> 1);
        word.store(with_half(word.load(), i, addr));
    }

    #[inline(always)]
    pub(super) fn holds(line: &Line, i: u32, addr: u32) -> bool {
        let word = line.word(i as usize).load();
        (addr ^ word as u32) & (word >> 32) as u32 == 0
    }

    pub(super) fn set_masked(line: &Line, i: u32, addr: u32, mask: u32) {
        line.word(i as usize)
            .store(u64::from(addr) | (u64::from(mask) << 32));
    }
}

/// Addresses of 128 bits in lines: two words, the high one first.
mod v6 {
    use super::Line;

    #[inline(always)]
    pub(super) fn in_line(line: &Line, i: u32) -> u128 {
        let at = (i as usize) << 1;
        let (high, low) = (line.word(at).load(), line.word(at | 1).load());
        (u128::from(high) << 64) | u128::from(low)
    }

    pub(super) fn set_in_line(line: &Line, i: u32, addr: u128) {
        let at = (i as usize) << 1;
        line.word(at).store((addr >> 64) as u64);
        line.word(at | 1).store(addr as u64);
    }

    #[inline(always)]
    pub(super) fn holds(line: &Line, i: u32, addr: u128) -> bool {
        let at = i << 1;
        (addr ^ in_line(line, at)) & in_line(line, at | 1) == 0
    }

    pub(super) fn set_masked(line: &Line, i: u32, addr: u128, mask: u128) {
        let at = i << 1;
        set_in_line(line, at, addr);
        set_in_line(line, at | 1, mask);
    }
}

/// A prefix: an address without host bits and a length. Ordered by address, then by length.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix<F: Family> {
    addr: F::Addr,
    len: u8,
}

impl<F: Family> Prefix<F> {
    /// The prefix of `len` bits that holds `addr`; `None` if the family has no such length.
    pub fn new(addr: F::Addr, len: u8) -> Option<Self> {
        (len <= F::BITS).then(|| Prefix {
            addr: F::mask(addr, len),
            len,
        })
    }

    /// The first address.
    #[inline]
    pub fn addr(&self) -> F::Addr {
        self.addr
    }

    /// The length in bits.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u8 {
        self.len
    }
}

impl<F: Family> Ord for Prefix<F> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.addr, self.len).cmp(&(other.addr, other.len))
    }
}

impl<F: Family> PartialOrd for Prefix<F> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<F: Family> fmt::Debug for Prefix<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}/{}", self.addr, self.len)
    }
}
