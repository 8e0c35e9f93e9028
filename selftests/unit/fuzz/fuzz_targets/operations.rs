// SPDX-License-Identifier: GPL-2.0

//! libFuzzer's way in.

#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| altfib_fuzz::run(data));
