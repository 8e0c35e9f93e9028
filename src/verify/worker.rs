// SPDX-License-Identifier: GPL-2.0

//! An audit that nobody waits for: started by a message, told of when it has ended.

use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::work::DelayedWork;
use crate::sys::work::HasDelayedWork;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::AcqRel;
use core::sync::atomic::Ordering::Acquire;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::Ordering::Release;
use kernel::prelude::*;

/// Whether an audit was started and has not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Running,
}

/// The audits of one namespace that were started so, one at a time.
#[pin_data]
#[repr(C)]
pub(crate) struct Auditor {
    #[pin]
    work: DelayedWork<Auditor>,
    net: &'static Net,
    running: AtomicBool,
    /// The error number with which the last one ended, or 0.
    error: AtomicU32,
}

impl Auditor {
    pub(crate) fn new(net: &'static Net) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- DelayedWork::new(),
            net,
            running: AtomicBool::new(false),
            error: AtomicU32::new(0),
        })
    }

    /// Starts one.
    ///
    /// # Errors
    ///
    /// `EBUSY` if one has been started and not ended.
    pub(crate) fn start(&self) -> Result {
        // ORDERING: What the last one left is seen by who starts the next.
        if self.running.swap(true, AcqRel) {
            return Err(EBUSY);
        }
        self.work.schedule(0);
        Ok(())
    }

    /// Whether one runs, and the error number with which the last one ended, or 0.
    pub(crate) fn state(&self) -> (State, u32) {
        // ORDERING: The error of one that has ended is seen.
        let running = self.running.load(Acquire);
        let state = if running { State::Running } else { State::Idle };
        (state, self.error.load(Relaxed))
    }

    /// Waits for one that runs; none starts any more.
    ///
    /// # Context
    ///
    /// Process, may sleep. The mirrors have stopped, so that an audit ends soon.
    pub(crate) fn cancel(&self) {
        self.work.cancel();
    }
}

// SAFETY: `work` is the first field of a `repr(C)` structure.
unsafe impl HasDelayedWork for Auditor {
    unsafe fn from_work(work: *mut DelayedWork<Self>) -> *const Self {
        // CAST: It is the first field.
        work.cast::<Self>().cast_const()
    }

    fn work(&self) {
        let Some(ns) = self.net.value::<Namespace>() else {
            return;
        };
        let error = match ns.audit() {
            Ok(()) => 0,
            Err(e) => e.to_errno().unsigned_abs(),
        };
        self.error.store(error, Relaxed);
        // ORDERING: With what it has found.
        self.running.store(false, Release);
        ns.events().audited(ns);
    }
}
