// SPDX-License-Identifier: GPL-2.0

//! The sort of those who fill a table at once, against the standard library's.

use altfib_unit::lpm::sort::{sort, spare};
use proptest::prelude::*;

fn check(mut items: Vec<(u16, usize)>) {
    let mut wanted = items.clone();
    wanted.sort_by_key(|item| item.0);
    let mut room = vec![(7, 7); spare(items.len())];
    sort(&mut items, &mut room, |a, b| a.0 < b.0).expect("room");
    assert_eq!(items, wanted);
}

/// With their places, so that the order of equal ones shows.
fn placed(keys: impl IntoIterator<Item = u16>) -> Vec<(u16, usize)> {
    keys.into_iter()
        .enumerate()
        .map(|(n, key)| (key, n))
        .collect()
}

proptest! {
    #[test]
    fn as_the_standard_one(keys in prop::collection::vec(0u16..50, 0..700)) {
        check(placed(keys));
    }

    /// The last pair's left part is longer than half of all for many of these lengths.
    #[test]
    fn distinct(len in 0usize..3000, step in 1usize..3000) {
        check(placed((0..len).map(|n| (n * step % 3001) as u16)));
    }
}

#[test]
fn in_order_and_in_reverse() {
    for len in [0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 1000, 1024, 1025] {
        check(placed(0..len));
        check(placed((0..len).rev()));
        check(placed((0..len).map(|n| n / 7)));
    }
}

#[test]
fn too_little_room() {
    let mut items = [3, 1, 2];
    let mut room = [0; 3];
    assert_eq!(sort(&mut items, &mut room, |a, b| a < b), None);
    assert_eq!(items, [3, 1, 2]);
}
