// SPDX-License-Identifier: GPL-2.0

//! The array for the first 16 bits: 65,536 slots, each a value or the chunk of level 2, that stand
//! for the chunks of levels 0 and 1 in a table that has grown.

use super::super::{
    algorithm::Engine,
    family::{Family, Prefix},
    store::{Place, Update},
    Error,
};
use super::{
    chunk::{self, Image},
    cover_of,
    shadow::{self, View},
    Chunks,
};
use crate::sys::shared::{Blocks, Grace, Half, BLOCK_LOG};

/// In the root word: the low half is the first of the four blocks of the array, instead of a chunk
/// of level 0.
pub(in super::super) const WIDE: u64 = 1 << 32;

/// Blocks of the array.
const WIDE_BLOCKS: u32 = 4;

/// Bytes of the array.
pub(super) const WIDE_BYTES: usize = 256 << 10;

/// Updates until the next attempt to change the shape, if memory was short.
const SHAPE_PAUSE: u32 = 256;

/// Slot `slot` of the array that starts at block `base`.
#[inline(always)]
pub(in super::super) fn slot(blocks: &Blocks, base: u32, slot: u32) -> Option<Half<'_>> {
    blocks
        .block(base.wrapping_add(slot >> 14))?
        .half(0, slot & 0x3fff)
}

/// Stores `v` into slots `from..to` of the array at block `base`.
fn fill(blocks: &Blocks, base: u32, from: u32, to: u32, v: u32) {
    for n in from..to {
        if let Some(slot) = slot(blocks, base, n) {
            slot.publish(v);
        }
    }
}

impl<F: Family> Chunks<F> {
    /// Stores `v` into slots `from..to` of the array.
    pub(super) fn fill(&self, up: &Update<'_, F>, from: u32, to: u32, v: u32) {
        fill(up.shared(), self.wide_base, from, to, v);
    }

    /// Writes the part of the array that belongs to slots `low..high` of a node of level 1 and to
    /// none of its children.
    pub(super) fn fill_node(&self, up: &Update<'_, F>, node: u32, slot: u32, low: u32, high: u32) {
        let view = View::new(up.own(), node);
        let cover = view.cover();
        view.walk(low, high, |from, to, value, kid| {
            if kid.is_none() {
                let value = if value == 0 { cover } else { value };
                let base = slot << 8;
                self.fill(up, base.wrapping_add(from), base.wrapping_add(to), value);
            }
        });
    }

    /// Writes the part of the array that belongs to slots `low..high` of a node of level 0 or 1, the
    /// one of `p`, and to none of its children.
    pub(super) fn fill_level(
        &self,
        up: &Update<'_, F>,
        p: Prefix<F>,
        node: u32,
        low: u32,
        high: u32,
    ) {
        if p.len() > 8 {
            self.fill_node(up, node, F::head(p.addr()), low, high);
            return;
        }
        View::new(up.own(), node).walk(low, high, |from, to, value, kid| {
            if kid.is_none() {
                self.fill(up, from << 8, to << 8, value);
            }
        });
    }

    /// Changes the shape if the size of the table asks for it. Not getting the memory is no error.
    pub(super) fn reshape(&mut self, up: &mut Update<'_, F>) {
        let wanted = if self.wide {
            self.len >= self.shape.narrow_at
        } else {
            self.len >= self.shape.widen_at
        };
        if wanted == self.wide {
            return;
        }
        if self.pause > 0 {
            self.pause = self.pause.wrapping_sub(1);
            return;
        }
        let done = if wanted {
            self.widen(up)
        } else {
            self.narrow(up)
        };
        if done.is_err() {
            self.pause = SHAPE_PAUSE;
            return;
        }
        up.table.root.publish(self.root());
        if wanted {
            self.drop_top(up);
        } else {
            up.store.array = Some((self.wide_base, Grace::start()));
        }
    }

