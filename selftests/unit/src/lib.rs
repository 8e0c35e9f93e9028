// SPDX-License-Identifier: GPL-2.0

//! The pure parts of the module, for tests on the host.

/// Longest-prefix match.
#[path = "../../../src/lpm/mod.rs"]
pub mod lpm;

pub mod host;
pub mod sys;
