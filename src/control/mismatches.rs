// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/mismatches`: the last packets about which altfib and the kernel did not agree.

use super::routes::Dotted;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::packet::Answer;
use crate::sys::packet::Difference;
use crate::sys::packet6::Answer6;
use crate::sys::packet6::Difference6;
use crate::sys::seq;
use kernel::fmt;
use kernel::prelude::*;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

/// An answer, for people: `via 10.0.0.1 dev 3 type 1`, or `dropped (reason 17)`.
struct Shown<'a>(Answer<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.drop_reason() != 0 {
            return f.write_fmt(fmt!("dropped (reason {})", self.0.drop_reason()));
        }
        f.write_fmt(fmt!(
            "via {} dev {} type {}",
            Dotted(self.0.gateway()),
            self.0.ifindex(),
            self.0.route_type()
        ))
    }
}

/// A difference, for people, in one line.
pub(crate) struct Line<'a>(pub(crate) &'a Difference);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (daddr, saddr) = self.0.addresses();
        f.write_fmt(fmt!(
            "from {} to {} on dev {}: altfib {}, kernel {}",
            Dotted(saddr),
            Dotted(daddr),
            self.0.iif(),
            Shown(self.0.ours()),
            Shown(self.0.kernels())
        ))
    }
}

/// An IPv6 address. Groups of zeros are left out as RFC 5952 wants it: the longest run, the first of
/// equal ones, two groups at least.
pub(crate) struct Colons(pub(crate) u128);

impl fmt::Display for Colons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(&core::net::Ipv6Addr::from_bits(self.0), f)
    }
}

struct Shown6<'a>(Answer6<'a>);

impl fmt::Display for Shown6<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.error() != 0 {
            return f.write_fmt(fmt!("rejected (error {})", self.0.error()));
        }
        f.write_fmt(fmt!(
            "via {} dev {}",
            Colons(self.0.gateway()),
            self.0.ifindex()
        ))
    }
}

/// A difference in IPv6, for people, in one line.
pub(crate) struct Line6<'a>(pub(crate) &'a Difference6);

impl fmt::Display for Line6<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (daddr, saddr) = self.0.addresses();
        f.write_fmt(fmt!(
            "from {} to {} on dev {}: altfib {}, kernel {}",
            Colons(saddr),
            Colons(daddr),
            self.0.iif(),
            Shown6(self.0.ours()),
            Shown6(self.0.kernels())
        ))
    }
}

pub(crate) struct Mismatches;

impl seq::Lines for Mismatches {
    type Cursor = u32;

    fn line(net: &Net, cursor: &mut u32, _position: u64, out: &SeqFile) -> bool {
        let Some(ns) = net.value::<Namespace>() else {
            return false;
        };
        let at = *cursor as usize;
        *cursor = cursor.wrapping_add(1);
        // IPv4 first, then IPv6.
        if let Some(mismatch) = ns.verification().kept(at) {
            let ms = mismatch.at;
            let line = Line(&mismatch.difference);
            seq_print!(out, "{}.{:03} {}\n", ms / 1000, ms % 1000, line);
            return true;
        }
        let mut before = 0usize;
        while before < at && ns.verification().kept(before).is_some() {
            before = before.wrapping_add(1);
        }
        let Some(mismatch) = ns.verification6().kept(at.wrapping_sub(before)) else {
            return false;
        };
        let ms = mismatch.at;
        let line = Line6(&mismatch.difference);
        seq_print!(out, "{}.{:03} {}\n", ms / 1000, ms % 1000, line);
        true
    }
}
