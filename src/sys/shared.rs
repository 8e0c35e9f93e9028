// SPDX-License-Identifier: GPL-2.0

//! Memory that one writer changes while others read it without a lock.
//!
//! [`Blocks`] hands out zeroed blocks of cache lines and never takes one back before it is dropped
//! itself. All cells are atomic words. So a reader that follows a stale reference may read a wrong
//! number, but never memory that is not ours: the grace period that [`Grace`] tracks is about
//! right answers, not about safety.
//!
//! The module and the tests on the host share this source; they differ in `arch` only. With
//! `cfg(loom)` the host's atomics are loom's, which try all orders and all stale values.

use arch::Lock;
use core::{
    alloc::Layout,
    marker::PhantomData,
    mem::{needs_drop, size_of},
    ptr::NonNull,
};

pub use arch::{Flags, Grace, Half, Word};

const _: () = assert!(
    usize::BITS == 64,
    "addresses and their sizes are packed into one 64-bit word"
);

/// Words in a line.
pub const LINE_WORDS: usize = 8;

/// Halves of words in a line, as a power of two.
const LINE_HALVES_LOG: u32 = 4;

/// Lines of the largest block, as a power of two: 64 KiB, which an allocation in atomic context
/// can still hope for.
pub const BLOCK_LOG: u32 = 10;

/// No memory, or too many blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBlock;

/// One cache line.
#[repr(C, align(64))]
pub struct Line([Word; LINE_WORDS]);

impl Line {
    /// The word `i`, modulo the line.
    #[inline(always)]
    pub fn word(&self, i: usize) -> &Word {
        &self.0[i & (LINE_WORDS - 1)]
    }
}

// A loom cell is larger than a word. That the words of adjacent lines lie without gaps, and that
// they need no drop, is what allocating and freeing them relies on.
const _: () = assert!(
    size_of::<Line>() == LINE_WORDS * size_of::<Word>()
        && (cfg!(loom) || size_of::<Line>() == 64)
        && !needs_drop::<Word>()
);

/// A block of lines.
///
/// # Invariants
///
/// `lines` points to `1 << log` initialised lines, which live as long as `'a`. They have interior
/// mutability, and all accesses are atomic.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    lines: *const Line,
    log: u32,
    blocks: PhantomData<&'a Line>,
}

impl<'a> Block<'a> {
    /// Word `i` of line `line`, modulo the line.
    #[inline(always)]
    pub fn word(self, line: u32, i: u32) -> Option<&'a Word> {
        if line.wrapping_shr(self.log) != 0 {
            return None;
        }
        let at = (line as usize) * LINE_WORDS + (i as usize & (LINE_WORDS - 1));
        // SAFETY: By the invariant, as `line` is less than `1 << log`.
        Some(unsafe { &*self.lines.cast::<Word>().add(at) })
    }

    /// Half `i` of the words from line `line` on: 0 is the low half of the first.
    #[inline(always)]
    pub fn half(self, line: u32, i: u32) -> Option<Half<'a>> {
        let at = (line << LINE_HALVES_LOG).wrapping_add(i);
        if at.wrapping_shr(self.log.wrapping_add(LINE_HALVES_LOG)) != 0 {
            return None;
        }
        // SAFETY: By the invariant, as the line that `at` is in is less than `1 << log`.
        Some(unsafe { Half::new(self.lines.cast(), at as usize) })
    }

    /// All lines.
    #[inline(always)]
    pub fn lines(self) -> &'a [Line] {
        // SAFETY: By the invariant.
        unsafe { core::slice::from_raw_parts(self.lines, 1usize.wrapping_shl(self.log)) }
    }
}

/// The first directory's entries, and the most that a directory can have, as powers of two.
const DIR_FIRST: u32 = 3;
const DIR_LAST: u32 = 17;

/// Low bits of a packed pointer: the power of two of what it points to. Everything here is aligned
/// to a line, so these bits of the address are zero.
const LOG_MASK: u64 = 63;

