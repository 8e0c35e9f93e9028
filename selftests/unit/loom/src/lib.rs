// SPDX-License-Identifier: GPL-2.0

//! The tables' sources with loom's atomics in place of the host's.

/// Longest-prefix match.
#[path = "../../../../src/lpm/mod.rs"]
pub mod lpm;

#[path = "../../src/host.rs"]
pub mod host;
#[path = "../../src/sys.rs"]
pub mod sys;
