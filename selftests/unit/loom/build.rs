// SPDX-License-Identifier: GPL-2.0

//! What else a caller had to give in RUSTFLAGS, for all crates at once.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cfg=loom");
}
