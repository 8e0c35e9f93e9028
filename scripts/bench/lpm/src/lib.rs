// SPDX-License-Identifier: GPL-2.0

//! altfib's longest-prefix match and other people's, on the same tables with the same keys.

pub mod chase;
pub mod clock;
pub mod concurrent;
pub mod crates;
pub mod docs;
pub mod dpdk;
pub mod dxr;
pub mod harness;
pub mod linear;
pub mod lines;
pub mod memory;
pub mod ours;
pub mod peers;
pub mod report;
pub mod tables;
pub mod targets;
pub mod updates;

/// What the unit tests have for addresses, numbers and tables.
#[allow(clippy::new_without_default, clippy::should_implement_trait)]
#[path = "../../../../selftests/unit/tests/common/mod.rs"]
pub mod common;
#[path = "../../../../selftests/unit/tests/common/data.rs"]
pub mod data;
