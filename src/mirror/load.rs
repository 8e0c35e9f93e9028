// SPDX-License-Identifier: GPL-2.0

//! Loading: from nothing, or from a mirror that is not to be trusted any more, to one in sync.
//!
//! 1. Have all routes told, under RTNL, by the notifier. They, and every change from then on, go into
//!    a queue.
//! 2. Sort what is in the queue and build the tables from it at once, in process context, without
//!    RTNL and without any lock, while changes queue up behind; then follow these.
//! 3. When the queue is found empty with the lock held, publish the tables. From then on events
//!    are applied as they come.

use super::bulk::Bulks;
use super::filling::Burst;
use super::queue::Queue;
use super::Kind;
use super::Mirror;
use super::Phase;
use super::Why;
use crate::lpm::Algorithm;
use crate::sys::net::Net;
use crate::sys::work;
use kernel::prelude::*;

/// Room for events at the first attempt: plenty for a namespace that is new, and with a table the
/// second attempt knows better.
const FIRST_ROOM: usize = 64;

/// Room at the next attempts, at least.
const NEXT_ROOM: usize = 16 * 1024;

/// Attempts in which the queue may turn out too short before the caller should wait a while.
const ATTEMPTS: u32 = 4;

impl<K: Kind> Mirror<K> {
    /// Loads the mirror and starts serving.
    ///
    /// `follow` has every route told as an event, while changes are told too; each call once more.
    /// `go_on` is asked between steps; `false` gives up with [`Why::Off`].
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) fn load(
        &self,
        plan: Plan,
        go_on: impl Fn() -> bool,
        mut follow: impl FnMut() -> Result,
    ) -> Result<(), Why> {
        let mut room = match &self.inner.lock().phase {
            Phase::Filling(filling) => with_reserve(filling.expected()),
            _ => FIRST_ROOM,
        };
        for _ in 0..ATTEMPTS {
            self.sweep();
            let queue = Queue::with_room(room).map_err(|_| Why::NoMemory)?;
            self.inner.lock().phase = Phase::Loading(queue);
            if let Err(e) = follow() {
                let why = if e == EBUSY {
                    Why::TooBusy
                } else {
                    Why::Refused
                };
                self.stop(why);
                return Err(why);
            }
            match self.build(plan, &go_on) {
                Built::Serving => return Ok(()),
                Built::TooShort(seen) => {
                    room = with_reserve(seen);
                    self.stop(Why::TooBusy);
                }
                Built::Failed(why) => {
                    self.stop(why);
                    return Err(why);
                }
            }
        }
        Err(Why::TooBusy)
    }

    #[inline(never)]
    fn build(&self, plan: Plan, go_on: &impl Fn() -> bool) -> Built {
        let new = K::empty(plan, GFP_KERNEL_ACCOUNT);
        let (serving, mut routes) = match new {
            Ok(new) => new,
            Err(why) => return Built::Failed(why),
        };
        // All that is in the queue now is built at once; what comes meanwhile is few.
        let mut at_once = match &self.inner.lock().phase {
            Phase::Loading(queue) => queue.seen(),
            _ => 0,
        };
        let mut bulks = Some(Bulks::new());
        let why = loop {
            if !go_on() {
                break Built::Failed(Why::Off);
            }
            if at_once == 0 {
                if let Some(bulks) = bulks.take() {
                    if let Err(why) = K::build(&mut routes, &serving, bulks) {
                        break Built::Failed(why);
                    }
                }
            }
            let mut inner = self.inner.lock();
            let Phase::Loading(queue) = &mut inner.phase else {
                break Built::Failed(Why::Off);
            };
            if queue.has_overflowed() {
                break Built::TooShort(queue.seen());
            }
            let Some(mut chunk) = queue.take() else {
                if bulks.is_some() {
                    // Some of it was of no use, and was not kept.
                    at_once = 0;
                    continue;
                }
                // In sync: nothing waits, and nothing can come while the lock is held.
                K::set_loaded(&mut routes);
                inner.burst = Burst::new();
                let old = core::mem::replace(&mut inner.phase, Phase::Synced(routes));
                let retired = self.serving.replace(Some(serving));
                drop(inner);
                drop((old, retired));
                return Built::Serving;
            };
            drop(inner);

            let result = follow::<K>(&mut routes, &serving, &chunk, &mut bulks);
            at_once = at_once.saturating_sub(chunk.len());
            // References on routes end here.
            chunk.clear();
            if let Err(why) = result {
                break Built::Failed(why);
            }
            if let Phase::Loading(queue) = &mut self.inner.lock().phase {
                queue.give_back(chunk);
            }
            work::reschedule();
        };
        K::release_all(&mut routes, &serving);
        why
    }
}

/// Room for so many events, and for some more.
fn with_reserve(events: usize) -> usize {
    events.saturating_add(events / 4).max(NEXT_ROOM)
}

/// How a mirror is to be loaded.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) net: &'static Net,
    /// Bytes that it may take.
    pub(crate) budget: usize,
    /// The algorithm of its tables, if it is not theirs to choose.
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether the kernel's own lookups will be answered.
    pub(crate) leaves: bool,
}

enum Built {
    Serving,
    /// The queue had no room for all events; there were so many.
    TooShort(usize),
    Failed(Why),
}

/// Leaves events for [`Kind::build`] while that is possible, and applies the others.
fn follow<K: Kind>(
    routes: &mut K::Routes,
    serving: &K::Serving,
    events: &[K::Kept],
    bulks: &mut Option<Bulks<K::Family>>,
) -> Result<(), Why> {
    for event in events {
        if let Some(list) = bulks {
            if let Some((which, prefix, value)) =
                K::collect(routes, serving, event, GFP_KERNEL_ACCOUNT)?
            {
                list.push(which, prefix, value).map_err(|_| Why::NoMemory)?;
                continue;
            }
        }
        if let Some(list) = bulks.take() {
            K::build(routes, serving, list)?;
        }
        K::fold(routes, serving, event, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(())
}
