// SPDX-License-Identifier: GPL-2.0

//! Next hops: one record for each `fib_info` that a mirrored prefix uses.
//!
//! A record's identity is the kernel's object and never its gateway and device, because what the
//! kernel caches belongs to the object. It is found in two ways: by its number, which is what the
//! tables store and readers follow under RCU, and by its `fib_info`, which is what the FIB
//! notifier brings.
//!
//! The record holds one reference on the `fib_info`, given back in the very FIB event that takes
//! its last prefix away, and the slot holds one on its cached dst. Neither pins a device: the dst
//! stands on the kernel's own lists, and the `fib_info` is gone before its device is.
//!
//! A device that goes takes all its prefixes along, with RTNL held. Then the record is unbound just
//! so, but the prefixes stay in the tables for a while: a lookup that meets an unbound record leaves
//! the packet to the kernel.
//!
//! Numbers are used again only after a grace period, so a reader that still has one from the
//! tables finds an unbound record at worst.

use crate::sys::fib::FibInfo;
use crate::sys::net::Net;
use crate::sys::nexthop::DropReason;
use crate::sys::nexthop::NextHop;
use crate::sys::nexthop::Records;
use crate::sys::nexthop::RecordsWriter;
use crate::sys::records::Writing;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// Buckets at first; doubled as next hops come.
const BUCKETS_MIN: usize = 16;

/// A next hop with fewer prefixes is not worth looking for them later.
const MANY: u32 = 4096;

/// What giving a prefix back did to its next hop.
#[derive(Default)]
pub(crate) struct Given {
    /// A cached dst was dropped.
    pub(crate) dropped: bool,
    /// The next hop's dst had been handed out, somebody may still keep it, and the kernel is not
    /// about to outdate all of them itself, as it does once for a route that goes as a whole.
    pub(crate) served: bool,
}

