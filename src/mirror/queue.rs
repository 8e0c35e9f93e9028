// SPDX-License-Identifier: GPL-2.0

//! Events that wait for the loader.
//!
//! The dump of a full table comes in one RCU section with RTNL held, where a million insertions
//! would stall everybody. Keeping an event is constant work and allocates nothing: the room is
//! made before, by somebody who may sleep. If it was too little, the queue counts on, so that the
//! next attempt knows how much it needs.

use crate::sys::fib::Events;
use kernel::prelude::*;

/// Events in a chunk, which is 64 KiB at most.
const CHUNK: usize = 2048;

/// An event, with references of its own on what it names.
pub(crate) trait Keep<E: Events>: Sized {
    /// `None` for what the loader need not know.
    ///
    /// # Context
    ///
    /// Atomic.
    fn keep(event: E::Event<'_>) -> Option<Self>;
}

/// Events in their order.
pub(super) struct Queue<K> {
    /// Full chunks, from `first` on; its capacity was reserved for all there can be.
    full: KVVec<KVec<K>>,
    first: usize,
    current: KVec<K>,
    spare: KVVec<KVec<K>>,
    /// Events since the start, those that found no room included.
    seen: usize,
    overflowed: bool,
}

impl<K> Queue<K> {
    /// Room for `n` events.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(super) fn with_room(n: usize) -> Result<Self> {
        let chunks = n.div_ceil(CHUNK).max(1);
        let mut spare = KVVec::with_capacity(chunks, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..chunks {
            let chunk = KVec::with_capacity(n.min(CHUNK), GFP_KERNEL_ACCOUNT)?;
            spare.push(chunk, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self {
            full: KVVec::with_capacity(chunks, GFP_KERNEL_ACCOUNT)?,
            first: 0,
            current: KVec::new(),
            spare,
            seen: 0,
            overflowed: false,
        })
    }

    /// Keeps an event. Allocates nothing and does not sleep.
    pub(super) fn push<E: Events>(&mut self, event: E::Event<'_>)
    where
        K: Keep<E>,
    {
        let Some(kept) = K::keep(event) else { return };
        self.seen = self.seen.wrapping_add(1);
        if self.overflowed {
            return;
        }
        if self.current.len() == self.current.capacity() {
            let Some(next) = self.spare.pop() else {
                self.overflowed = true;
                return;
            };
            let full = core::mem::replace(&mut self.current, next);
            if full.capacity() != 0 && self.full.push_within_capacity(full).is_err() {
                self.overflowed = true;
                return;
            }
        }
        if self.current.push_within_capacity(kept).is_err() {
            self.overflowed = true;
        }
    }

    /// Whether an event found no room: the rest is worthless.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Events since the start.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// The oldest events, or `None` when there are none.
    pub(super) fn take(&mut self) -> Option<KVec<K>> {
        if let Some(chunk) = self.full.get_mut(self.first) {
            self.first = self.first.wrapping_add(1);
            return Some(core::mem::replace(chunk, KVec::new()));
        }
        if self.current.is_empty() {
            return None;
        }
        Some(core::mem::replace(&mut self.current, KVec::new()))
    }

    /// Room that [`Queue::take`] took, emptied.
    pub(super) fn give_back(&mut self, chunk: KVec<K>) {
        if self.first == self.full.len() {
            self.full.clear();
            self.first = 0;
        }
        // The vector once held all chunks; if it should not have room, the chunk is freed.
        let _ = self.spare.push_within_capacity(chunk);
    }
}
