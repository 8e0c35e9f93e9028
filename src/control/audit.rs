// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/audit`: what the last audit found.

use super::mismatches::Colons;
use super::routes::Dotted;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::seq;
use crate::verify::audit::Report;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

pub(crate) struct Audit;

impl seq::Page for Audit {
    fn print(net: &Net, out: &SeqFile) {
        let Some(ns) = net.value::<Namespace>() else {
            return;
        };
        let Some(report) = ns.verification().report() else {
            seq_print!(out, "no audit yet: write 1 to net.altfib.audit\n");
            return;
        };
        seq_print!(out, "differences: {}\n", report.differences);
        if report.differences != 0 {
            seq_print!(
                out,
                "first difference: {}\n",
                Dotted::of(report.first as u32)
            );
        }
        rest(&report, out);
        let Some(report) = ns.verification6().report() else {
            return;
        };
        seq_print!(out, "IPv6 differences: {}\n", report.differences);
        if report.differences != 0 {
            seq_print!(out, "first difference: {}\n", Colons(report.first));
        }
        rest(&report, out);
    }
}

fn rest(report: &Report, out: &SeqFile) {
    seq_print!(
        out,
        "routes: {} of the kernel, {} mirrored\n",
        report.kernel,
        report.mirrored
    );
    seq_print!(
        out,
        "addresses compared: {} ({} are the kernel's anyway, {} differed for a moment)\n",
        report.addresses,
        report.left,
        report.transient
    );
    seq_print!(
        out,
        "time: {}.{:03} ms, of these {}.{:03} ms with RTNL held\n",
        report.took_us / 1000,
        report.took_us % 1000,
        report.held_us / 1000,
        report.held_us % 1000
    );
    seq_print!(
        out,
        "ended at: {}.{:03} s\n",
        report.at / 1000,
        report.at % 1000
    );
}
