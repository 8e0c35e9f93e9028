// SPDX-License-Identifier: GPL-2.0

//! The table alone, for `make bench`: an address in, the record of its next hop out.

use crate::mirror::ipv4;
use crate::mirror::ipv6;
use crate::netns::Namespace;
use crate::sys::bench::bench_entries;
use crate::sys::bench::Lookup;
use crate::sys::nexthop::NextHop;
use crate::sys::rcu::ReadSide;
use crate::sys::route6::Route6;
use kernel::prelude::*;

bench_entries!(Namespace);

impl Lookup for Namespace {
    #[inline]
    fn nexthop<'a>(&'a self, addr: u32, rcu: ReadSide<'a>) -> Option<&'a NextHop> {
        match self.mirror().serving(rcu)?.lookup(addr) {
            ipv4::Match::NextHop(nh) => Some(nh),
            _ => None,
        }
    }

    #[inline]
    fn route6<'a>(&'a self, addr: u128, rcu: ReadSide<'a>) -> Option<&'a Route6> {
        match self.ipv6().mirror().serving(rcu)?.lookup(addr) {
            ipv6::Match::Route(route) => Some(route),
            _ => None,
        }
    }
}
