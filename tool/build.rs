// SPDX-License-Identifier: GPL-2.0

//! The numbers of the netlink family, from the header that is generated from its specification.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const HEADER: &str = "../include/uapi/linux/altfib.h";

fn main() {
    println!("cargo::rerun-if-changed={HEADER}");
    let text = fs::read_to_string(HEADER).unwrap_or_else(|e| panic!("{HEADER}: {e}"));
    let mut out = String::new();
    let mut next: Option<u32> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("enum") {
            next = Some(0);
        } else if line.starts_with('}') {
            next = None;
        } else if let (Some(number), Some(entry)) = (next, line.strip_suffix(',')) {
            let (name, number) = match entry.split_once(" = ") {
                Some((name, text)) => (name, text.parse().expect(line)),
                None => (entry, number),
            };
            next = Some(number + 1);
            if name.starts_with("ALTFIB_") {
                // Commands have 8 bits, attributes 16, values as many as their attribute.
                let kind = match name {
                    _ if name.starts_with("ALTFIB_CMD_") => "u8",
                    _ if name.starts_with("ALTFIB_A_") => "u16",
                    _ if name.starts_with("ALTFIB_ADDRESS_") => "u8",
                    _ if name.starts_with("ALTFIB_ROUTE_") => "u8",
                    _ => "u32",
                };
                writeln!(out, "pub const {name}: {kind} = {number};").unwrap();
            }
        } else if let Some(rest) = line.strip_prefix("#define ALTFIB_") {
            if let Some((name, value)) = rest.split_once('\t') {
                let kind = if value.starts_with('"') { "&str" } else { "u8" };
                writeln!(out, "pub const ALTFIB_{name}: {kind} = {value};").unwrap();
            }
        }
    }
    assert!(
        out.contains("ALTFIB_CMD_SWITCHED"),
        "{HEADER} has no commands"
    );
    let dir = env::var_os("OUT_DIR").expect("OUT_DIR");
    fs::write(Path::new(&dir).join("uapi.rs"), out).expect("uapi.rs");
}
