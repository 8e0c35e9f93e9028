// SPDX-License-Identifier: GPL-2.0

//! `percpu-flow`: the idea of FreeBSD's flowtable.
//!
//! The same entries as with [`super::flow`], but each CPU has its own places, of one entry each,
//! and takes no lock: the packet path runs with bottom halves off, and an exchange decides between
//! it and who takes entries out. A flow whose packets come to two CPUs has two entries. What stands
//! in a newcomer's place goes. Nothing looks for what does not count any more but the packet that
//! meets it, and the worker of [`super::flow`], by age.

use crate::sys::counters::cpus;
use crate::sys::flow::Limits;
use crate::sys::flow::Shape;

/// The places of a CPU: of all together there are `max_size` at most, but one for each CPU at least.
pub(super) fn shape(limits: Limits) -> Shape {
    let share = limits.max_size / (cpus().count() as u32).max(1);
    Shape::Places(1 << share.checked_ilog2().unwrap_or(0))
}
