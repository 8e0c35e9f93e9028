// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/stat/altfib` and `altfib6`: what `lnstat -f altfib` reads, in the manner of the old
//! `rt_cache`; and `altfib_cache` and `altfib6_cache`, of what is cached of flows, whose first names are
//! that file's.
//!
//! A line of names, then one line of hexadecimal values for each CPU. `lnstat` takes at most 32
//! fields and adds up all but the first, so sizes stand on the first CPU's line only.

use super::counts::Count;
use super::punts::Group;
use super::punts::FAST_REASONS;
use super::punts::REASONS;
use super::Shown;
use crate::netns::Namespace;
use crate::sys::counters::cpus;
use crate::sys::counters::Cpu;
use crate::sys::net::Net;
use crate::sys::outcome::Outcome;
use crate::sys::seq;
use core::marker::PhantomData;
use kernel::prelude::*;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

pub(crate) enum Field {
    /// Routes; the same on every line, as `lnstat` expects of the first field.
    Entries,
    /// Packets that got as far as a lookup.
    Lookup,
    Packets(Outcome),
    Punts(Group),
    Count(Count),
    /// Packets that the fast path left to the stack.
    FastLeft,
    /// Flows; the same on every line.
    Flows,
    /// Cached dsts that answered.
    DstHit,
    Memory,
}

pub(crate) const FIELDS: &[(&str, Field)] = &[
    ("entries", Field::Entries),
    ("lookup", Field::Lookup),
    ("forward", Field::Packets(Outcome::FORWARD)),
    ("local", Field::Packets(Outcome::LOCAL)),
    ("early_demux", Field::Packets(Outcome::EARLY_DEMUX)),
    ("punt_state", Field::Punts(Group::State)),
    ("punt_packet", Field::Punts(Group::Packet)),
    ("punt_config", Field::Punts(Group::Config)),
    ("punt_route", Field::Punts(Group::Route)),
    ("punt_source", Field::Punts(Group::Source)),
    ("punt_nexthop", Field::Punts(Group::NextHop)),
    ("dst_hit", Field::DstHit),
    ("dst_fill", Field::Count(Count::DstFill)),
    ("dst_stale", Field::Count(Count::DstStale)),
    ("dst_drop_dev", Field::Count(Count::DropDevice)),
    ("dst_drop_fib", Field::Count(Count::DropFib)),
    ("dst_drop_nh", Field::Count(Count::DropNexthop)),
    ("route_add", Field::Count(Count::RouteAdd)),
    ("route_replace", Field::Count(Count::RouteReplace)),
    ("route_del", Field::Count(Count::RouteDelete)),
    ("resync", Field::Count(Count::Resync)),
    ("oom", Field::Count(Count::OutOfMemory)),
    ("verified", Field::Packets(Outcome::VERIFIED)),
    ("mismatch", Field::Count(Count::Mismatch)),
    ("transient", Field::Count(Count::Transient)),
    ("memory_kb", Field::Memory),
    ("fast", Field::Count(Count::Fast)),
    ("fast_left", Field::FastLeft),
];

fn punts<F: Shown>(ns: &Namespace, group: Group, cpu: Cpu) -> u64 {
    REASONS
        .iter()
        .filter(|reason| reason.group == group)
        .map(|reason| F::counts(ns).packets(reason.outcome, Some(cpu)))
        .fold(0, u64::wrapping_add)
}

fn value<F: Shown>(ns: &Namespace, field: &Field, cpu: Cpu) -> u64 {
    let counts = F::counts(ns);
    let packets = |outcome| counts.packets(outcome, Some(cpu));
    let first = cpu.number() == 0;
    match field {
        Field::Entries => {
            let sizes = F::sizes(ns);
            (sizes.main as u64).wrapping_add(sizes.local as u64)
        }
        Field::Lookup => [
            Outcome::FORWARD,
            Outcome::LOCAL,
            Outcome::VERIFIED,
            Outcome::EARLY_DEMUX,
            Outcome::BUSY,
            Outcome::NOT_FORWARDING,
        ]
        .into_iter()
        .map(packets)
        .fold(0, u64::wrapping_add)
        .wrapping_add(punts::<F>(ns, Group::Route, cpu))
        .wrapping_add(punts::<F>(ns, Group::Source, cpu))
        .wrapping_add(punts::<F>(ns, Group::NextHop, cpu)),
        Field::Packets(outcome) => packets(*outcome),
        Field::Punts(group) => punts::<F>(ns, *group, cpu),
        Field::Count(what) => counts.read(*what, Some(cpu)),
        Field::FastLeft => FAST_REASONS
            .iter()
            .map(|reason| counts.read(reason.count, Some(cpu)))
            .fold(0, u64::wrapping_add),
        Field::Flows => F::flows(ns).into(),
        Field::DstHit => packets(Outcome::FORWARD)
            .wrapping_add(packets(Outcome::LOCAL))
            .saturating_sub(counts.read(Count::DstFill, Some(cpu))),
        Field::Memory if first => (F::sizes(ns).memory / 1024) as u64,
        Field::Memory => 0,
    }
}