/// Bucket of `fi` among `buckets` of them, a power of two.
fn bucket(fi: &FibInfo, buckets: usize) -> usize {
    // Multiplicative hashing; objects are at least a cache line apart.
    let hash = (fi.address() as u64 >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    hash as usize & buckets.wrapping_sub(1)
}

/// The writer's side of the next hops: who uses which.
pub(crate) struct NextHops {
    writer: RecordsWriter,
    /// First record of each hash chain; 0 ends a chain. Its length is a power of two.
    buckets: KVec<u32>,
    bound: u32,
    /// For tracers.
    net: &'static Net,
}

impl NextHops {
    /// No next hops.
    pub(crate) fn new(net: &'static Net, flags: Flags) -> Result<(Records, Self)> {
        let (records, writer) = Records::new();
        let buckets = KVec::from_elem(0, BUCKETS_MIN, flags)?;
        Ok((
            records,
            Self {
                writer,
                buckets,
                bound: 0,
                net,
            },
        ))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.bound
    }

    /// Bytes of all records and of the hash.
    pub(crate) fn memory(&self) -> usize {
        self.writer
            .memory()
            .saturating_add(self.buckets.len().saturating_mul(size_of::<u32>()))
    }

    fn find(&mut self, records: &Records, fi: &FibInfo, dscp: bool) -> Option<u32> {
        let mut id = *self.buckets.get(bucket(fi, self.buckets.len()))?;
        let w = self.writer.writing();
        while id != 0 {
            let nh = records.get(id)?;
            if nh.is(fi, dscp, w) {
                return Some(id);
            }
            id = nh.chain(w);
        }
        None
    }

    /// The number of the next hop for `fi`, with one more prefix to its name.
    ///
    /// `dscp` tells that the prefix has a route for one DSCP, so that the kernel must decide.
    ///
    /// # Errors
    ///
    /// `ENOMEM` or `ENOSPC`; nothing has changed.
    pub(crate) fn take(
        &mut self,
        records: &Records,
        fi: &FibInfo,
        route_type: u8,
        dscp: bool,
        flags: Flags,
    ) -> Result<u32> {
        let id = match self.find(records, fi, dscp) {
            Some(id) => id,
            None => self.bind(records, fi, route_type, dscp, flags)?,
        };
        if let Some(nh) = records.get(id) {
            let w = self.writer.writing();
            nh.set_prefixes(nh.prefixes(w).wrapping_add(1), w);
        }
        Ok(id)
    }

    fn bind(
        &mut self,
        records: &Records,
        fi: &FibInfo,
        route_type: u8,
        dscp: bool,
        flags: Flags,
    ) -> Result<u32> {
        let id = self.writer.take(records, flags)?;
        self.grow(records, flags);
        let bucket = bucket(fi, self.buckets.len());
        let nh = records.get(id).ok_or(ENOSPC)?;
        let head = self.buckets.get_mut(bucket).ok_or(ENOSPC)?;
        let w = self.writer.writing();
        nh.bind(fi, route_type, dscp, w);
        nh.set_chain(*head, w);
        *head = id;
        self.bound = self.bound.wrapping_add(1);
        Ok(id)
    }

    /// Doubles the hash when its chains get long. Failing is no error: they stay long.
    fn grow(&mut self, records: &Records, flags: Flags) {
        let len = self.buckets.len();
        if (self.bound as usize) < len {
            return;
        }
        let Ok(fresh) = KVec::from_elem(0, len.saturating_mul(2), flags) else {
            return;
        };
        let old = core::mem::replace(&mut self.buckets, fresh);
        for &first in &old {
            let mut id = first;
            while let Some(nh) = records.get(id).filter(|_| id != 0) {
                let w = self.writer.writing();
                let next = nh.chain(w);
                let bucket = match nh.route(w) {
                    Some(fi) => bucket(fi, self.buckets.len()),
                    None => 0,
                };
                if let Some(head) = self.buckets.get_mut(bucket) {
                    let w = self.writer.writing();
                    nh.set_chain(*head, w);
                    *head = id;
                }
                id = next;
            }
        }
    }

    /// Takes one prefix, which is not in the tables any more, from next hop `id`. With the last one
    /// the record is unbound, at once.
    pub(crate) fn give(&mut self, records: &Records, id: u32) -> Given {
        let Some(nh) = records.get(id).filter(|_| id != 0) else {
            return Given::default();
        };
        let w = self.writer.writing();
        if !nh.is_bound(w) {
            nh.set_left(nh.left(w).saturating_sub(1), w);
            self.free(records, id, nh);
            return Given::default();
        }
        let given = self.detach(records, id, nh);
        self.free(records, id, nh);
        given
    }

    /// Takes one prefix, which is left in the tables until [`NextHops::give`], from next hop `id`, if
    /// the kernel is taking its whole route down.
    pub(crate) fn leave(&mut self, records: &Records, id: u32) -> Option<Given> {
        let nh = records.get(id).filter(|_| id != 0)?;
        let w = self.writer.writing();
        if !nh.is_bound(w) || !nh.is_dying(w) || nh.prefixes(w).wrapping_add(nh.left(w)) < MANY {
            return None;
        }
        nh.set_left(nh.left(w).wrapping_add(1), w);
        Some(self.detach(records, id, nh))
    }

    /// Whether `id` is of a next hop that is gone.
    pub(crate) fn is_gone(&mut self, records: &Records, id: u32) -> bool {
        let w = self.writer.writing();
        records.get(id).is_none_or(|nh| !nh.is_bound(w))
    }

    /// Takes one prefix from a bound record.
    fn detach(&mut self, records: &Records, id: u32, nh: &NextHop) -> Given {
        let w = self.writer.writing();
        let served = nh.was_served(w) && !nh.is_dying(w);
        let left = nh.prefixes(w).saturating_sub(1);
        nh.set_prefixes(left, w);
        if left != 0 {
            return Given {
                dropped: false,
                served,
            };
        }
        self.unchain(records, id, nh);
        let w = self.writer.writing();
        // In this order: an unbound record is not filled again.
        nh.unbind(w);
        let dropped = nh.drop_dst(self.net, DropReason::Route, w);
        self.bound = self.bound.saturating_sub(1);
        Given { dropped, served }
    }

    /// Frees the number of a record that is unbound and that no prefix leads to.
    fn free(&mut self, records: &Records, id: u32, nh: &NextHop) {
        let w = self.writer.writing();
        if nh.is_bound(w) || nh.left(w) != 0 {
            return;
        }
        self.writer.give(records, id);
    }

    fn unchain(&mut self, records: &Records, id: u32, nh: &NextHop) {
        let w = self.writer.writing();
        let next = nh.chain(w);
        let Some(fi) = nh.route(w) else { return };
        let bucket = bucket(fi, self.buckets.len());
        let Some(head) = self.buckets.get_mut(bucket) else {
            return;
        };
        if *head == id {
            *head = next;
            return;
        }
        let w = self.writer.writing();
        let mut at = *head;
        while let Some(before) = records.get(at).filter(|_| at != 0) {
            if before.chain(w) == id {
                before.set_chain(next, w);
                return;
            }
            at = before.chain(w);
        }
    }

    /// Drops the cached routes of every next hop that `which` names; says how many there were.
    fn drop_where(
        &mut self,
        records: &Records,
        why: DropReason,
        mut which: impl FnMut(&NextHop, Writing<'_>) -> bool,
    ) -> u64 {
        let mut dropped = 0u64;
        for id in 1..self.writer.len() {
            let w = self.writer.writing();
            if let Some(nh) = records.get(id) {
                if which(nh, w) && nh.drop_dst(self.net, why, w) {
                    dropped = dropped.wrapping_add(1);
                }
            }
        }
        dropped
    }

    /// Drops the cached routes that lead out of device `ifindex`.
    pub(crate) fn drop_device(&mut self, records: &Records, ifindex: c_int) -> u64 {
        self.drop_where(records, DropReason::Device, |nh, w| {
            nh.ifindex(w) == ifindex
        })
    }

    /// Drops all cached routes.
    pub(crate) fn drop_all(&mut self, records: &Records) -> u64 {
        self.drop_where(records, DropReason::Flush, |_, _| true)
    }

    /// Drops the cached routes of `fi`.
    pub(crate) fn drop_route(&mut self, records: &Records, fi: &FibInfo) -> u64 {
        self.drop_where(records, DropReason::Path, |nh, w| {
            nh.is(fi, false, w) || nh.is(fi, true, w)
        })
    }

    /// Drops the cached routes of all that use next-hop objects.
    pub(crate) fn drop_objects(&mut self, records: &Records) -> u64 {
        self.drop_where(records, DropReason::Path, |nh, w| nh.uses_object(w))
    }

    /// Gives every reference back, on routes and on dsts: no event will tell any more when they
    /// end. The numbers stay as they are, and nobody may look for them again.
    pub(crate) fn release_all(&mut self, records: &Records) {
        for id in 1..self.writer.len() {
            let w = self.writer.writing();
            if let Some(nh) = records.get(id) {
                nh.unbind(w);
                nh.drop_dst(self.net, DropReason::End, w);
            }
        }
        self.bound = 0;
    }

    /// The first bound record whose number is at least `id`, shown to `f`.
    pub(crate) fn show_from<R>(
        &mut self,
        records: &Records,
        id: u32,
        f: impl FnOnce(u32, &NextHop, Writing<'_>) -> R,
    ) -> Option<R> {
        for id in id..self.writer.len() {
            let w = self.writer.writing();
            if let Some(nh) = records.get(id).filter(|nh| nh.is_bound(w)) {
                return Some(f(id, nh, w));
            }
        }
        None
    }
}
