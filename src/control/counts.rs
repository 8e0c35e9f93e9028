// SPDX-License-Identifier: GPL-2.0

//! The counters of a namespace.
//!
//! A packet counts once, under its [`Outcome`]; sums over outcomes are made when somebody reads.
//! What is not a packet counts under a [`Count`].

use crate::sys::counters::Counters;
use crate::sys::counters::Cpu;
use crate::sys::outcome::Outcome;
use kernel::prelude::*;

/// What is counted beside the outcomes of packets.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Count {
    /// A slot took a dst of the kernel's.
    DstFill,
    /// A slot's dst turned out outdated.
    DstStale,
    /// A slot was emptied because its device changed.
    DropDevice,
    /// A slot was emptied because its last route went.
    DropFib,
    /// A slot was emptied because its path came or went.
    DropNexthop,
    /// A prefix was added.
    RouteAdd,
    /// A prefix got another first route.
    RouteReplace,
    /// A prefix went.
    RouteDelete,
    /// The mirror was loaded.
    Resync,
    /// A forwarded packet went where altfib would have sent it.
    VerifyForward,
    /// A packet went by that of several paths that altfib would have chosen.
    VerifyMember,
    /// A packet for this host went where altfib would have sent it.
    VerifyLocal,
    /// A difference that was still there when it was looked at again.
    Mismatch,
    /// Of these, packets that the kernel drops.
    MismatchDrop,
    /// A difference that was not.
    Transient,
    /// A change could not be followed.
    OutOfMemory,
    /// A lookup of the kernel's own was answered; this one and the next six in the order of
    /// `enum altfib_lookup`.
    LookupAnswered,
    /// One was compared with the kernel's answer, and was the same.
    LookupChecked,
    /// One was the kernel's, and told where it keeps the prefix.
    LookupLearned,
    /// One was the kernel's.
    LookupLeft,
    /// A socket had its last route again.
    SocketHit,
    /// One was compared with the kernel's answer, and was the same.
    SocketChecked,
    /// One was the kernel's.
    SocketMiss,
    /// One was another than the kernel's.
    SocketMismatch,
    /// One differed, and did so again.
    LookupMismatch,
    /// One differed, and then did not.
    LookupTransient,
    /// A flow was known; this one and the next eighteen in the order of `enum altfib_cached`.
    CacheHit,
    /// None was, or none that still held.
    CacheMiss,
    /// Another flow was passed on the way.
    CacheSearch,
    /// A decision was such that it may not be kept.
    CacheUncached,
    /// A flow was kept.
    CacheInsert,
    /// One went for another one.
    CacheEvict,
    /// One went that did not hold any more.
    CacheStale,
    /// One went that was not used.
    CacheAge,
    /// One went with all others.
    CacheFlush,
    /// There were more than `gc_thresh` when one came.
    CacheGcTotal,
    /// And a collection had been asked for before.
    CacheGcIgnored,
    /// A collection did not get there.
    CacheGcGoalMiss,
    /// A collection.
    CacheGcRun,
    /// One was not kept for want of room.
    CacheOverflow,
    /// The neighbour of one that was kept was known.
    CacheNeighbour,
    /// And was not.
    CacheNoNeighbour,
    /// A flow of the host's own was known.
    CacheOutHit,
    /// And was compared with the kernel's answer, and was the same.
    CacheOutChecked,
    /// None was, or none that still held.
    CacheOutMiss,
    /// The decision of a flow was compared with the kernel's.
    VerifyCached,
    /// A packet was forwarded from PRE_ROUTING; this one and the next eleven in the order of
    /// `enum altfib_fast`.
    Fast,
    /// One was not, since somebody listens.
    FastHooks,
    /// Since there are IPsec policies.
    FastXfrm,
    /// For the kind of its route.
    FastDst,
    /// For the settings of the namespace or the device.
    FastConfig,
    /// For what it is.
    FastPacket,
    /// Since it ends here.
    FastTtl,
    /// Since a redirect may be due.
    FastRedirect,
    /// For its source.
    FastSource,
    /// For its length.
    FastMtu,
    /// Since it has no neighbour yet.
    FastNeighbour,
    /// For want of memory.
    FastMemory,
    /// How many there are.
    End,
}

impl Count {
    /// The counter of the first of those for packets that could be forwarded from PRE_ROUTING.
    pub(crate) const FAST: u32 = Outcome::COUNT + Count::Fast as u32;

    /// Its counter.
    pub(crate) fn number(self) -> u32 {
        Outcome::COUNT.wrapping_add(self as u32)
    }
}

pub(crate) const N: usize = (Outcome::COUNT + Count::End as u32) as usize;

/// The counters of one namespace.
pub(crate) struct Counts(Counters<N>);

impl Counts {
    /// Counts nothing before [`Counts::allocate`].
    pub(crate) const fn new() -> Self {
        Self(Counters::new())
    }

    /// Makes room, once. Calls are serialised.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn allocate(&self) -> Result {
        self.0.allocate()
    }

    /// The counters themselves, for who counts without us.
    pub(crate) fn raw(&self) -> &Counters<N> {
        &self.0
    }

    /// One packet.
    #[inline]
    pub(crate) fn packet(&self, outcome: Outcome) {
        self.0.count_packet(outcome.number());
    }

    /// One of something else.
    pub(crate) fn count(&self, what: Count) {
        self.0.count(what.number());
    }

    /// Several of something else.
    pub(crate) fn add(&self, what: Count, n: u64) {
        if n != 0 {
            self.0.add(what.number(), n);
        }
    }

    /// Packets with this outcome, on one CPU or on all.
    pub(crate) fn packets(&self, outcome: Outcome, cpu: Option<Cpu>) -> u64 {
        self.get(outcome.number(), cpu)
    }

    /// How many of something else, on one CPU or on all.
    pub(crate) fn read(&self, what: Count, cpu: Option<Cpu>) -> u64 {
        self.get(what.number(), cpu)
    }

    fn get(&self, i: u32, cpu: Option<Cpu>) -> u64 {
        match cpu {
            Some(cpu) => self.0.on(i, cpu),
            None => self.0.sum(i),
        }
    }
}
