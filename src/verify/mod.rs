// SPDX-License-Identifier: GPL-2.0

//! Proof, live: what became of packets about which altfib and the kernel did not agree.
//!
//! The packet path compares ([`crate::datapath`]) and leaves a difference here. Most are none: a
//! route is deleted here before it leaves the kernel's table, and is added after it came to be
//! there. So a worker decides about each once more with RTNL held, where both must say the same;
//! only what differs then is a mismatch. It is counted, logged, kept to be read, and by default the
//! end of altfib's service in the namespace.

pub(crate) mod audit;
pub(crate) mod worker;

use crate::mirror::Mirror;
use crate::sys::lock::BhLock;
use crate::sys::net::Net;
use crate::sys::time;
use audit::Audited;
use audit::Progress;
use audit::Report;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::LockClassKey;
use kernel::sync::Mutex;

/// Differences that wait, and mismatches that are kept; what comes when there is no room is only
/// counted, as there are others to look at.
const ROOM: usize = 16;

/// Up to [`ROOM`] of something.
struct List<T: Copy> {
    items: [Option<T>; ROOM],
    /// How many ever came.
    seen: usize,
}

impl<T: Copy> List<T> {
    const fn new() -> Self {
        Self {
            items: [None; ROOM],
            seen: 0,
        }
    }

    /// Adds one if there is room.
    fn add(&mut self, item: T) -> bool {
        self.seen = self.seen.wrapping_add(1);
        match self.items.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => {
                *slot = Some(item);
                true
            }
            None => false,
        }
    }

    /// Adds one in the place of the oldest.
    fn keep(&mut self, item: T) {
        if let Some(slot) = self.items.get_mut(self.seen % ROOM) {
            *slot = Some(item);
        }
        self.seen = self.seen.wrapping_add(1);
    }
}

/// A mismatch that was confirmed.
#[derive(Clone, Copy)]
pub(crate) struct Mismatch<D> {
    /// Milliseconds since boot.
    pub(crate) at: u64,
    pub(crate) difference: D,
}

/// The differences of one family in one namespace.
#[pin_data]
pub(crate) struct Verification<D: Copy> {
    #[pin]
    waiting: BhLock<List<D>>,
    #[pin]
    kept: BhLock<List<Mismatch<D>>>,
    #[pin]
    report: BhLock<Option<Report>>,
    progress: Progress,
    /// One audit at a time.
    #[pin]
    auditing: Mutex<()>,
}

impl<D: Copy> Verification<D> {
    pub(crate) fn new(
        waiting: Pin<&'static LockClassKey>,
        kept: Pin<&'static LockClassKey>,
        report: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            waiting <- BhLock::new(List::new(), c"altfib_differences", waiting),
            kept <- BhLock::new(List::new(), c"altfib_mismatches", kept),
            report <- BhLock::new(None, c"altfib_report", report),
            progress: Progress::new(),
            auditing <- new_mutex!((), "altfib_auditing"),
        })
    }

    /// Leaves a difference to be looked at again. `false` if there is no room.
    pub(crate) fn leave(&self, difference: D) -> bool {
        self.waiting.lock().add(difference)
    }

    /// Takes a difference that waits.
    pub(crate) fn take(&self) -> Option<D> {
        let mut waiting = self.waiting.lock();
        waiting.items.iter_mut().find_map(Option::take)
    }

    /// Audits the mirror; see [`audit::audit`]. Returns the number of differences.
    pub(crate) fn audit<K: Audited>(&self, net: &Net, mirror: &Mirror<K>) -> Result<usize> {
        let _one = self.auditing.lock();
        let result = audit::audit(net, mirror, &self.progress);
        self.progress.end();
        let report = result?;
        *self.report.lock() = Some(report);
        Ok(report.differences)
    }

    /// How many addresses were compared, and of how many, while an audit is at it.
    pub(crate) fn progress(&self) -> Option<(usize, usize)> {
        self.progress.get()
    }

    /// What the last audit found.
    pub(crate) fn report(&self) -> Option<Report> {
        *self.report.lock()
    }

    /// Keeps a mismatch to be read.
    pub(crate) fn keep(&self, difference: D) {
        self.kept.lock().keep(Mismatch {
            at: time::now_ms(),
            difference,
        });
    }

    /// The mismatches that are kept, newest last; `n` counts from the oldest of them.
    pub(crate) fn kept(&self, n: usize) -> Option<Mismatch<D>> {
        let kept = self.kept.lock();
        let first = kept.seen.saturating_sub(ROOM);
        let at = first.checked_add(n).filter(|&at| at < kept.seen)?;
        *kept.items.get(at % ROOM)?
    }
}
