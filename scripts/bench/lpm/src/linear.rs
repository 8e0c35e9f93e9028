// SPDX-License-Identifier: GPL-2.0

//! The plain scan: what a table of three routes must not be slower than.

use crate::{
    harness::Lookup,
    tables::{Fam, Keys, Routes},
};
use altfib_unit::lpm::{V4, V6};

/// Prefix, mask and value, the longest first.
pub struct Linear<F: Fam>(Vec<(F::Addr, F::Addr, u32)>);

impl<F: Fam> Linear<F> {
    pub fn build(routes: &Routes<F>) -> Self {
        let mut sorted = routes.clone();
        sorted.sort_by_key(|(p, _)| std::cmp::Reverse(p.len()));
        Linear(
            sorted
                .iter()
                .map(|&(p, v)| (p.addr(), F::mask(F::from_bits(u128::MAX), p.len()), v))
                .collect(),
        )
    }
}

macro_rules! linear {
    ($family:ident, $addr:ident) => {
        impl Lookup<$family> for Linear<$family> {
            type Key = $addr;

            fn keys(keys: &Keys<$family>) -> &[$addr] {
                &keys.host
            }

            #[inline(always)]
            fn one(&self, key: &$addr) -> u32 {
                for &(addr, mask, value) in &self.0 {
                    if key & mask == addr {
                        return value;
                    }
                }
                0
            }
        }
    };
}

linear!(V4, u32);
linear!(V6, u128);
