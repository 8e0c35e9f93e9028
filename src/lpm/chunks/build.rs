// SPDX-License-Identifier: GPL-2.0

//! The trie at once, from sorted prefixes.
//!
//! In the order of (address, length) a prefix comes after all that hold it, and no node is met
//! again once a later one of its level was. So one node of each level is open at a time: it
//! collects its prefixes and children, knows its cover from the start, and is written once, when the
//! first prefix comes that belongs elsewhere, with the same means as by an update.

use super::super::{
    algorithm::Shape,
    arena,
    family::{Family, Prefix},
    store::{Place, Update},
    Error, Value,
};
use super::{
    chunk::{self, Image},
    for_nodes, key_of, level_of,
    shadow::{self, View},
    Chunks, Step, LEVELS, WIDE_LEVEL,
};
use crate::sys::shared::Blocks;

/// A node that still collects, in an extent of its own that serves one node after the other.
#[derive(Clone, Copy, Default)]
struct Open {
    extent: u32,
    lines: u32,
    pfxs: u32,
    kids: u32,
    /// The word of the first child.
    kid_at: u32,
    cover: u32,
    inherits: bool,
}

impl Open {
    fn is_full(&self) -> bool {
        self.pfxs.wrapping_add(1) >= self.kid_at
            || self.kid_at.wrapping_add(self.kids) >= self.lines << 3
    }
}

struct Builder<'u, 's, F: Family> {
    up: &'u mut Update<'s, F>,
    open: [Open; LEVELS],
    /// How many are open, from level 0 on.
    depth: usize,
    /// The first level that gets chunks.
    top: usize,
    last: Option<Prefix<F>>,
    image: Image,
}

/// The trie of `sorted`. Nothing is published, and after an error nothing is kept.
#[inline(never)]
pub(super) fn build<F: Family>(
    up: &mut Update<'_, F>,
    len: usize,
    sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
    shape: Shape,
) -> Result<Chunks<F>, Error> {
    let mut chunks = Chunks::new(shape);
    let wide = len >= shape.widen_at;
    let mut builder = Builder {
        up,
        open: [Open::default(); LEVELS],
        depth: 0,
        top: if wide { WIDE_LEVEL } else { 0 },
        last: None,
        image: Image::new(),
    };
    let result = builder.add_all(sorted);
    let result = result.and_then(|len| {
        chunks.len = len;
        builder.close_to(0)
    });
    builder.free_stages();
    match result {
        Ok(root) => chunks.root = root,
        Err(error) => {
            builder.free_all();
            return Err(error);
        }
    }
    if wide && chunks.widen(up).is_err() {
        // Without the array, at least for now.
        if let Err(error) = chunks.build_top(up) {
            free(up, chunks.root);
            return Err(error);
        }
    }
    Ok(chunks)
}

/// Frees a trie that was never published.
fn free<F: Family>(up: &mut Update<'_, F>, root: Step) {
    for_nodes(up, root, |up, step| {
        if step.chunk != 0 {
            let lines = chunk::size(up.shared(), step.chunk);
            up.free(Place::Shared, step.chunk, lines);
        }
        let lines = View::new(up.own(), step.node).lines();
        up.free(Place::Own, step.node, lines);
    });
}

impl<F: Family> Builder<'_, '_, F> {
    fn at(&self, level: usize) -> Open {
        self.open.get(level).copied().unwrap_or_default()
    }

