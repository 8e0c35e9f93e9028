// SPDX-License-Identifier: GPL-2.0

//! The crates of other people. None of them has batches.

use crate::{
    harness::Lookup,
    tables::{Fam, Keys},
};
use altfib_unit::lpm::{Prefix, V4, V6};
use ip_network_table_deps_treebitmap::IpLookupTable;
use iptrie::{map::LCTrieMap, map::RTrieMap, Ipv4Prefix, Ipv6Prefix};
use poptrie::Poptrie;
use prefix_trie::PrefixMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A crate's map that can be changed.
pub trait Map<F: Fam> {
    fn insert(&mut self, p: Prefix<F>, value: u32);
    fn remove(&mut self, p: Prefix<F>);
}

macro_rules! crates {
    ($module:ident, $family:ident, $addr:ident, $ip:ident, $prefix:ident) => {
        pub mod $module {
            use super::*;

            /// `ip_network_table-deps-treebitmap`.
            pub struct TreeBitmap(IpLookupTable<$ip, u32>);

            impl TreeBitmap {
                pub fn build(routes: &[(Prefix<$family>, u32)]) -> Self {
                    let mut all = TreeBitmap(IpLookupTable::new());
                    for &(p, v) in routes {
                        all.insert(p, v);
                    }
                    all
                }
            }

            impl Map<$family> for TreeBitmap {
                fn insert(&mut self, p: Prefix<$family>, value: u32) {
                    self.0.insert(p.addr().into(), p.len().into(), value);
                }

                fn remove(&mut self, p: Prefix<$family>) {
                    self.0.remove(p.addr().into(), p.len().into());
                }
            }

            impl Lookup<$family> for TreeBitmap {
                type Key = <$family as Fam>::Net;

                fn keys(keys: &Keys<$family>) -> &[Self::Key] {
                    &keys.net
                }

                #[inline(always)]
                fn one(&self, key: &Self::Key) -> u32 {
                    self.0
                        .longest_match((*key).into())
                        .map_or(0, |(_, _, &v)| v)
                }
            }

            /// `prefix-trie`.
            pub struct PrefixTrie(PrefixMap<($addr, u8), u32>);

            impl PrefixTrie {
                pub fn build(routes: &[(Prefix<$family>, u32)]) -> Self {
                    PrefixTrie(
                        routes
                            .iter()
                            .map(|&(p, v)| ((p.addr(), p.len()), v))
                            .collect(),
                    )
                }
            }

            impl Map<$family> for PrefixTrie {
                fn insert(&mut self, p: Prefix<$family>, value: u32) {
                    self.0.insert((p.addr(), p.len()), value);
                }

                fn remove(&mut self, p: Prefix<$family>) {
                    self.0.remove(&(p.addr(), p.len()));
                }
            }

            impl Lookup<$family> for PrefixTrie {
                type Key = $addr;

                fn keys(keys: &Keys<$family>) -> &[$addr] {
                    &keys.host
                }

                #[inline(always)]
                fn one(&self, key: &$addr) -> u32 {
                    self.0
                        .get_lpm(&(*key, $addr::BITS as u8))
                        .map_or(0, |(_, &v)| v)
                }
            }

            /// The Patricia trie of `iptrie`, which can be changed.
            pub struct Patricia(RTrieMap<$prefix, u32>);

            impl Patricia {
                pub fn build(routes: &[(Prefix<$family>, u32)]) -> Self {
                    let mut all = Patricia(RTrieMap::with_root_and_capacity(0, routes.len() + 1));
                    for &(p, v) in routes {
                        all.insert(p, v);
                    }
                    all
                }

                /// The level-compressed trie, for lookups only.
                pub fn compress(self) -> LevelCompressed {
                    LevelCompressed(self.0.compress())
                }
            }

            fn prefix(p: Prefix<$family>) -> $prefix {
                $prefix::new(p.addr().into(), p.len()).expect("a length")
            }

            impl Map<$family> for Patricia {
                fn insert(&mut self, p: Prefix<$family>, value: u32) {
                    self.0.insert(prefix(p), value);
                }

                fn remove(&mut self, p: Prefix<$family>) {
                    // Its default route is always there.
                    if p.len() == 0 {
                        self.0.insert($prefix::root_(), 0);
                    } else {
                        self.0.remove(&prefix(p));
                    }
                }
            }

            /// The level-compressed trie of `iptrie`.
            pub struct LevelCompressed(LCTrieMap<$prefix, u32>);

            impl Lookup<$family> for LevelCompressed {
                type Key = $addr;

                fn keys(keys: &Keys<$family>) -> &[$addr] {
                    &keys.host
                }

                #[inline(always)]
                fn one(&self, key: &$addr) -> u32 {
                    *self.0.lookup(&$ip::from(*key)).1
                }
            }

            /// `poptrie`.
            pub struct Pop(Poptrie<($addr, u8), u32>);

            impl Pop {
                /// By its bulk build: to insert one by one moves all that follows.
                pub fn build(routes: &[(Prefix<$family>, u32)]) -> Self {
                    Pop(routes
                        .iter()
                        .map(|&(p, v)| ((p.addr(), p.len()), v))
                        .collect())
                }
            }

            impl Lookup<$family> for Pop {
                type Key = $addr;

                fn keys(keys: &Keys<$family>) -> &[$addr] {
                    &keys.host
                }

                #[inline(always)]
                fn one(&self, key: &$addr) -> u32 {
                    self.0.lookup(*key).map_or(0, |&v| v)
                }
            }
        }
    };
}

trait Root {
    fn root_() -> Self;
}

impl<P: iptrie::IpRootPrefix> Root for P {
    fn root_() -> Self {
        P::root()
    }
}

crates!(v4, V4, u32, Ipv4Addr, Ipv4Prefix);
crates!(v6, V6, u128, Ipv6Addr, Ipv6Prefix);
