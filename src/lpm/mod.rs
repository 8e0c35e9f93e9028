// SPDX-License-Identifier: GPL-2.0

//! Longest-prefix match, for one writer and any number of readers that take no lock.
//!
//! # Structure
//!
//! A trie with a stride of 8 bits. What lookups read of a node is its *chunk*: 256 slots, compressed
//! into runs of equal slots, a bitmap of where the runs start and one 32-bit entry a run, all in
//! one to 17 adjacent cache lines (`chunk`). A table that has grown replaces the first two levels
//! by an array of 65,536 slots. An address is *governed* by one word: the entry of its run or, where no
//! prefix of the chunk covers it and the entry is 0, the chunk's `cover`, the best of the shorter
//! prefixes. So a short prefix writes covers and rebuilds no chunk, and since only one word of an
//! address changes at a time, a lookup beside the writer gives the answer from before an update or
//! from after it. Whether an entry is 0 never changes in a published chunk, nor do its runs.
//! The default route is governed by a word of its own with a counter in it; a lookup that falls
//! through to it repeats if the word changed meanwhile.
//!
//! The writer keeps the prefixes themselves in a trie of the same shape (`shadow`), which readers
//! do not touch.
//!
//! # Memory
//!
//! Both live in blocks of lines that are given back only when the whole table goes
//! ([`crate::sys::shared`]). What readers may still see waits for a grace period, by polling, and
//! is then used again. An update first gets all the memory it needs, which may fail and leaves the
//! table as it was, then it changes the table, which cannot.
//!
//! # For the reader of the code
//!
//! Indexes are looked up with `get()` or masked: nothing here may panic. A number that cannot be
//! out of range still needs an answer for the case that it is; that answer is 0, "no route".

#![forbid(unsafe_code)]

mod algorithm;
mod arena;
#[cfg(not(CONFIG_RUST))]
mod batch;
mod chunks;
mod family;
mod ranges;
pub mod sort;
mod store;
mod table;
mod writer;

pub use crate::sys::shared::Flags;
pub use algorithm::Algorithm;
pub use family::{Family, Prefix, V4, V6};
pub use table::Table;
pub use writer::Writer;

/// What a prefix leads to: 0 is "no route", other values are the caller's. Stored exactly below
/// 2^31.
pub type Value = u32;

/// The largest next-hop id. Bit 30 of a value is left to the caller, as a flag.
pub const MAX_VALUE: Value = (1 << 30) - 1;

/// The bits of a value that are kept.
const VALUE_MASK: u32 = (1 << 31) - 1;

/// Why a table was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An allocation failed.
    NoMemory,
    /// The table would exceed its budget ([`Writer::set_budget`]).
    Budget,
    /// The prefixes given to [`Writer::build`] were not in order, or the table was not empty.
    Unsorted,
}
