// SPDX-License-Identifier: GPL-2.0

//! Time since boot.

use super::bindings;

/// Milliseconds since boot, as coarse as the timer tick.
pub(crate) fn now_ms() -> u64 {
    // SAFETY: Reads the jiffies.
    unsafe { bindings::jiffies_msec() }
}