/// An append-only list of blocks of cache lines, read without a lock.
///
/// # Invariants
///
/// `dir` and each entry of a directory are 0, or an address with the power of two `k` in the low
/// bits. A directory is an allocation of `dir_layout(k)`: a line whose first word is the packed
/// directory before it, then `1 << k` entries. A block is an allocation of `block_layout(k)`. Both
/// were zeroed before their address was published, live until `self` is dropped, and an entry that
/// is set does not change.
pub struct Blocks {
    dir: Word,
    used: Word,
    bytes: Word,
    lock: Lock,
}

fn block_layout(log: u32) -> Layout {
    // SAFETY: The alignment is a power of two, and the size is at most 2^15 lines.
    unsafe { Layout::from_size_align_unchecked(size_of::<Line>() << (log & 15), 64) }
}

fn dir_layout(log: u32) -> Layout {
    let size = size_of::<Line>() + (size_of::<Word>() << (log & 31));
    // SAFETY: The alignment is a power of two, and the size is at most a line and 2^31 words.
    unsafe { Layout::from_size_align_unchecked(size, 64) }
}

#[inline(always)]
fn unpack(packed: u64) -> (*const Line, u32) {
    (
        core::ptr::with_exposed_provenance((packed & !LOG_MASK) as usize),
        (packed & LOG_MASK) as u32,
    )
}

fn pack(ptr: NonNull<u8>, log: u32) -> u64 {
    (ptr.as_ptr().expose_provenance() as u64) | u64::from(log)
}

impl Blocks {
    /// An empty list; allocates nothing.
    pub fn new() -> Self {
        // INVARIANT: 0 is no directory.
        Blocks {
            dir: Word::new(0),
            used: Word::new(0),
            bytes: Word::new(0),
            lock: Lock::new(),
        }
    }

    /// Bytes allocated: blocks and directories.
    pub fn bytes(&self) -> usize {
        self.bytes.load() as usize
    }

