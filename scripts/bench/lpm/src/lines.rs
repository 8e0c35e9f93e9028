// SPDX-License-Identifier: GPL-2.0

//! Lines that a lookup touches, by callgrind's simulation of caches: in this program under
//! callgrind ([`inside`]), and in the one that starts it ([`measure`]).
//!
//! The first cache is 16 lines: what a lookup finds in it is the stack and the like, and what it
//! misses are the lines of the table. The second is as large as the second level of a server's CPU.

use crate::{
    harness::{Mode, BATCH},
    peers::{Build, Kind},
    tables::{self, Draw, Keys},
};
use altfib_unit::lpm::{V4, V6};
use std::{
    arch::asm,
    collections::BTreeMap,
    ffi::CString,
    fs,
    hint::black_box,
    path::Path,
    process::{Command, Stdio},
};

const LOOKUPS: usize = 1 << 16;

const TOOL: u64 = (b'C' as u64) << 24 | (b'T' as u64) << 16;
const ZERO_STATS: u64 = TOOL + 1;
const DUMP_STATS_AT: u64 = TOOL + 3;
const START: u64 = TOOL + 4;
const STOP: u64 = TOOL + 5;

/// Tells valgrind something; does nothing without it.
fn request(what: u64, argument: u64) {
    let words = [what, argument, 0, 0, 0, 0];
    // SAFETY: The rotations add up to 128, so `rdi` is as before, and the exchange is of a register
    // with itself; valgrind, which knows this sequence, reads the words and sets `rdx`.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") words.as_ptr(),
            inout("rdx") 0u64 => _,
        );
    }
}

fn family<F: Build>() {
    let tables = tables::full::<F>();
    let peers = F::build(&tables::with_hops(&tables.table), false);
    let keys = Keys::<F>::draw(&tables.table, Draw::Prefix, LOOKUPS * 2);
    let mode = Mode {
        batch: false,
        dependent: false,
    };
    for peer in peers.all.iter().filter(|peer| peer.single) {
        request(START, 0);
        black_box(peer.run.run(&keys, mode, 0, LOOKUPS / BATCH * BATCH));
        request(ZERO_STATS, 0);
        black_box(peer.run.run(&keys, mode, LOOKUPS, LOOKUPS));
        let name = CString::new(format!("{}|{}", F::NAME, peer.name)).expect("no zero");
        request(DUMP_STATS_AT, name.as_ptr() as u64);
        request(STOP, 0);
    }
}

/// Under callgrind.
pub fn inside() {
    family::<V4>();
    family::<V6>();
}

#[derive(Clone, Debug)]
pub struct Touched {
    pub family: String,
    pub peer: String,
    pub lines: f64,
    /// Of these, not in 2 MiB.
    pub beyond: f64,
    pub instructions: f64,
}

/// Runs this program under callgrind.
pub fn measure(folder: &Path) -> Result<Vec<Touched>, String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--cache-sim=yes",
            "--D1=1024,16,64",
            "--LL=2097152,16,64",
            "--instr-atstart=no",
        ])
        .arg(format!("--callgrind-out-file={}/out", folder.display()))
        .arg(me)
        .arg("--inside-callgrind")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind does not start: {e}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rev().take(5).collect::<Vec<_>>().join(" | ");
        return Err(format!("callgrind: {}: {last}", output.status));
    }
    let mut rows = Vec::new();
    // One dump for each peer, numbered from 1.
    for n in 1.. {
        match fs::read_to_string(folder.join(format!("out.{n}"))) {
            Ok(text) => rows.extend(parse(&text)),
            Err(_) => break,
        }
    }
    // The loops touch lines of their own.
    let loops: Vec<_> = rows
        .iter()
        .filter(|row| row.peer == Kind::LOOP)
        .cloned()
        .collect();
    for row in &mut rows {
        if let Some(nothing) = loops.iter().find(|nothing| nothing.family == row.family) {
            row.lines -= nothing.lines;
            row.beyond -= nothing.beyond;
            row.instructions -= nothing.instructions;
        }
    }
    rows.retain(|row| row.peer != Kind::LOOP);
    Ok(rows)
}

/// One dump of callgrind's.
fn parse(text: &str) -> Option<Touched> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let reason = field("desc: Trigger: ")?;
    let (family, peer) = reason.strip_prefix("Client Request: ")?.split_once('|')?;
    let names = field("events: ")?.split_whitespace();
    let numbers = field("summary: ").or_else(|| field("totals: "))?;
    let counts: BTreeMap<&str, f64> = names
        .zip(numbers.split_whitespace().filter_map(|n| n.parse().ok()))
        .collect();
    let per = |names: [&str; 2]| {
        let sum: f64 = names.iter().filter_map(|&name| counts.get(name)).sum();
        sum / LOOKUPS as f64
    };
    Some(Touched {
        family: family.into(),
        peer: peer.into(),
        lines: per(["D1mr", "D1mw"]),
        beyond: per(["DLmr", "DLmw"]),
        instructions: per(["Ir", ""]),
    })
}