/// The names of `rt_cache`, as far as they are true here, and then our own.
pub(crate) const CACHE_FIELDS: &[(&str, Field)] = &[
    ("entries", Field::Flows),
    ("in_hit", Field::Count(Count::CacheHit)),
    ("in_slow_tot", Field::Count(Count::CacheMiss)),
    ("out_hit", Field::Count(Count::CacheOutHit)),
    ("out_slow_tot", Field::Count(Count::CacheOutMiss)),
    ("gc_total", Field::Count(Count::CacheGcTotal)),
    ("gc_ignored", Field::Count(Count::CacheGcIgnored)),
    ("gc_goal_miss", Field::Count(Count::CacheGcGoalMiss)),
    ("gc_dst_overflow", Field::Count(Count::CacheOverflow)),
    ("in_hlist_search", Field::Count(Count::CacheSearch)),
    ("insert", Field::Count(Count::CacheInsert)),
    ("uncached", Field::Count(Count::CacheUncached)),
    ("evict", Field::Count(Count::CacheEvict)),
    ("stale", Field::Count(Count::CacheStale)),
    ("age", Field::Count(Count::CacheAge)),
    ("flush", Field::Count(Count::CacheFlush)),
    ("gc_run", Field::Count(Count::CacheGcRun)),
    ("verified", Field::Count(Count::VerifyCached)),
    ("out_verified", Field::Count(Count::CacheOutChecked)),
    ("neighbour", Field::Count(Count::CacheNeighbour)),
    ("no_neighbour", Field::Count(Count::CacheNoNeighbour)),
];

/// What becomes of the host's own lookups, with `net.altfib.output`: in `status`, and by netlink.
pub(crate) const OUTPUT_FIELDS: &[(&str, Field)] = &[
    ("lookup_answered", Field::Count(Count::LookupAnswered)),
    ("lookup_verified", Field::Count(Count::LookupChecked)),
    ("lookup_learned", Field::Count(Count::LookupLearned)),
    ("lookup_left", Field::Count(Count::LookupLeft)),
    ("lookup_mismatch", Field::Count(Count::LookupMismatch)),
    ("lookup_transient", Field::Count(Count::LookupTransient)),
    ("socket_hit", Field::Count(Count::SocketHit)),
    ("socket_verified", Field::Count(Count::SocketChecked)),
    ("socket_miss", Field::Count(Count::SocketMiss)),
    ("socket_mismatch", Field::Count(Count::SocketMismatch)),
];

/// Each name with its value over all CPUs.
pub(crate) fn totals<F: Shown>(
    fields: &[(&str, Field)],
    ns: &Namespace,
    mut f: impl FnMut(&str, u64) -> Result,
) -> Result {
    for (name, field) in fields {
        let all = match field {
            // The same on every line.
            Field::Entries | Field::Flows => {
                cpus().take(1).map(|cpu| value::<F>(ns, field, cpu)).sum()
            }
            _ => cpus()
                .map(|cpu| value::<F>(ns, field, cpu))
                .fold(0, u64::wrapping_add),
        };
        f(name, all)?;
    }
    Ok(())
}

pub(crate) struct Stat<F>(PhantomData<F>);

impl<F: Shown> seq::Lines for Stat<F> {
    /// The number of the next CPU plus one; 0 for the line of names.
    type Cursor = c_int;

    fn line(net: &Net, cursor: &mut c_int, _position: u64, out: &SeqFile) -> bool {
        line::<F>(FIELDS, net, cursor, out)
    }
}

pub(crate) struct CacheStat<F>(PhantomData<F>);

impl<F: Shown> seq::Lines for CacheStat<F> {
    /// As of [`Stat`].
    type Cursor = c_int;

    fn line(net: &Net, cursor: &mut c_int, _position: u64, out: &SeqFile) -> bool {
        line::<F>(CACHE_FIELDS, net, cursor, out)
    }
}

fn line<F: Shown>(fields: &[(&str, Field)], net: &Net, cursor: &mut c_int, out: &SeqFile) -> bool {
    let Some(ns) = net.value::<Namespace>() else {
        return false;
    };
    let mut gap = "";
    if *cursor == 0 {
        for (name, _) in fields {
            seq_print!(out, "{}{}", gap, name);
            gap = " ";
        }
        *cursor = 1;
    } else {
        let Some(cpu) = Cpu::from(cursor.wrapping_sub(1)) else {
            return false;
        };
        for (_, field) in fields {
            // As wide as the old rt_cache: lnstat reads 32 bits.
            seq_print!(out, "{}{:08x}", gap, value::<F>(ns, field, cpu) as u32);
            gap = " ";
        }
        *cursor = cpu.number().wrapping_add(2);
    }
    seq_print!(out, "\n");
    true
}
