// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/routes`: the alternative FIB, as `route -n` prints the kernel's.

use crate::lpm::Prefix;
use crate::lpm::V4;
use crate::netns::Namespace;
use crate::sys::fib;
use crate::sys::net::Net;
use crate::sys::seq;
use kernel::fmt;
use kernel::prelude::*;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

/// An IPv4 address in dotted decimal, padded like any text.
pub(crate) struct Dotted(pub(crate) [u8; 4]);

impl Dotted {
    pub(crate) fn of(addr: u32) -> Self {
        Self(addr.to_be_bytes())
    }
}

impl fmt::Display for Dotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        let digits = |n: u8| match n {
            0..=9 => 1,
            10..=99 => 2,
            _ => 3,
        };
        let len = 3 + digits(a) + digits(b) + digits(c) + digits(d);
        f.write_fmt(fmt!("{}.{}.{}.{}", a, b, c, d))?;
        for _ in len..f.width().unwrap_or(0) {
            f.write_str(" ")?;
        }
        Ok(())
    }
}

fn mask(len: u8) -> u32 {
    u32::MAX
        .checked_shl(32u32.wrapping_sub(u32::from(len)))
        .unwrap_or(0)
}

/// The last prefix printed; `started` is 0 before the first line.
#[derive(Clone, Copy, Zeroable)]
pub(crate) struct Cursor {
    addr: u32,
    len: u8,
    started: u8,
}

pub(crate) struct Routes;

impl seq::Lines for Routes {
    type Cursor = Cursor;

    fn line(net: &Net, cursor: &mut Cursor, position: u64, out: &SeqFile) -> bool {
        let Some(ns) = net.value::<Namespace>() else {
            return false;
        };
        if position == 0 {
            seq_print!(
                out,
                "{:<15} {:<15} {:<15} {:<5} {:<6} {}\n",
                "Destination",
                "Gateway",
                "Genmask",
                "Flags",
                "Metric",
                "Iface"
            );
            return true;
        }
        let after = (cursor.started != 0)
            .then(|| Prefix::<V4>::new(cursor.addr, cursor.len))
            .flatten();
        ns.mirror()
            .with_routes(|routes, serving| {
                let (prefix, id) = routes.next_main(after)?;
                *cursor = Cursor {
                    addr: prefix.addr(),
                    len: prefix.len(),
                    started: 1,
                };
                if routes.nexthops().is_gone(serving.nexthops(), id) {
                    // The kernel has deleted it: no line.
                    return Some(());
                }
                routes
                    .nexthops()
                    .show_from(serving.nexthops(), id, |_, nh, w| {
                        let route = nh.describe(w);
                        let reject = nh.route_type() != fib::RTN_UNICAST
                            && nh.route_type() != fib::RTN_LOCAL;
                        let gateway = route.gateway() != [0; 4] || route.has_ipv6_gateway();
                        let mut flags = [0u8; 4];
                        let mut n = 0;
                        // U, G, H and ! as in route(8).
                        for (set, letter) in [
                            (!reject, b'U'),
                            (gateway, b'G'),
                            (prefix.len() == 32, b'H'),
                            (reject, b'!'),
                        ] {
                            if let Some(slot) = flags.get_mut(n).filter(|_| set) {
                                *slot = letter;
                                n += 1;
                            }
                        }
                        let flags = core::str::from_utf8(flags.get(..n).unwrap_or(&[]));
                        seq_print!(
                            out,
                            "{:<15} {:<15} {:<15} {:<5} {:<6} {}\n",
                            Dotted::of(prefix.addr()),
                            Dotted(route.gateway()),
                            Dotted::of(mask(prefix.len())),
                            flags.unwrap_or("?"),
                            route.metric(),
                            route.device()
                        );
                    })
            })
            .flatten()
            .is_some()
    }
}
