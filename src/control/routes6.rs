// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/routes6`: the alternative FIB, as `route -A inet6 -n` prints the kernel's.
//!
//! Local and main table, as there, the main one first.

use super::mismatches::Colons;
use crate::lpm::Prefix;
use crate::lpm::V6;
use crate::mirror::tables::Which;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::seq;
use kernel::fmt;
use kernel::prelude::*;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

/// RTF_REJECT, RTF_DYNAMIC, RTF_MODIFIED, RTF_ADDRCONF, RTF_DEFAULT.
const LETTERS: [(u32, &str); 5] = [
    (0x0200, "!"),
    (0x0010, "D"),
    (0x0020, "M"),
    (0x0004_0000, "A"),
    (0x0001_0000, "d"),
];

/// `addr/len`.
struct Shown(Prefix<V6>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("{}/{}", Colons(self.0.addr()), self.0.len()))
    }
}

/// The last prefix printed, its upper and its lower half.
#[derive(Clone, Copy, Zeroable)]
pub(crate) struct Cursor {
    addr: [u64; 2],
    len: u8,
    started: u8,
    in_local: u8,
}

pub(crate) struct Routes6;

impl seq::Lines for Routes6 {
    type Cursor = Cursor;

    fn line(net: &Net, cursor: &mut Cursor, position: u64, out: &SeqFile) -> bool {
        let Some(ns) = net.value::<Namespace>() else {
            return false;
        };
        if position == 0 {
            seq_print!(out, "Destination Next-Hop Flags Metric Paths Iface\n");
            return true;
        }
        ns.ipv6()
            .mirror()
            .with_routes(|routes, serving| {
                let mut after = (cursor.started != 0)
                    .then(|| {
                        let addr = u128::from(cursor.addr[0]) << 64 | u128::from(cursor.addr[1]);
                        Prefix::<V6>::new(addr, cursor.len)
                    })
                    .flatten();
                let mut found = None;
                if cursor.in_local == 0 {
                    found = routes.next(Which::Main, after);
                    if found.is_none() {
                        cursor.in_local = 1;
                        after = None;
                    }
                }
                let (prefix, id) = match found {
                    Some(found) => found,
                    None => routes.next(Which::Local, after)?,
                };
                cursor.addr = [(prefix.addr() >> 64) as u64, prefix.addr() as u64];
                cursor.len = prefix.len();
                cursor.started = 1;
                let route = serving.routes().get(id)?.describe();
                seq_print!(out, "{} {} U", Shown(prefix), Colons(route.gateway()));
                if route.gateway() != 0 {
                    seq_print!(out, "G");
                }
                if prefix.len() == 128 {
                    seq_print!(out, "H");
                }
                for (flag, letter) in LETTERS {
                    if route.flags() & flag != 0 {
                        seq_print!(out, "{}", letter);
                    }
                }
                seq_print!(
                    out,
                    " {} {} {}\n",
                    route.metric(),
                    route.paths(),
                    route.device()
                );
                Some(())
            })
            .flatten()
            .is_some()
    }
}
