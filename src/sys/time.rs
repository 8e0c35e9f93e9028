// SPDX-License-Identifier: GPL-2.0

//! Times, grace periods and the module parameter: small questions to the kernel.

use super::bindings;
use kernel::prelude::*;

/// Milliseconds since boot, as coarse as the timer tick.
pub(crate) fn now_ms() -> u64 {
    // SAFETY: Reads the jiffies.
    unsafe { bindings::jiffies_msec() }
}

/// A grace period that starts now; [`grace_period_is_over`] tells when it has ended.
///
/// # Context
///
/// Any, with interrupts on.
pub(crate) fn start_grace_period() -> u64 {
    // SAFETY: No requirement beyond the context.
    unsafe { bindings::start_poll_synchronize_rcu() as u64 }
}

/// Whether the grace period `cookie` has ended.
pub(crate) fn grace_period_is_over(cookie: u64) -> bool {
    // SAFETY: `cookie` may be any number.
    unsafe { bindings::poll_state_synchronize_rcu(cookie as c_ulong) }
}

/// The module parameter `mode=`.
pub(crate) fn mode_parameter() -> &'static CStr {
    // SAFETY: The parameter is a string that lives as long as the module.
    unsafe { CStr::from_char_ptr(bindings::mode_param()) }
}
