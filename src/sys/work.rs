// SPDX-License-Identifier: GPL-2.0

//! Work to be done a while later in process context, which can be cancelled.
//!
//! `kernel::workqueue` cannot cancel, and a namespace that goes must not wait for its work.

use super::bindings;
use core::marker::PhantomPinned;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Somebody who has a [`DelayedWork`] as a field.
///
/// # Safety
///
/// `from_work` returns the `Self` of which `work` is the field that `new` initialised.
pub(crate) unsafe trait HasDelayedWork: Sized {
    /// The owner of `work`.
    ///
    /// # Safety
    ///
    /// `work` is the field of a valid `Self`.
    unsafe fn from_work(work: *mut DelayedWork<Self>) -> *const Self;

    /// The work. Process context, may sleep.
    fn work(&self);
}

/// A `delayed_work` of an owner `T`.
#[pin_data]
#[repr(C)]
pub(crate) struct DelayedWork<T> {
    #[pin]
    raw: Opaque<bindings::delayed_work>,
    #[pin]
    _pin: PhantomPinned,
    _t: core::marker::PhantomData<fn(T)>,
}

// SAFETY: The workqueue functions may be called from any thread.
unsafe impl<T> Send for DelayedWork<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for DelayedWork<T> {}

impl<T: HasDelayedWork> DelayedWork<T> {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is pinned and valid for writes.
            raw <- unsafe {
                pin_init::pin_init_from_closure(|slot: *mut Opaque<bindings::delayed_work>| {
                    bindings::init_delayed_work(Opaque::cast_into(slot), Some(Self::run));
                    Ok::<(), core::convert::Infallible>(())
                })
            },
            _pin: PhantomPinned,
            _t: core::marker::PhantomData,
        })
    }

    /// Does the work.
    ///
    /// # Safety
    ///
    /// `work` was queued by [`DelayedWork::schedule`].
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // CAST: `work` is the first field of `delayed_work`, which is the first field of `Self`.
        // SAFETY: The work was queued by `schedule`, so its owner is valid; `cancel` waits for us.
        unsafe { (*T::from_work(work.cast())).work() };
    }

    /// Does the work once, `delay` jiffies from now, or earlier if it is waiting already.
    ///
    /// # Context
    ///
    /// Any.
    pub(crate) fn schedule(&self, delay: usize) {
        let schedule = match delay {
            // What waits longer would keep its own delay.
            0 => bindings::mod_delayed_work_on,
            _ => bindings::queue_delayed_work_on,
        };
        // SAFETY: The work is initialised, and the owner calls `cancel` before it goes.
        unsafe {
            schedule(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                bindings::system_dfl_wq,
                self.raw.get(),
                delay,
            )
        };
    }

    /// Takes back what waits, and waits for what runs. What is scheduled after this is not done: a
    /// packet or a lookup under way elsewhere may still want it.
    ///
    /// # Context
    ///
    /// Process, may sleep; not from the work itself, and with no lock that the work takes.
    pub(crate) fn cancel(&self) {
        // SAFETY: The work is initialised.
        unsafe { bindings::disable_delayed_work_sync(self.raw.get()) };
    }
}

/// Lets others have the CPU, if they wait for it.
///
/// # Context
///
/// Process, may sleep.
pub(crate) fn reschedule() {
    // SAFETY: No requirement beyond the context.
    unsafe { bindings::resched() };
}
