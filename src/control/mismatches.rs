// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/mismatches`: the last packets about which altfib and the kernel did not agree.

use super::routes::Dotted;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::packet::Answer;
use crate::sys::packet::Difference;
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

pub(crate) struct Mismatches;

impl seq::Lines for Mismatches {
    type Cursor = u32;

    fn line(net: &Net, cursor: &mut u32, _position: u64, out: &SeqFile) -> bool {
        let kept = net
            .value::<Namespace>()
            .and_then(|ns| ns.verification().kept(*cursor as usize));
        let Some(mismatch) = kept else {
            return false;
        };
        seq_print!(
            out,
            "{}.{:03} {}\n",
            mismatch.at / 1000,
            mismatch.at % 1000,
            Line(&mismatch.difference)
        );
        *cursor = cursor.wrapping_add(1);
        true
    }
}