    /// Block `n`.
    #[inline(always)]
    pub fn block(&self, n: u32) -> Option<Block<'_>> {
        let mut packed = Self::entry(self.dir.follow(), n);
        if packed == 0 {
            packed = self.entry_again(n);
        }
        (packed != 0).then(|| self.at(packed))
    }

    /// The directory at hand did not have the block. A CPU that reorders loads may have read the
    /// directory before the reference, and a newer directory has it.
    #[cold]
    #[inline(never)]
    fn entry_again(&self, n: u32) -> u64 {
        arch::read_barrier();
        Self::entry(self.dir.follow(), n)
    }

    /// The packed address of block `n` in the directory `dir`, 0 if it has none.
    #[inline(always)]
    fn entry(dir: u64, n: u32) -> u64 {
        let (ptr, log) = unpack(dir);
        // No directory is 0, which says that it ends before its first entry; so one comparison is
        // enough, and the last entry of a directory is not used.
        if n.wrapping_add(1).wrapping_shr(log) != 0 {
            return 0;
        }
        // SAFETY: By the invariant the directory is one line and `1 << log` entries, all of them
        // initialised atomic words that live as long as `self` is borrowed; `n` was checked.
        let cell = unsafe { &*ptr.add(1).cast::<Word>().add(n as usize) };
        cell.follow()
    }

    #[inline(always)]
    fn at(&self, packed: u64) -> Block<'_> {
        let (lines, log) = unpack(packed);
        // INVARIANT: By the invariant of `self` a published block is `1 << log` initialised lines,
        // which live until `self` is dropped.
        Block {
            lines,
            log,
            blocks: PhantomData,
        }
    }

    /// Appends `count` (1 to 4) zeroed blocks of `1 << log` lines each with numbers in a row, and
    /// returns the first number. Adds all of them or none.
    pub fn add(&self, count: u32, log: u32, flags: Flags) -> Result<u32, NoBlock> {
        if log > BLOCK_LOG || !self.lock.try_lock() {
            return Err(NoBlock);
        }
        let first = self.add_locked(count, log, flags);
        self.lock.unlock();
        first
    }

    fn add_locked(&self, count: u32, log: u32, flags: Flags) -> Result<u32, NoBlock> {
        let first = self.used.load() as u32;
        let end = first.wrapping_add(count);
        if end >= 1 << DIR_LAST {
            return Err(NoBlock);
        }
        let mut fresh = [None; 4];
        let mut missing = 0;
        for slot in fresh.iter_mut().take(count as usize) {
            *slot = arch::alloc(block_layout(log), flags);
            missing |= u32::from(slot.is_none());
        }
        if missing != 0 || !self.reserve(end, flags) {
            for ptr in fresh.into_iter().flatten() {
                // SAFETY: Allocated above with this layout, and nobody else knows the address.
                unsafe { arch::free(ptr, block_layout(log)) };
            }
            return Err(NoBlock);
        }
        let (ptr, _) = unpack(self.dir.load());
        let mut n = first;
        for block in fresh.into_iter().flatten() {
            // SAFETY: `reserve` saw to it that the directory has `end` entries.
            let cell = unsafe { &*ptr.add(1).cast::<Word>().add(n as usize) };
            n = n.wrapping_add(1);
            // INVARIANT: `block` is zeroed and was allocated with `block_layout(log)`.
            cell.publish(pack(block, log));
        }
        self.used.store(u64::from(end));
        self.account(block_layout(log), count);
        Ok(first)
    }

    /// Bytes that [`Blocks::add`] would add, if nobody else adds.
    pub fn cost(&self, count: u32, log: u32) -> usize {
        let blocks = accounted(block_layout(log)).wrapping_mul(count as usize);
        let end = (self.used.load() as u32).wrapping_add(count);
        match self.wanted_dir(end) {
            Some(log) => accounted(dir_layout(log)).wrapping_add(blocks),
            None => blocks,
        }
    }

    /// The power of two of the directory that must replace the one there is for `entries`, if that
    /// is too small.
    fn wanted_dir(&self, entries: u32) -> Option<u32> {
        let dir = self.dir.load();
        let (_, mut log) = unpack(dir);
        if dir != 0 && entries < 1u32.wrapping_shl(log) {
            return None;
        }
        log = log.max(DIR_FIRST);
        while entries >= 1u32.wrapping_shl(log) {
            log = log.wrapping_add(1);
        }
        Some(log)
    }

    /// Makes the directory hold `entries` at least.
    fn reserve(&self, entries: u32, flags: Flags) -> bool {
        let Some(log) = self.wanted_dir(entries) else {
            return true;
        };
        let old = self.dir.load();
        let (old_ptr, old_log) = unpack(old);
        let Some(fresh) = arch::alloc(dir_layout(log), flags) else {
            return false;
        };
        let head = fresh.as_ptr().cast_const().cast::<Line>();
        // SAFETY: The allocation is a line and `1 << log` words, zeroed.
        unsafe { (*head).word(0).store(old) };
        if old != 0 {
            for n in 0..1usize.wrapping_shl(old_log) {
                // SAFETY: Both directories have more than `1 << old_log` entries.
                unsafe {
                    let from = &*old_ptr.add(1).cast::<Word>().add(n);
                    let to = &*head.add(1).cast::<Word>().add(n);
                    to.store(from.load());
                }
            }
        }
        // INVARIANT: Zeroed, then filled with the entries that were there; keeps the old one.
        self.dir.publish(pack(fresh, log));
        self.account(dir_layout(log), 1);
        true
    }

    /// Counts `count` allocations.
    fn account(&self, layout: Layout, count: u32) {
        let more = (accounted(layout) as u64).wrapping_mul(u64::from(count));
        self.bytes.store(self.bytes.load().wrapping_add(more));
    }
}

/// Bytes of an allocation, of 64 a line, whatever loom takes for one.
fn accounted(layout: Layout) -> usize {
    layout.size() / size_of::<Line>() * 64
}

impl Default for Blocks {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let mut dir = self.dir.load();
        for n in 0..self.used.load() as u32 {
            let packed = Self::entry(dir, n);
            if let Some(ptr) = NonNull::new(unpack(packed).0.cast_mut().cast::<u8>()) {
                // SAFETY: By the invariant this is an allocation with this layout; each number is
                // freed once, and nobody borrows `self` any more.
                unsafe { arch::free(ptr, block_layout(unpack(packed).1)) };
            }
        }
        while let Some(ptr) = NonNull::new(unpack(dir).0.cast_mut()) {
            let layout = dir_layout(unpack(dir).1);
            // SAFETY: By the invariant the directory starts with an initialised line.
            dir = unsafe { ptr.as_ref() }.word(0).load();
            // SAFETY: As for the blocks.
            unsafe { arch::free(ptr.cast(), layout) };
        }
    }
}

