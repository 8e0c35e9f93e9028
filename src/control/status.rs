// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/status`: "is it working?" in ten lines.

use super::counts::Count;
use super::counts::Counts;
use super::punts::FastReason;
use super::punts::Reason;
use super::punts::FAST_REASONS;
use super::punts::REASONS;
use super::settings::OutputMode;
use super::Shown;
use crate::cache::Strategy;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::net::Net;
use crate::sys::outcome::Outcome;
use crate::sys::seq;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

/// How many punt reasons are named.
const LARGEST: usize = 3;

pub(crate) struct Status;

impl seq::Page for Status {
    fn print(net: &Net, out: &SeqFile) {
        let Some(ns) = net.value::<Namespace>() else {
            return;
        };
        let counts = ns.counts();
        let sizes = ns.mirror().sizes();
        match ns.why_not() {
            None => seq_print!(out, "serving: yes\n"),
            Some(why) => seq_print!(out, "serving: no ({})\n", why.text()),
        }
        seq_print!(out, "mode: {}\n", ns.settings().mode().name());
        seq_print!(
            out,
            "routes: {} (main {}, local {}",
            sizes
                .main
                .saturating_add(sizes.local)
                .saturating_add(sizes.others),
            sizes.main,
            sizes.local
        );
        if sizes.tables != 0 {
            seq_print!(out, ", {} in {} others", sizes.others, sizes.tables);
        }
        seq_print!(out, ")\n");
        seq_print!(out, "nexthops: {}\n", sizes.nexthops);
        match ns.mirror().in_sync_since() {
            Some(ms) => seq_print!(out, "in sync since: {}.{:03} s\n", ms / 1000, ms % 1000),
            None => seq_print!(out, "in sync since: not in sync\n"),
        }
        seq_print!(
            out,
            "loads: {}, lost events: {}\n",
            counts.read(Count::Resync, None),
            counts.read(Count::OutOfMemory, None)
        );
        if let Some(why) = ns.mirror().ended() {
            seq_print!(out, "service ended last because: {}\n", why.text());
        }
        let changes = [Count::RouteAdd, Count::RouteReplace, Count::RouteDelete]
            .map(|kind| counts.read(kind, None));
        seq_print!(
            out,
            "changes followed: {} ({} added, {} replaced, {} deleted)\n",
            changes.iter().fold(0, |sum, &n| u64::wrapping_add(sum, n)),
            changes[0],
            changes[1],
            changes[2]
        );
        if !sizes.algorithm.is_empty() {
            seq_print!(
                out,
                "algorithm: {} (local {}), lookups touch {} KiB, built in {}.{:03} ms\n",
                sizes.algorithm,
                sizes.local_algorithm,
                sizes.touched.div_ceil(1024),
                sizes.built_us / 1000,
                sizes.built_us % 1000
            );
        }
        seq_print!(
            out,
            "memory: {} KiB of {}\n",
            sizes.memory.div_ceil(1024),
            ns.settings().memory_max_kb()
        );

        packets(counts, out, "");
        fast(ns, counts, out, "");
        flows::<Ipv4>(ns, out, "");
        lookups(ns, counts, sizes.leaves, out, "");
        let side = ns.ipv6();
        let sizes = side.mirror().sizes();
        match side.why_not() {
            None => seq_print!(out, "IPv6 serving: yes\n"),
            Some(why) => seq_print!(out, "IPv6 serving: no ({})\n", why.text()),
        }
        seq_print!(
            out,
            "IPv6 routes: {} (main {}, local {}, {} in {} others)\n",
            sizes.prefixes(),
            sizes.main,
            sizes.local,
            sizes.others,
            sizes.tables
        );
        seq_print!(
            out,
            "IPv6 loads: {}, lost events: {}\n",
            side.counts().read(Count::Resync, None),
            side.counts().read(Count::OutOfMemory, None)
        );
        if let Some(why) = side.mirror().ended() {
            seq_print!(out, "IPv6 service ended last because: {}\n", why.text());
        }
        if !sizes.algorithm.is_empty() {
            seq_print!(
                out,
                "IPv6 algorithm: {} (local {}), lookups touch {} KiB, built in {}.{:03} ms\n",
                sizes.algorithm,
                sizes.local_algorithm,
                sizes.touched.div_ceil(1024),
                sizes.built_us / 1000,
                sizes.built_us % 1000
            );
        }
        seq_print!(
            out,
            "IPv6 memory: {} KiB of {}\n",
            sizes.memory.div_ceil(1024),
            ns.settings().memory_max_kb()
        );
        packets(side.counts(), out, "IPv6 ");
        fast(ns, side.counts(), out, "IPv6 ");
        flows::<Ipv6>(ns, out, "IPv6 ");
        lookups(ns, side.counts(), sizes.leaves, out, "IPv6 ");
    }
}

