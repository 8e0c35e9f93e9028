// SPDX-License-Identifier: GPL-2.0

//! The micro part: `cargo bench`, a few loops by divan. The whole comparison is the program.

use altfib_unit::lpm::{V4, V6};
use bench_lpm::{
    clock,
    harness::{Mode, Run},
    memory,
    ours::Ours,
    tables::{self, Draw, Fam, Keys},
};
use divan::{counter::ItemsCount, Bencher};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn main() {
    memory::one_heap();
    clock::pin(clock::cpus() - 1);
    divan::main();
}

const MODES: [Mode; 4] = Mode::ALL;

fn lookups<F: Fam>(bencher: Bencher<'_, '_>, draw: Draw, mode: usize) {
    let table = tables::full::<F>().table;
    let ours = Ours::build(&tables::with_hops(&table));
    let keys = Keys::<F>::draw(&table, draw, 1 << 18);
    bencher
        .counter(ItemsCount::new(keys.count))
        .bench_local(|| ours.run(black_box(&keys), MODES[mode], 0, keys.count));
}

// 0 and 1: single lookups, independent and dependent; 2 and 3: batches.
#[divan::bench(args = [0, 1, 2, 3], sample_count = 20, sample_size = 1)]
fn v4_per_prefix(bencher: Bencher<'_, '_>, mode: usize) {
    lookups::<V4>(bencher, Draw::Prefix, mode);
}

#[divan::bench(args = [0, 1, 2, 3], sample_count = 20, sample_size = 1)]
fn v4_uniform(bencher: Bencher<'_, '_>, mode: usize) {
    lookups::<V4>(bencher, Draw::Uniform, mode);
}

#[divan::bench(args = [0, 1, 2, 3], sample_count = 20, sample_size = 1)]
fn v6_per_prefix(bencher: Bencher<'_, '_>, mode: usize) {
    lookups::<V6>(bencher, Draw::Prefix, mode);
}

fn build<F: Fam>(bencher: Bencher<'_, '_>) {
    let routes = tables::shuffled(&tables::with_hops(&tables::full::<F>().table));
    bencher
        .counter(ItemsCount::new(routes.len()))
        .bench_local(|| Ours::build(black_box(&routes)));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn v4_build(bencher: Bencher<'_, '_>) {
    build::<V4>(bencher);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn v6_build(bencher: Bencher<'_, '_>) {
    build::<V6>(bencher);
}
