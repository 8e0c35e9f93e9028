// SPDX-License-Identifier: GPL-2.0

//! Stands for the kernel: grace periods that a test controls, and allocations that fail on request.
//! Both are per thread, so that tests run side by side.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A source of grace periods.
pub trait Clock {
    /// Asks for a grace period and returns its cookie.
    fn start(&self) -> u64;

    /// Whether the grace period of a cookie is over.
    fn elapsed(&self, cookie: u64) -> bool;
}

thread_local! {
    static FAIL_AT: Cell<u64> = const { Cell::new(u64::MAX) };
    static FAIL_ALL: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<u64> = const { Cell::new(1) };
    static CLOCK: RefCell<Option<Arc<dyn Clock>>> = const { RefCell::new(None) };
}

/// Lets the `n`-th allocation from now fail, the first being 0; `None` lets none fail.
pub fn fail_allocation(n: Option<u64>) {
    ALLOCATIONS.set(0);
    FAIL_AT.set(n.unwrap_or(u64::MAX));
}

/// Lets all allocations fail.
pub fn fail_all(on: bool) {
    FAIL_ALL.set(on);
}

/// Allocations since [`fail_allocation`] was called.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

pub(crate) fn allocation_fails() -> bool {
    let n = ALLOCATIONS.get();
    ALLOCATIONS.set(n + 1);
    n == FAIL_AT.get() || FAIL_ALL.get()
}

/// Ends all grace periods that this thread asked for, if it has no clock of its own.
pub fn advance() {
    NOW.set(NOW.get() + 1);
}

/// Sets where this thread's grace periods come from.
pub fn set_clock(clock: Option<Arc<dyn Clock>>) {
    CLOCK.set(clock);
}

pub(crate) fn grace_start() -> u64 {
    CLOCK.with_borrow(|clock| match clock {
        Some(clock) => clock.start(),
        None => NOW.get(),
    })
}

pub(crate) fn grace_elapsed(cookie: u64) -> bool {
    CLOCK.with_borrow(|clock| match clock {
        Some(clock) => clock.elapsed(cookie),
        None => NOW.get() > cookie,
    })
}
