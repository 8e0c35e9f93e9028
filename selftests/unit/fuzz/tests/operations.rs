// SPDX-License-Identifier: GPL-2.0

//! The fuzzer's body without a fuzzer: its corpus, then random inputs for a bounded time.

use altfib_fuzz::run;
use std::{
    fs,
    panic::catch_unwind,
    path::Path,
    time::{Duration, Instant},
};

/// Inputs, and the time after which fewer will do.
const INPUTS: u64 = 200_000;
const TIME: Duration = Duration::from_secs(20);

/// The corpus: name and content.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/operations");
    let mut all: Vec<_> = fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| {
            let entry = entry.expect("a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    all.sort();
    all
}

/// A failing input is printed, to be put into the corpus.
fn check(name: &str, data: &[u8]) {
    if catch_unwind(|| run(data)).is_err() {
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("input {name} fails; as for xxd -r -p: {hex}");
    }
}

#[test]
fn replay_the_corpus() {
    let corpus = corpus();
    assert!(corpus.len() >= 20, "{} files", corpus.len());
    for (name, data) in &corpus {
        check(name, data);
    }
}

/// splitmix64
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every second input is made of pieces of the corpus with a few bytes changed, the others are
/// random with few different bytes.
#[test]
fn random_inputs() {
    let corpus = corpus();
    let mut state = 7;
    let started = Instant::now();
    let mut done = 0;
    while done < INPUTS && started.elapsed() < TIME {
        let mut data = Vec::new();
        let r = next(&mut state);
        if r & 1 == 0 && !corpus.is_empty() {
            for _ in 0..1 + (r >> 1) % 4 {
                let (_, piece) = &corpus[next(&mut state) as usize % corpus.len()];
                let from = next(&mut state) as usize % (piece.len() + 1);
                data.extend_from_slice(&piece[from..]);
            }
            for _ in 0..(r >> 8) % 9 {
                let at = next(&mut state) as usize % (data.len() + 1);
                if let Some(byte) = data.get_mut(at) {
                    *byte = next(&mut state) as u8;
                }
            }
        } else {
            let mask = [0xff, 0x1f, 0x13, 0x8f][(r >> 1) as usize % 4];
            for _ in 0..(r >> 8) % 700 {
                data.push(next(&mut state) as u8 & mask);
            }
        }
        check(&format!("number {done}"), &data);
        done += 1;
    }
    println!("{done} inputs");
    assert!(done > INPUTS / 50, "only {done} inputs");
}