/// The number of bits that are set.
#[inline(always)]
pub fn count_ones(v: u64) -> u32 {
    arch::count_ones(v)
}

/// Orders the loads before it before the loads after it.
#[inline(always)]
pub fn read_barrier() {
    arch::read_barrier();
}

/// Asks for the cache line of `at`; does nothing where there is no such instruction.
#[inline(always)]
pub fn prefetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: A hint, about an address that is ours.
    unsafe {
        core::arch::asm!(
            "prefetcht0 [{}]",
            in(reg) at,
            options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Whether a test wants this allocation to fail; for allocators on top of [`Blocks`].
#[inline(always)]
pub fn injected_failure() -> bool {
    arch::injected_failure()
}

#[cfg(CONFIG_RUST)]
mod arch {
    use core::{alloc::Layout, cell::UnsafeCell, ptr::NonNull};
    use kernel::{
        alloc::{allocator::Kmalloc, flags::__GFP_ZERO, Allocator, NumaNode},
        bindings,
        sync::atomic::{ordering, Atomic},
    };

    use crate::sys::compat;

    pub use kernel::alloc::Flags;

    pub(super) fn alloc(layout: Layout, flags: Flags) -> Option<NonNull<u8>> {
        Kmalloc::alloc(layout, flags | __GFP_ZERO, NumaNode::NO_NODE)
            .ok()
            .map(NonNull::cast)
    }

    /// # Safety
    ///
    /// `ptr` comes from [`alloc`] with the same layout and is not used again.
    pub(super) unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: By this function's own requirements.
        unsafe { Kmalloc::free(ptr, layout) };
    }

    #[inline(always)]
    pub(super) fn injected_failure() -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn count_ones(v: u64) -> u32 {
        crate::sys::cpu::count_ones(v)
    }

    #[inline(always)]
    pub(super) fn read_barrier() {
        if cfg!(target_arch = "x86_64") {
            // x86 keeps loads in order; `smp_rmb()` would be a call where helpers are not inline.
            //
            // SAFETY: An empty statement, which the compiler must take for an access to memory.
            unsafe { core::arch::asm!("", options(nostack, preserves_flags)) };
        } else {
            compat::smp_rmb();
        }
    }

    /// A 64-bit cell; volatile accesses stand for `READ_ONCE()` and `WRITE_ONCE()`, because the
    /// `kernel` crate's atomics are function calls in most builds.
    #[repr(transparent)]
    pub struct Word(UnsafeCell<u64>);

    // SAFETY: All accesses are volatile, aligned and of the machine's word size: what the kernel's
    // memory model calls marked accesses, which may race.
    unsafe impl Sync for Word {}

    impl Word {
        /// A cell with `v`.
        pub const fn new(v: u64) -> Self {
            Word(UnsafeCell::new(v))
        }

        /// Reads, in no order with other accesses.
        #[inline(always)]
        pub fn load(&self) -> u64 {
            // SAFETY: The cell is valid and aligned; see `Sync` for races.
            unsafe { self.0.get().read_volatile() }
        }

        /// Reads a reference: what was written before it was published is seen through it.
        #[inline(always)]
        pub fn follow(&self) -> u64 {
            // The address dependency orders, as with `rcu_dereference()`.
            self.load()
        }

        /// Writes, in no order with other accesses.
        #[inline(always)]
        pub fn store(&self, v: u64) {
            // SAFETY: As for `load`.
            unsafe { self.0.get().write_volatile(v) };
        }

        /// Writes after all that was written before.
        #[inline]
        pub fn publish(&self, v: u64) {
            compat::smp_wmb();
            self.store(v);
        }
    }

    /// Half of a word, read and written by itself. A word whose halves may be written while others
    /// read is accessed by halves only as long as it may.
    #[derive(Clone, Copy)]
    pub struct Half<'a>(&'a UnsafeCell<u32>);

    impl Half<'_> {
        /// Half `i` of the words from `words` on.
        ///
        /// # Safety
        ///
        /// There are so many words there, initialised and valid for the lifetime.
        #[inline(always)]
        pub(super) unsafe fn new(words: *const Word, i: usize) -> Self {
            let i = i ^ usize::from(cfg!(target_endian = "big"));
            // SAFETY: By this function's own requirement.
            Half(unsafe { &*words.cast::<UnsafeCell<u32>>().add(i) })
        }

        /// Reads a reference, as [`Word::follow`] does.
        #[inline(always)]
        pub fn follow(self) -> u32 {
            // SAFETY: The cell is valid and aligned; see `Word`'s `Sync` for races.
            unsafe { self.0.get().read_volatile() }
        }

        /// Writes after all that was written before.
        #[inline]
        pub fn publish(self, v: u32) {
            compat::smp_wmb();
            // SAFETY: As for `follow`.
            unsafe { self.0.get().write_volatile(v) };
        }

        /// Asks for its cache line.
        #[inline(always)]
        pub fn prefetch(self) {
            super::prefetch(self.0);
        }
    }

    /// Taken by trying only: two at once is a caller's mistake, and the second fails.
    pub(super) struct Lock(Atomic<i32>);

    impl Lock {
        pub(super) fn new() -> Self {
            Lock(Atomic::new(0))
        }

        pub(super) fn try_lock(&self) -> bool {
            self.0.xchg(1, ordering::Acquire) == 0
        }

        pub(super) fn unlock(&self) {
            self.0.store(0, ordering::Release);
        }
    }

    /// A grace period that was asked for.
    #[derive(Clone, Copy)]
    pub struct Grace(u64);

    impl Grace {
        /// Asks for a grace period that begins after this call.
        pub fn start() -> Grace {
            // SAFETY: May be called in any context with interrupts enabled.
            Grace(unsafe { bindings::start_poll_synchronize_rcu() } as u64)
        }

        /// Whether it is over.
        pub fn elapsed(self) -> bool {
            // SAFETY: May be called in any context.
            unsafe { bindings::poll_state_synchronize_rcu(self.0 as usize) }
        }

        /// The cookie, to be stored in a word.
        pub fn to_word(self) -> u64 {
            self.0
        }

        /// From a word that [`Grace::to_word`] gave.
        pub fn from_word(v: u64) -> Grace {
            Grace(v)
        }
    }
}

