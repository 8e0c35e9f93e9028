// SPDX-License-Identifier: GPL-2.0

//! What the module knows of itself.

use super::bindings;
use kernel::prelude::*;

/// The module parameter `mode=`.
pub(crate) fn mode_parameter() -> &'static CStr {
    // SAFETY: The parameter is a string that lives as long as the module.
    unsafe { CStr::from_char_ptr(bindings::mode_param()) }
}

/// The module's version.
pub(crate) fn version() -> &'static str {
    CStr::from_bytes_with_nul(bindings::ALTFIB_VERSION)
        .ok()
        .and_then(|version| version.to_str().ok())
        .unwrap_or("?")
}
