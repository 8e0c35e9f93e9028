// SPDX-License-Identifier: GPL-2.0

//! Time since boot.

use super::bindings;

/// Milliseconds since boot, as coarse as the timer tick.
pub(crate) fn now_ms() -> u64 {
    // SAFETY: Reads the jiffies.
    unsafe { bindings::jiffies_msec() }
}

/// Microseconds of the monotonic clock.
pub(crate) fn now_us() -> u64 {
    // SAFETY: Reads the clock.
    let ns = unsafe { kernel::bindings::ktime_get() };
    (ns as u64) / 1000
}

/// Sleeps for so many milliseconds at least.
///
/// # Context
///
/// Process.
pub(crate) fn sleep_ms(ms: i64) {
    kernel::time::delay::fsleep(kernel::time::Delta::from_millis(ms));
}