#[cfg(not(CONFIG_RUST))]
mod arch {
    use core::{alloc::Layout, ptr::NonNull};
    #[cfg(loom)]
    use loom::sync::atomic::{fence, AtomicBool, AtomicU64, Ordering};
    #[cfg(not(loom))]
    use std::sync::atomic::{fence, AtomicBool, AtomicU32, AtomicU64, Ordering};

    use crate::host;

    #[inline(always)]
    pub(super) fn count_ones(v: u64) -> u32 {
        v.count_ones()
    }

    /// Stands for the kernel's allocation flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags;

    pub(super) fn alloc(layout: Layout, _: Flags) -> Option<NonNull<u8>> {
        if injected_failure() {
            return None;
        }
        // SAFETY: No layout of this module has size zero.
        let ptr = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })?;
        #[cfg(loom)]
        for n in 0..layout.size() / size_of::<Word>() {
            // SAFETY: In the allocation, and aligned, since a layout is a number of words. A word
            // of loom's is not zero when its bytes are.
            unsafe { ptr.cast::<Word>().add(n).write(Word::new(0)) };
        }
        Some(ptr)
    }

    /// # Safety
    ///
    /// `ptr` comes from [`alloc`] with the same layout and is not used again.
    pub(super) unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: By this function's own requirements.
        unsafe { std::alloc::dealloc(ptr.as_ptr(), layout) };
    }

    pub(super) fn injected_failure() -> bool {
        host::allocation_fails()
    }

    #[inline(always)]
    pub(super) fn read_barrier() {
        fence(Ordering::Acquire);
    }

    /// A 64-bit cell.
    #[repr(transparent)]
    pub struct Word(AtomicU64);

    impl Word {
        /// A cell with `v`.
        pub fn new(v: u64) -> Self {
            Word(AtomicU64::new(v))
        }

        /// Reads, in no order with other accesses.
        #[inline(always)]
        pub fn load(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        /// Reads a reference: what was written before it was published is seen through it.
        #[inline(always)]
        pub fn follow(&self) -> u64 {
            self.0.load(Ordering::Acquire)
        }

        /// Writes, in no order with other accesses.
        #[inline(always)]
        pub fn store(&self, v: u64) {
            self.0.store(v, Ordering::Relaxed);
        }

        /// Writes after all that was written before.
        #[inline]
        pub fn publish(&self, v: u64) {
            self.0.store(v, Ordering::Release);
        }
    }

    /// Half of a word, read and written by itself. A word whose halves may be written while others
    /// read is accessed by halves only as long as it may.
    #[cfg(not(loom))]
    #[derive(Clone, Copy)]
    pub struct Half<'a>(&'a AtomicU32);

    #[cfg(not(loom))]
    impl Half<'_> {
        /// Half `i` of the words from `words` on.
        ///
        /// # Safety
        ///
        /// There are so many words there, initialised and valid for the lifetime.
        #[inline(always)]
        pub(super) unsafe fn new(words: *const Word, i: usize) -> Self {
            let i = i ^ usize::from(cfg!(target_endian = "big"));
            // SAFETY: By this function's own requirement.
            Half(unsafe { &*words.cast::<AtomicU32>().add(i) })
        }

        /// Reads a reference, as [`Word::follow`] does.
        #[inline(always)]
        pub fn follow(self) -> u32 {
            self.0.load(Ordering::Acquire)
        }

        /// Writes after all that was written before.
        #[inline]
        pub fn publish(self, v: u32) {
            self.0.store(v, Ordering::Release);
        }

        /// Asks for its cache line.
        #[inline(always)]
        pub fn prefetch(self) {
            super::prefetch(self.0);
        }
    }

    /// Loom's cells cannot be taken apart: here a half is written with its word, which only the one
    /// writer does.
    #[cfg(loom)]
    #[derive(Clone, Copy)]
    pub struct Half<'a>(&'a Word, u32);

    #[cfg(loom)]
    impl Half<'_> {
        /// Half `i` of the words from `words` on.
        ///
        /// # Safety
        ///
        /// There are so many words there, initialised and valid for the lifetime.
        pub(super) unsafe fn new(words: *const Word, i: usize) -> Self {
            // SAFETY: By this function's own requirement.
            Half(unsafe { &*words.add(i >> 1) }, (i as u32 & 1) << 5)
        }

        /// Reads a reference, as [`Word::follow`] does.
        pub fn follow(self) -> u32 {
            (self.0.follow() >> self.1) as u32
        }

        /// Writes after all that was written before.
        pub fn publish(self, v: u32) {
            let kept = self.0.load() & !(u64::from(u32::MAX) << self.1);
            self.0.publish(kept | (u64::from(v) << self.1));
        }

        /// Asks for its cache line.
        pub fn prefetch(self) {}
    }

    /// Taken by trying only: two at once is a caller's mistake, and the second fails.
    pub(super) struct Lock(AtomicBool);

    impl Lock {
        pub(super) fn new() -> Self {
            Lock(AtomicBool::new(false))
        }

        pub(super) fn try_lock(&self) -> bool {
            !self.0.swap(true, Ordering::Acquire)
        }

        pub(super) fn unlock(&self) {
            self.0.store(false, Ordering::Release);
        }
    }

    /// A grace period that was asked for.
    #[derive(Clone, Copy)]
    pub struct Grace(u64);

    impl Grace {
        /// Asks for a grace period that begins after this call.
        pub fn start() -> Grace {
            Grace(host::grace_start())
        }

        /// Whether it is over.
        pub fn elapsed(self) -> bool {
            host::grace_elapsed(self.0)
        }

        /// The cookie, to be stored in a word.
        pub fn to_word(self) -> u64 {
            self.0
        }

        /// From a word that [`Grace::to_word`] gave.
        pub fn from_word(v: u64) -> Grace {
            Grace(v)
        }
    }
}
