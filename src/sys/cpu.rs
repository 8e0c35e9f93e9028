// SPDX-License-Identifier: GPL-2.0

//! What the processor can do beyond the kernel's baseline.
//!
//! C's `hweight64()` is patched at boot, which Rust cannot have: it is a static inline around an
//! `ALTERNATIVE()`, and so a call and no instruction. A static key chooses here, or a flag where
//! these are no jumps.

use super::bindings;

/// Finds out. Until then the portable ways are taken.
///
/// # Context
///
/// Process, may sleep; before the tables are used.
pub(crate) fn detect() {
    // SAFETY: Enables a static key.
    unsafe { bindings::detect_cpu() };
}

/// The number of bits that are set.
#[inline(always)]
pub(super) fn count_ones(v: u64) -> u32 {
    #[cfg(CONFIG_X86_64)]
    if has_popcnt() {
        let n: u64;
        // SAFETY: The processor has the instruction, which reads and writes registers only.
        unsafe {
            core::arch::asm!(
                "popcnt {}, {}",
                out(reg) n,
                in(reg) v,
                options(pure, nomem, nostack)
            );
        }
        return n as u32;
    }
    v.count_ones()
}

/// The key as the macro wants it: a field of something.
#[cfg(all(CONFIG_X86_64, CONFIG_JUMP_LABEL))]
#[repr(C)]
struct Key {
    key: kernel::bindings::static_key_false,
}

#[cfg(all(CONFIG_X86_64, CONFIG_JUMP_LABEL))]
extern "C" {
    static altfib_has_popcnt: Key;
}

#[cfg(all(CONFIG_X86_64, CONFIG_JUMP_LABEL))]
#[inline(always)]
fn has_popcnt() -> bool {
    // SAFETY: A static key that `helpers.c` defines.
    unsafe { kernel::jump_label::static_branch_unlikely!(altfib_has_popcnt, Key, key) }
}

#[cfg(all(CONFIG_X86_64, not(CONFIG_JUMP_LABEL)))]
extern "C" {
    static altfib_popcnt: bool;
}

#[cfg(all(CONFIG_X86_64, not(CONFIG_JUMP_LABEL)))]
#[inline(always)]
fn has_popcnt() -> bool {
    // SAFETY: A flag that `helpers.c` defines, and that `detect()` alone changes, before the tables
    // are used.
    unsafe { altfib_popcnt }
}