/// Packets that were forwarded from PRE_ROUTING, and why others were not.
fn fast(ns: &Namespace, counts: &Counts, out: &SeqFile, family: &str) {
    let on = ns.settings().fastpath();
    let sent = counts.read(Count::Fast, None);
    let left = |reason: &FastReason| counts.read(reason.count, None);
    if !on && sent == 0 && FAST_REASONS.iter().all(|reason| left(reason) == 0) {
        return;
    }
    seq_print!(
        out,
        "{}fastpath: {}, {} packets",
        family,
        if on { "on" } else { "off" },
        sent
    );
    let mut text = "; through the stack:";
    for reason in FAST_REASONS.iter().filter(|reason| left(reason) != 0) {
        seq_print!(out, "{} {} {}", text, left(reason), reason.name);
        text = ",";
    }
    seq_print!(out, "\n");
}

/// Where the routes of packets are found again, and what became of flows.
fn flows<F: Shown>(ns: &Namespace, out: &SeqFile, family: &str) {
    let cache = ns.settings().cache();
    let read = |what| F::counts(ns).read(what, None);
    if cache == Strategy::NextHop && read(Count::CacheMiss) == 0 {
        return;
    }
    seq_print!(out, "{}cache: {}", family, cache.name());
    if cache != Strategy::None || read(Count::CacheMiss) != 0 {
        let removed = [Count::CacheStale, Count::CacheAge, Count::CacheFlush].map(read);
        seq_print!(
            out,
            ", {} flows of {}, {} hits, {} misses, {} inserts, {} evictions, {} removed otherwise; \
                 {} collections, {} without room\n",
            F::flows(ns),
            ns.settings().limits().max_size,
            read(Count::CacheHit),
            read(Count::CacheMiss),
            read(Count::CacheInsert),
            read(Count::CacheEvict),
            removed
                .iter()
                .fold(0, |sum, &n| u64::wrapping_add(sum, n)),
            read(Count::CacheGcRun),
            read(Count::CacheOverflow)
        );
    } else {
        seq_print!(out, "\n");
    }
}

/// What became of the host's own lookups in the main table of a family.
fn lookups(ns: &Namespace, counts: &Counts, leaves: usize, out: &SeqFile, family: &str) {
    let output = ns.settings().output();
    let read = |what| counts.read(what, None);
    // A namespace that verifies answers none, and one that has differed is off.
    if output == OutputMode::Off
        && read(Count::LookupAnswered) == 0
        && read(Count::LookupChecked) == 0
        && read(Count::LookupMismatch) == 0
    {
        return;
    }
    seq_print!(
        out,
        "{}output: {}, {} lookups answered, {} compared, {} learned, {} left to the kernel; \
             {} mismatches, {} transient; {} KiB\n",
        family,
        output.name(),
        read(Count::LookupAnswered),
        read(Count::LookupChecked),
        read(Count::LookupLearned),
        read(Count::LookupLeft),
        read(Count::LookupMismatch),
        read(Count::LookupTransient),
        leaves.div_ceil(1024)
    );
    if output == OutputMode::Socket
        || read(Count::SocketHit) != 0
        || read(Count::SocketChecked) != 0
        || read(Count::SocketMismatch) != 0
    {
        seq_print!(
            out,
            "{}sockets: {} had their last route, {} compared, {} asked the kernel; {} mismatches\n",
            family,
            read(Count::SocketHit),
            read(Count::SocketChecked),
            read(Count::SocketMiss),
            read(Count::SocketMismatch)
        );
    }
}

/// What became of the packets of a family.
fn packets(counts: &Counts, out: &SeqFile, family: &str) {
    let attached = counts
        .packets(Outcome::FORWARD, None)
        .wrapping_add(counts.packets(Outcome::LOCAL, None))
        .wrapping_add(counts.packets(Outcome::VERIFIED, None));
    let punts = |reason: &Reason| counts.packets(reason.outcome, None);
    let eligible = REASONS
        .iter()
        .filter(|reason| reason.eligible)
        .map(punts)
        .fold(attached, u64::wrapping_add);
    // In hundredths of a per cent, rounded down: 100 % means all of them.
    let share = attached
        .saturating_mul(10_000)
        .checked_div(eligible)
        .unwrap_or(0);
    seq_print!(
        out,
        "{}attached: {} of {} unicast packets ({}.{:02} %)\n",
        family,
        attached,
        eligible,
        share / 100,
        share % 100
    );

    seq_print!(
        out,
        "{}verified: {} forwarded, {} by one of several paths, {} to this host; \
             {} mismatches, {} of them dropped, {} transient\n",
        family,
        counts.read(Count::VerifyForward, None),
        counts.read(Count::VerifyMember, None),
        counts.read(Count::VerifyLocal, None),
        counts.read(Count::Mismatch, None),
        counts.read(Count::MismatchDrop, None),
        counts.read(Count::Transient, None)
    );

    // The largest reasons, each below the one before; equal ones in the table's order.
    let mut last = (u64::MAX, 0);
    for _ in 0..LARGEST {
        let next = REASONS
            .iter()
            .enumerate()
            .map(|(i, reason)| (punts(reason), i, reason))
            .filter(|&(n, i, _)| n != 0 && (n < last.0 || n == last.0 && i > last.1))
            .max_by_key(|&(n, i, _)| (n, core::cmp::Reverse(i)));
        let Some((n, i, reason)) = next else { break };
        seq_print!(
            out,
            "{}punted: {} {} ({})\n",
            family,
            n,
            reason.name,
            reason.cause
        );
        last = (n, i);
    }
}
