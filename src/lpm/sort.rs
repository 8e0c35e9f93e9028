// SPDX-License-Identifier: GPL-2.0

//! A stable sort for those who fill a table at once.
//!
//! `core`'s `sort_unstable()` recurses, up to twice the logarithm of the number of elements deep,
//! which is more than a kernel's stack has room for. This is a merge sort from the bottom up. What
//! is in order already, as most of the kernel's dump is, is not moved.

/// Elements that are sorted by insertion.
const BLOCK: usize = 16;

/// The elements that [`sort`] needs room for beside `len` of them.
pub fn spare(len: usize) -> usize {
    len / 2 + BLOCK
}

/// Sorts `items`; `before` says whether its first argument must come before its second. Elements of
/// which neither must come first keep their order. `room` is overwritten.
///
/// # Errors
///
/// `None` if `room` has less than [`spare`] elements: nothing is sorted then.
pub fn sort<T: Copy>(
    items: &mut [T],
    room: &mut [T],
    before: impl Fn(&T, &T) -> bool,
) -> Option<()> {
    if room.len() < spare(items.len()) {
        return None;
    }
    for block in items.chunks_mut(BLOCK) {
        insertion(block, &before);
    }
    let mut width = BLOCK;
    while width < items.len() {
        // The left part of the last pair may be longer than half of all: then the right is shorter.
        for pair in items.chunks_mut(width.saturating_mul(2)) {
            if pair.len() > width {
                merge(pair, width, room, &before);
            }
        }
        width = width.saturating_mul(2);
    }
    Some(())
}

fn insertion<T: Copy>(items: &mut [T], before: &impl Fn(&T, &T) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 {
            match items.get(at.wrapping_sub(1)..at.wrapping_add(1)) {
                Some([left, right]) if before(right, left) => items.swap(at.wrapping_sub(1), at),
                _ => break,
            }
            at = at.wrapping_sub(1);
        }
    }
}

/// Merges the parts of `pair`, the second of which starts at `mid`.
fn merge<T: Copy>(pair: &mut [T], mid: usize, room: &mut [T], before: &impl Fn(&T, &T) -> bool) {
    match (pair.get(mid.wrapping_sub(1)), pair.get(mid)) {
        (Some(left), Some(right)) if before(right, left) => {}
        _ => return,
    }
    if mid <= room.len() {
        // From the front, with the left part out of the way.
        let Some(left) = room.get_mut(..mid) else {
            return;
        };
        for (to, from) in left.iter_mut().zip(pair.iter()) {
            *to = *from;
        }
        let (mut l, mut r) = (0usize, mid);
        for to in 0..pair.len() {
            let next = match (left.get(l), pair.get(r)) {
                (Some(a), Some(b)) if before(b, a) => {
                    r = r.wrapping_add(1);
                    *b
                }
                (Some(a), _) => {
                    l = l.wrapping_add(1);
                    *a
                }
                // What is left of the right part is in its place.
                _ => return,
            };
            if let Some(slot) = pair.get_mut(to) {
                *slot = next;
            }
        }
        return;
    }
    // From the back, with the right part out of the way.
    let len = pair.len().wrapping_sub(mid);
    let Some(right) = room.get_mut(..len) else {
        return;
    };
    for (to, from) in right.iter_mut().zip(pair.iter().skip(mid)) {
        *to = *from;
    }
    let (mut l, mut r) = (mid, len);
    for to in (0..pair.len()).rev() {
        let (a, b) = (l.checked_sub(1), r.checked_sub(1));
        let next = match (a.and_then(|a| pair.get(a)), b.and_then(|b| right.get(b))) {
            (Some(a), Some(b)) if before(b, a) => {
                l = l.wrapping_sub(1);
                *a
            }
            (_, Some(b)) => {
                r = r.wrapping_sub(1);
                *b
            }
            _ => return,
        };
        if let Some(slot) = pair.get_mut(to) {
            *slot = next;
        }
    }
}
