// SPDX-License-Identifier: GPL-2.0

//! What the peers allocate, and in pages of which size.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and a count of the bytes that were asked of it.
pub struct Counting;

/// Not exact if two threads allocate at a time; none does while a peer is built.
fn account(more: usize, less: usize) {
    LIVE.store(
        LIVE.load(Relaxed).wrapping_add(more).wrapping_sub(less),
        Relaxed,
    );
}

// SAFETY: All is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        account(layout.size(), 0);
        // SAFETY: By the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        account(layout.size(), 0);
        // SAFETY: By the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        account(0, layout.size());
        // SAFETY: By the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        account(size, layout.size());
        // SAFETY: By the caller's promise.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// Bytes that are allocated.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

/// Lets the heap be one piece that only grows, so that huge pages remain whole. To be called before
/// much is allocated, with `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`, which asks for huge pages.
pub fn one_heap() {
    // SAFETY: These settings may be made at any time; this runs before other threads do.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Of this process's own memory: MiB in all, and MiB in huge pages.
pub fn huge() -> (usize, usize) {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
            .and_then(|n| n.trim().parse::<usize>().ok())
            .unwrap_or(0)
            >> 10
    };
    (field("Anonymous:"), field("AnonHugePages:"))
}

/// MiB that the machine has.
pub fn machine() -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|n| n.trim().parse::<usize>().ok());
    kib.unwrap_or(0) >> 10
}
