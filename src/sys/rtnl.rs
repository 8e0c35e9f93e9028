// SPDX-License-Identifier: GPL-2.0

//! The lock of the network's configuration.

use super::bindings;
use kernel::types::NotThreadSafe;

/// Evidence that RTNL is held.
pub(crate) struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// Waits for RTNL.
    ///
    /// # Context
    ///
    /// Process, may sleep; not if the caller has it already.
    pub(crate) fn lock() -> Self {
        // SAFETY: No requirement beyond the context.
        unsafe { bindings::rtnl_lock() };
        Self(NotThreadSafe)
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        // SAFETY: This thread holds RTNL.
        unsafe { bindings::rtnl_unlock() };
    }
}