    /// Makes the array from the nodes of levels 0 and 1; publishes nothing.
    #[inline(never)]
    pub(super) fn widen(&mut self, up: &mut Update<'_, F>) -> Result<(), Error> {
        let kids = View::new(up.own(), self.root.node).kids();
        up.reserve(kids.wrapping_add(1))?;
        let base = match up.store.array {
            Some((base, grace)) if up.store.is_over(grace) => base,
            Some(_) => return Err(Error::NoMemory),
            None if up.room() < up.shared().cost(WIDE_BLOCKS, BLOCK_LOG) => {
                return Err(Error::Budget);
            }
            None => up
                .shared()
                .add(WIDE_BLOCKS, BLOCK_LOG, up.means.flags)
                .map_err(|_| Error::NoMemory)?,
        };
        up.store.array = None;
        let shared = up.shared();
        View::new(up.own(), self.root.node).walk(0, 256, |from, to, value, kid| {
            let Some(kid) = kid else {
                fill(shared, base, from << 8, to << 8, value);
                return;
            };
            let view = View::new(up.own(), shadow::kid_node(kid.word));
            let cover = view.cover();
            view.walk(0, 256, |low, high, value, kid| {
                let value = match kid {
                    Some(kid) => {
                        let chunk = shadow::kid_chunk(kid.word);
                        chunk::hinted(chunk, chunk::size(shared, chunk))
                    }
                    None if value == 0 => cover,
                    None => value,
                };
                let slot = from << 8;
                let (low, high) = (slot.wrapping_add(low), slot.wrapping_add(high));
                fill(shared, base, low, high, value);
            });
        });
        self.wide = true;
        self.wide_base = base;
        Ok(())
    }

    /// Retires the chunks that the array stands for, after it was published.
    fn drop_top(&mut self, up: &mut Update<'_, F>) {
        let root = core::mem::take(&mut self.root.chunk);
        if root != 0 {
            up.retire(root, chunk::size(up.shared(), root));
        }
        for i in 0..View::new(up.own(), self.root.node).kids() {
            let chunk = shadow::kid_chunk(View::new(up.own(), self.root.node).kid(i));
            if chunk != 0 {
                up.retire(chunk, chunk::size(up.shared(), chunk));
                self.set_kid_chunk(up, i, 0);
            }
        }
    }

    fn set_kid_chunk(&self, up: &Update<'_, F>, index: u32, chunk: u32) {
        shadow::set_kid(up.own(), self.root.node, index, |word| {
            shadow::kid(
                shadow::kid_slot(word),
                shadow::kid_inherits(word),
                shadow::kid_node(word),
                chunk,
            )
        });
    }

    /// Makes the chunks that stand for the array; publishes nothing.
    #[inline(never)]
    fn narrow(&mut self, up: &mut Update<'_, F>) -> Result<(), Error> {
        self.build_top(up)?;
        self.wide = false;
        Ok(())
    }

    /// Builds the chunks of levels 0 and 1, and sets the one of level 0.
    #[inline(never)]
    pub(super) fn build_top(&mut self, up: &mut Update<'_, F>) -> Result<(), Error> {
        let result = self.try_build_top(up);
        if result.is_err() {
            for i in 0..View::new(up.own(), self.root.node).kids() {
                let chunk = shadow::kid_chunk(View::new(up.own(), self.root.node).kid(i));
                if chunk != 0 {
                    up.free(Place::Shared, chunk, chunk::size(up.shared(), chunk));
                    self.set_kid_chunk(up, i, 0);
                }
            }
        }
        result
    }

    fn try_build_top(&mut self, up: &mut Update<'_, F>) -> Result<(), Error> {
        if self.root.node == 0 {
            return Ok(());
        }
        let mut image = Image::new();
        for i in 0..View::new(up.own(), self.root.node).kids() {
            let node = shadow::kid_node(View::new(up.own(), self.root.node).kid(i));
            image.set(&View::new(up.own(), node));
            let chunk = up.alloc(Place::Shared, image.lines())?;
            image.write(up.shared(), chunk, cover_of(up.own(), node));
            self.set_kid_chunk(up, i, chunk);
        }
        image.set(&View::new(up.own(), self.root.node));
        let chunk = up.alloc(Place::Shared, image.lines())?;
        image.write(up.shared(), chunk, 0);
        self.root.chunk = chunk;
        Ok(())
    }
}
