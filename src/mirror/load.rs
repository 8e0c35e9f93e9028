// SPDX-License-Identifier: GPL-2.0

//! Loading: from nothing, or from a mirror that is not to be trusted any more, to one in sync.
//!
//! 1. Register the notifier under RTNL. The dump of all routes, and every change from then on,
//!    goes into a queue.
//! 2. Build tables from the queue in process context, without RTNL and without any lock, while
//!    changes queue up behind.
//! 3. When the queue is found empty with the lock held, publish the tables. From then on events
//!    are applied as they come.

use super::queue::Kept;
use super::queue::Queue;
use super::tables::Routes;
use super::tables::Serving;
use super::Mirror;
use super::Phase;
use super::Why;
use crate::sys::fib::FibNotifier;
use crate::sys::fib::FollowFib;
use crate::sys::net::Net;
use crate::sys::work;
use kernel::prelude::*;

/// Room for events at the first attempt: plenty for most, and a full table's second attempt knows
/// better.
const FIRST_ROOM: usize = 16 * 1024;

/// Attempts in which the queue may turn out too short before the caller should wait a while.
const ATTEMPTS: u32 = 4;

impl Mirror {
    /// Loads the mirror and starts serving. The notifier must not be registered; it is if this
    /// succeeds, and is not if it fails.
    ///
    /// `go_on` is asked between steps; `false` gives up with [`Why::Off`].
    ///
    /// # Safety
    ///
    /// As for [`FibNotifier::register`].
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) unsafe fn load<T: FollowFib>(
        &self,
        net: &Net,
        notifier: &FibNotifier<T>,
        owner: *const T,
        budget: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<(), Why> {
        let mut room = FIRST_ROOM;
        for _ in 0..ATTEMPTS {
            self.sweep();
            let queue = Queue::with_room(room).map_err(|_| Why::NoMemory)?;
            self.inner.lock().phase = Phase::Loading(queue);

            // SAFETY: By this function's requirement.
            if let Err(e) = unsafe { notifier.register(net, owner) } {
                let why = if e == EBUSY {
                    Why::TooBusy
                } else {
                    Why::Refused
                };
                self.stop(why);
                return Err(why);
            }

            match self.build(budget, &go_on) {
                Built::Serving => return Ok(()),
                Built::TooShort(seen) => {
                    // SAFETY: Registered above.
                    unsafe { notifier.unregister(net) };
                    room = seen.saturating_add(seen / 4);
                    self.stop(Why::TooBusy);
                }
                Built::Failed(why) => {
                    // SAFETY: Registered above.
                    unsafe { notifier.unregister(net) };
                    self.stop(why);
                    return Err(why);
                }
            }
        }
        Err(Why::TooBusy)
    }

    /// The dump that the queue holds is void; another follows.
    pub(crate) fn restart(&self) {
        if let Phase::Loading(queue) = &mut self.inner.lock().phase {
            queue.clear();
        }
    }

    fn build(&self, budget: usize, go_on: &impl Fn() -> bool) -> Built {
        let (serving, mut routes) = match Routes::new(budget, GFP_KERNEL_ACCOUNT) {
            Ok(new) => new,
            Err(why) => return Built::Failed(why),
        };
        let why = loop {
            if !go_on() {
                break Built::Failed(Why::Off);
            }
            let mut inner = self.inner.lock();
            let Phase::Loading(queue) = &mut inner.phase else {
                break Built::Failed(Why::Off);
            };
            if queue.has_overflowed() {
                break Built::TooShort(queue.seen());
            }
            let Some(mut chunk) = queue.take() else {
                // In sync: nothing waits, and nothing can come while the lock is held.
                routes.set_loaded();
                let old = core::mem::replace(&mut inner.phase, Phase::Synced(routes));
                let retired = self.serving.replace(Some(serving));
                drop(inner);
                drop((old, retired));
                return Built::Serving;
            };
            drop(inner);

            let result = fold(&mut routes, &serving, &chunk);
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
        routes.release_all(&serving);
        why
    }
}

enum Built {
    Serving,
    /// The queue had no room for all events; there were so many.
    TooShort(usize),
    Failed(Why),
}

fn fold(routes: &mut Routes, serving: &Serving, events: &[Kept]) -> Result<(), Why> {
    for event in events {
        match event {
            Kept::Replace {
                which,
                prefix,
                route_type,
                dscp,
                fi,
            } => routes.replace(
                serving,
                *which,
                *prefix,
                fi,
                *route_type,
                *dscp,
                GFP_KERNEL_ACCOUNT,
            )?,
            Kept::Delete { which, prefix } => {
                routes.delete(serving, *which, *prefix, GFP_KERNEL_ACCOUNT)?
            }
        };
    }
    Ok(())
}
