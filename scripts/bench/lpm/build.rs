// SPDX-License-Identifier: GPL-2.0

//! Compiles the C part and links DPDK's libraries into the program, so that a lookup in them costs
//! no detour through a table of shared symbols.

use std::process::Command;

fn pkg_config(what: &str) -> Vec<String> {
    let output = Command::new("pkg-config")
        .args([what, "libdpdk"])
        .output()
        .expect("pkg-config runs: install the package pkgconf");
    assert!(
        output.status.success(),
        "DPDK is missing: install the package libdpdk-dev"
    );
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(String::from)
        .collect()
}

fn main() {
    println!("cargo:rerun-if-changed=src/dpdk.c");
    println!("cargo:rerun-if-env-changed=BENCH_LPM_MARCH");
    let march = std::env::var("BENCH_LPM_MARCH").unwrap_or_else(|_| "x86-64-v3".into());

    let mut build = cc::Build::new();
    for flag in pkg_config("--cflags") {
        // DPDK's own choice is an older CPU.
        if !flag.starts_with("-march") {
            build.flag(&flag);
        }
    }
    build
        .file("src/dpdk.c")
        .opt_level(3)
        .flag(format!("-march={march}"))
        // To set the widest vectors that lookups may use is not in its stable interface.
        .define("ALLOW_EXPERIMENTAL_API", None)
        .warnings(true)
        .compile("bench_lpm_dpdk");

    let libs = [
        "fib",
        "rib",
        "eal",
        "mempool",
        "ring",
        "kvargs",
        "telemetry",
        "rcu",
    ];
    println!("cargo:rustc-link-arg=-Wl,--start-group");
    for lib in libs {
        println!("cargo:rustc-link-arg=-l:librte_{lib}.a");
    }
    // Registers itself before main(): nothing refers to it.
    println!("cargo:rustc-link-arg=-Wl,--whole-archive");
    println!("cargo:rustc-link-arg=-l:librte_mempool_ring.a");
    println!("cargo:rustc-link-arg=-Wl,--no-whole-archive");
    println!("cargo:rustc-link-arg=-Wl,--end-group");
    for lib in ["numa", "bsd", "m"] {
        println!("cargo:rustc-link-arg=-l{lib}");
    }
    println!(
        "cargo:rustc-env=BENCH_LPM_DPDK={}",
        pkg_config("--modversion").concat()
    );
    println!("cargo:rustc-env=BENCH_LPM_CC_MARCH={march}");
    println!(
        "cargo:rustc-env=BENCH_LPM_RUSTFLAGS={}",
        std::env::var("CARGO_ENCODED_RUSTFLAGS")
            .unwrap_or_default()
            .replace('\x1f', " ")
    );
}
