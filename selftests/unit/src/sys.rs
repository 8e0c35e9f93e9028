// SPDX-License-Identifier: GPL-2.0

//! What the module has from the kernel.

#[path = "../../../src/sys/shared.rs"]
pub mod shared;