    fn view(&self, level: usize) -> View<'_> {
        let open = self.at(level);
        View::staged(
            self.up.own(),
            open.extent,
            open.pfxs,
            open.kids,
            open.kid_at,
        )
    }

    fn add_all(
        &mut self,
        mut sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
    ) -> Result<usize, Error> {
        let mut len = 0usize;
        while let Some((p, v)) = sorted(self.up.own()) {
            if self.last.is_some_and(|last| last >= p) {
                return Err(Error::Unsorted);
            }
            self.add(p, v)?;
            self.last = Some(p);
            len = len.wrapping_add(1);
        }
        Ok(len)
    }

    fn add(&mut self, p: Prefix<F>, v: Value) -> Result<(), Error> {
        let level = level_of(p.len());
        let mut common = self.depth;
        if let Some(last) = self.last {
            for m in 1..self.depth {
                let above = m.wrapping_sub(1);
                if F::byte(last.addr(), above) != F::byte(p.addr(), above) {
                    common = m;
                    break;
                }
            }
        }
        self.close_to(common.min(level.wrapping_add(1)))?;
        while self.depth <= level {
            self.open_next(p)?;
        }
        self.add_word(level, shadow::pfx(key_of(p), v), false)
    }

    /// Opens a node on the way to `p`.
    fn open_next(&mut self, p: Prefix<F>) -> Result<(), Error> {
        let level = self.depth;
        let (mut cover, mut inherits) = (0, true);
        if level > 0 {
            let above = level.wrapping_sub(1);
            let best = self.view(above).best(F::byte(p.addr(), above));
            inherits = best == 0;
            cover = if inherits { self.at(above).cover } else { best };
        }
        if let Some(open) = self.open.get_mut(level) {
            *open = Open {
                pfxs: 0,
                kids: 0,
                cover,
                inherits,
                ..*open
            };
            self.depth = level.wrapping_add(1);
        }
        Ok(())
    }

    /// Appends a prefix or a child.
    fn add_word(&mut self, level: usize, word: u64, kid: bool) -> Result<(), Error> {
        if self.at(level).is_full() {
            self.grow(level)?;
        }
        let own = self.up.own();
        if let Some(open) = self.open.get_mut(level) {
            let at = if kid {
                open.kids = open.kids.wrapping_add(1);
                open.kid_at.wrapping_add(open.kids).wrapping_sub(1)
            } else {
                open.pfxs = open.pfxs.wrapping_add(1);
                open.pfxs
            };
            arena::put(own, open.extent, at as usize, word);
        }
        Ok(())
    }

    /// Makes room for twice as many prefixes and children, as long as a node can have so many.
    fn grow(&mut self, level: usize) -> Result<(), Error> {
        let old = self.at(level);
        let pfxs = old.pfxs.wrapping_mul(2).clamp(16, 510);
        let kids = old.kids.wrapping_mul(2).clamp(16, 256);
        let new = Open {
            kid_at: pfxs.wrapping_add(2),
            lines: pfxs.wrapping_add(kids).wrapping_add(2 + 8) >> 3,
            ..old
        };
        let extent = self.up.alloc(Place::Own, new.lines)?;
        let own = self.up.own();
        for i in 1..old.pfxs.wrapping_add(1) {
            arena::put(
                own,
                extent,
                i as usize,
                arena::get(own, old.extent, i as usize),
            );
        }
        for i in 0..old.kids {
            let (from, to) = (old.kid_at.wrapping_add(i), new.kid_at.wrapping_add(i));
            arena::put(
                own,
                extent,
                to as usize,
                arena::get(own, old.extent, from as usize),
            );
        }
        if old.extent != 0 {
            self.up.free(Place::Own, old.extent, old.lines);
        }
        if let Some(open) = self.open.get_mut(level) {
            *open = Open { extent, ..new };
        }
        Ok(())
    }

    /// Closes the open nodes from the deepest up to the one of `level`, and returns the last.
    fn close_to(&mut self, level: usize) -> Result<Step, Error> {
        let mut step = Step::default();
        while self.depth > level {
            step = self.close()?;
        }
        Ok(step)
    }

    /// Writes the deepest open node and makes it a child of the one above.
    fn close(&mut self) -> Result<Step, Error> {
        let level = self.depth.wrapping_sub(1);
        let open = self.at(level);
        let lines = self.view(level).lines();
        let node = self.up.alloc(Place::Own, lines)?;
        let view = self.view(level);
        view.write(self.up.own(), node, open.cover);
        let mut step = Step {
            node,
            ..Step::default()
        };
        if level >= self.top {
            // Not `self.view()`: the image is borrowed beside it.
            self.image.set(&View::new(self.up.own(), node));
            match self.up.alloc(Place::Shared, self.image.lines()) {
                Ok(chunk) => step.chunk = chunk,
                Err(error) => {
                    self.up.free(Place::Own, node, lines);
                    return Err(error);
                }
            }
            self.image.write(self.up.shared(), step.chunk, open.cover);
        }
        if level > 0 {
            let above = level.wrapping_sub(1);
            let slot = self.last.map_or(0, |last| F::byte(last.addr(), above));
            let word = shadow::kid(slot, open.inherits, node, step.chunk);
            if let Err(error) = self.add_word(above, word, true) {
                if step.chunk != 0 {
                    let lines = self.image.lines();
                    self.up.free(Place::Shared, step.chunk, lines);
                }
                self.up.free(Place::Own, node, lines);
                return Err(error);
            }
        }
        self.depth = level;
        Ok(step)
    }

    /// Frees the extents of open nodes, after the last was closed.
    fn free_stages(&mut self) {
        if self.depth > 0 {
            return;
        }
        for level in 0..LEVELS {
            let open = self.at(level);
            if open.extent != 0 {
                self.up.free(Place::Own, open.extent, open.lines);
            }
        }
    }

    /// Frees what there is of a trie that will not be finished.
    fn free_all(&mut self) {
        for level in 0..self.depth {
            for i in 0..self.at(level).kids {
                let word = self.view(level).kid(i);
                let kid = Step {
                    node: shadow::kid_node(word),
                    chunk: shadow::kid_chunk(word),
                    index: 0,
                };
                free(self.up, kid);
            }
        }
        self.depth = 0;
        self.free_stages();
    }
}
