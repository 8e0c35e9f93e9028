// SPDX-License-Identifier: GPL-2.0

//! What an algorithm must be able to do, and which there are.
//!
//! An algorithm keeps the prefixes but the default route, and what lookups read of them. A table
//! uses one at a time; which one is in the table's root word, so that the change from one to
//! another is one store. The lookup dispatches by that word with a branch, never by an indirect
//! call. The idea, and that each algorithm says how much it would like to serve a table of some
//! size, is FreeBSD's `fib_algo`, made small.

use super::{
    family::{Family, Prefix},
    store::Update,
    Error, Value,
};
use crate::sys::shared::Blocks;

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Sorted ranges of addresses, for a handful of prefixes.
    Ranges,
    /// Compact chunks, for everything else.
    Chunks,
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Algorithm; 2] = [Algorithm::Ranges, Algorithm::Chunks];

    /// The name, as in `net.altfib.ipv4.algorithm`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Ranges => "ranges",
            Algorithm::Chunks => "chunks",
        }
    }

    /// How much it would like to serve a table of `prefixes`, from 0 (not at all) to 255.
    ///
    /// The two are equal at 25 prefixes, which is about where their lookups take the same time.
    pub const fn preference(self, prefixes: usize) -> u8 {
        match self {
            Algorithm::Ranges if prefixes < 50 => 200 - 4 * prefixes as u8,
            Algorithm::Ranges => 0,
            Algorithm::Chunks => 100,
        }
    }

    /// The best for a table of `prefixes` that is served by `self`, or by none yet: another only if
    /// it is clearly better, so that a table that changes about a border does not change hands
    /// all the time.
    pub(super) fn best(current: Option<Self>, prefixes: usize) -> Self {
        let mut best = current.unwrap_or(Algorithm::Chunks);
        let margin = if current.is_some() { MARGIN } else { 0 };
        for other in Self::ALL {
            let wanted = best.preference(prefixes).saturating_add(margin);
            if other != best && other.preference(prefixes) > wanted {
                best = other;
            }
        }
        best
    }
}

/// By how much another algorithm's preference must be higher: from ranges to chunks with more than
/// 33 prefixes, back with fewer than 17.
const MARGIN: u8 = 32;

/// The writer's side of an algorithm.
///
/// All changes follow the rule of the module: take what is needed, which may fail, then change,
/// which cannot; when an error is returned nothing has changed, and the caller gives back what the
/// [`Update`] took.
pub(super) trait Engine<F: Family>: Sized {
    /// Number of prefixes.
    fn len(&self) -> usize;

    /// The value of exactly this prefix, 0 if it is not there.
    fn get(&self, own: &Blocks, p: Prefix<F>) -> Value;

    /// The prefix after `after` in the order of (address, length), or the first. `after` need not
    /// be there.
    fn next(&self, own: &Blocks, after: Option<Prefix<F>>) -> Option<(Prefix<F>, Value)>;

    /// Inserts `p`, which is not the default route, or replaces its value; returns the old one.
    fn insert(&mut self, up: &mut Update<'_, F>, p: Prefix<F>, v: Value) -> Result<Value, Error>;

    /// Removes `p`, which is not the default route, and returns the value it had, 0 if none.
    fn remove(&mut self, up: &mut Update<'_, F>, p: Prefix<F>) -> Result<Value, Error>;

    /// Builds it at once from sorted prefixes without a default route, about `len` of them, which
    /// `sorted` gives one by one and may read from the writer's blocks. Publishes nothing.
    fn build(
        up: &mut Update<'_, F>,
        len: usize,
        sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
        shape: Shape,
    ) -> Result<Self, Error>;

    /// The root word by which lookups find it.
    fn root(&self) -> u64;

    /// Sees to it that [`Engine::retire`] finds room.
    fn prepare_retire(&self, up: &mut Update<'_, F>) -> Result<(), Error>;

    /// Gives all memory back. Readers that came before the root changed may still be there.
    fn retire(self, up: &mut Update<'_, F>);

    /// Bytes that lookups touch beyond the shared extents in use.
    fn extra(&self) -> usize;
}

/// From how many prefixes on a table has an array for the first 16 bits, and below how many it
/// gives it up.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) widen_at: usize,
    pub(super) narrow_at: usize,
}
