// SPDX-License-Identifier: GPL-2.0

//! Counters, one copy for each CPU, so that counting a packet touches no shared cache line.

use super::bindings;
use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;
use kernel::prelude::*;

/// `N` counters for each possible CPU, all zero at first.
///
/// # Invariants
///
/// `area` is null, or was returned by `counters_alloc(N)` and is freed by `drop` only.
pub(crate) struct Counters<const N: usize> {
    area: AtomicPtr<u64>,
}

impl<const N: usize> Counters<N> {
    /// No counters yet: counting does nothing before [`Counters::allocate`].
    pub(crate) const fn new() -> Self {
        // INVARIANT: Null.
        Self {
            area: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Allocates them, unless they are there. Calls are serialised by the caller.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn allocate(&self) -> Result {
        if !self.area.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        // SAFETY: Plain allocation; the result is checked.
        let area = unsafe { bindings::counters_alloc(N) };
        if area.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: `area` is what `counters_alloc` returned.
        // ORDERING: Release, so that they are seen as zero.
        self.area.store(area, Ordering::Release);
        Ok(())
    }

    #[inline]
    fn at(&self, i: u32) -> Option<*mut u64> {
        // ORDERING: Acquire, pairs with `allocate`.
        let area = self.area.load(Ordering::Acquire);
        (!area.is_null() && (i as usize) < N).then_some(area)
    }

    /// Where they are, for helpers that count by themselves; null before [`Counters::allocate`].
    pub(super) fn area(&self) -> *mut u64 {
        // ORDERING: Acquire, pairs with `allocate`.
        self.area.load(Ordering::Acquire)
    }

    /// Adds one to counter `i` of this CPU. A number out of range counts nothing.
    #[inline]
    pub(crate) fn count(&self, i: u32) {
        if let Some(area) = self.at(i) {
            // SAFETY: The area is valid by the type invariant and `i` is in range.
            unsafe { bindings::count(area, i) };
        }
    }

    /// As [`Counters::count`], for a counter that no interrupt counts.
    #[inline]
    pub(crate) fn count_packet(&self, i: u32) {
        if let Some(area) = self.at(i) {
            // SAFETY: As in `count`.
            unsafe { bindings::count_packet(area, i) };
        }
    }

    /// Adds `v` to counter `i` of this CPU.
    pub(crate) fn add(&self, i: u32, v: u64) {
        if let Some(area) = self.at(i) {
            // SAFETY: As in `count`.
            unsafe { bindings::count_add(area, i, v) };
        }
    }

    /// Counter `i` as `cpu` has it.
    pub(crate) fn on(&self, i: u32, cpu: Cpu) -> u64 {
        match self.at(i) {
            // SAFETY: The area is valid, `i` is in range, and `Cpu` is a possible CPU.
            Some(area) => unsafe { bindings::count_read(area, i, cpu.0) },
            None => 0,
        }
    }

    /// Counter `i` over all CPUs.
    pub(crate) fn sum(&self, i: u32) -> u64 {
        cpus().fold(0, |sum, cpu| sum.wrapping_add(self.on(i, cpu)))
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, and freeing null is allowed.
        unsafe { bindings::counters_free(*self.area.get_mut()) };
    }
}

/// A possible CPU.
#[derive(Clone, Copy)]
pub(crate) struct Cpu(c_int);

impl Cpu {
    /// The first possible CPU whose number is at least `n`.
    pub(crate) fn from(n: c_int) -> Option<Self> {
        // SAFETY: Reads the mask of possible CPUs.
        let cpu = unsafe { bindings::next_cpu(n) };
        (cpu >= 0).then_some(Cpu(cpu))
    }

    /// Its number.
    pub(crate) fn number(self) -> c_int {
        self.0
    }
}

/// All possible CPUs.
pub(crate) fn cpus() -> impl Iterator<Item = Cpu> {
    core::iter::successors(Cpu::from(0), |cpu| Cpu::from(cpu.0.wrapping_add(1)))
}
