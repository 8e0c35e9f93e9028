// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/nexthops`: each next hop with the state of its cached dst.

use super::routes::Dotted;
use crate::netns::Namespace;
use crate::sys::fib;
use crate::sys::net::Net;
use crate::sys::nexthop::Slot;
use crate::sys::seq;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

fn type_name(route_type: u8) -> &'static str {
    match route_type {
        fib::RTN_UNICAST => "unicast",
        fib::RTN_LOCAL => "local",
        3 => "broadcast",
        4 => "anycast",
        5 => "multicast",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        9 => "throw",
        _ => "other",
    }
}

pub(crate) struct NextHops;

impl seq::Lines for NextHops {
    /// The number of the next hop that was printed last.
    type Cursor = u32;

    fn line(net: &Net, cursor: &mut u32, position: u64, out: &SeqFile) -> bool {
        let Some(ns) = net.value::<Namespace>() else {
            return false;
        };
        if position == 0 {
            seq_print!(
                out,
                "{:<7} {:<15} {:<15} {:<11} {:<6} {:<9} {}\n",
                "Id",
                "Gateway",
                "Iface",
                "Type",
                "Paths",
                "Prefixes",
                "Dst"
            );
            return true;
        }
        let from = cursor.wrapping_add(1);
        ns.mirror()
            .with_routes(|routes, serving| {
                routes
                    .nexthops()
                    .show_from(serving.nexthops(), from, |id, nh, w| {
                        *cursor = id;
                        let route = nh.describe(w);
                        let dst = match nh.slot(net) {
                            Slot::Empty => "empty",
                            Slot::Stale => "stale",
                            Slot::Cached => "cached",
                        };
                        seq_print!(
                            out,
                            "{:<7} {:<15} {:<15} {:<11} {:<6} {:<9} {}\n",
                            id,
                            Dotted(route.gateway()),
                            route.device(),
                            type_name(nh.route_type()),
                            route.paths(),
                            nh.prefixes(w),
                            dst
                        );
                    })
            })
            .flatten()
            .is_some()
    }
}
