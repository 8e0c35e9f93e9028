// SPDX-License-Identifier: GPL-2.0

//! The writer: changes a table beside its readers, knows its prefixes, and chooses the algorithm.

use super::{
    algorithm::{Algorithm, Engine, Shape},
    chunks::{Chunks, NARROW_AT, WIDEN_AT},
    family::{Family, Prefix},
    ranges::{self, Ranges},
    store::{Means, Store, Update},
    table::Table,
    Error, Flags, Value, VALUE_MASK,
};
use crate::sys::shared::Blocks;
use core::mem;

/// Updates until the next attempt to change the algorithm, if memory was short.
const SWITCH_PAUSE: u32 = 256;

/// The algorithm in use, with its prefixes.
enum Active<F: Family> {
    Ranges(Ranges<F>),
    Chunks(Chunks<F>),
}

/// Calls a method of the algorithm in use.
macro_rules! active {
    ($active:expr, $engine:ident => $call:expr) => {
        match $active {
            Active::Ranges($engine) => $call,
            Active::Chunks($engine) => $call,
        }
    };
}

/// The only one who changes its [`Table`]. Kept by the caller under a lock.
pub struct Writer<F: Family> {
    store: Store,
    active: Active<F>,
    pinned: Option<Algorithm>,
    shape: Shape,
    /// Updates until the next attempt to change the algorithm.
    pause: u32,
    default: Value,
    table_bytes: usize,
}

impl<F: Family> Writer<F> {
    pub(super) fn new() -> Self {
        Writer {
            store: Store::new(mem::size_of::<Self>().wrapping_add(mem::size_of::<Table<F>>())),
            active: Active::Ranges(Ranges::new()),
            pinned: None,
            shape: Shape {
                widen_at: WIDEN_AT,
                narrow_at: NARROW_AT,
            },
            pause: 0,
            default: 0,
            table_bytes: 0,
        }
    }

    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.specifics()
            .wrapping_add(usize::from(self.default != 0))
    }

    /// Number of prefixes without the default route.
    fn specifics(&self) -> usize {
        active!(&self.active, engine => Engine::<F>::len(engine))
    }

    /// Whether there is no prefix.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory for the table and the writer, in use or not.
    pub fn memory(&self) -> usize {
        self.store
            .own
            .bytes()
            .wrapping_add(self.table_bytes)
            .wrapping_add(mem::size_of::<Self>())
            .wrapping_add(mem::size_of::<Table<F>>())
    }

    /// Bytes of that memory that hold something, or wait for a grace period.
    pub fn used(&self) -> usize {
        self.store.used().wrapping_add(self.extra())
    }

    fn extra(&self) -> usize {
        active!(&self.active, engine => Engine::<F>::extra(engine))
    }

    /// The algorithm in use.
    pub fn algorithm(&self) -> Algorithm {
        match self.active {
            Active::Ranges(_) => Algorithm::Ranges,
            Active::Chunks(_) => Algorithm::Chunks,
        }
    }

    /// Pins the table to an algorithm, or lets the table's size choose (`None`, as at first). It
    /// takes effect with [`Writer::settle`] or the next change. Ranges hold few prefixes: a table
    /// that has more uses chunks, pinned or not.
    pub fn set_algorithm(&mut self, algorithm: Option<Algorithm>) {
        self.pinned = algorithm;
        self.pause = 0;
    }

    /// Sets how many bytes [`Writer::memory`] may reach. An insert that needs more fails; removals
    /// are not held back. Memory that is there remains there.
    pub fn set_budget(&mut self, bytes: usize) {
        self.store.set_budget(bytes);
    }

    /// Sets from how many prefixes on chunks have an array for the first 16 bits, and below how
    /// many they give it up. For experiments; the preset values are right.
    pub fn set_wide(&mut self, from: usize, below: usize) {
        self.shape = Shape {
            widen_at: from,
            narrow_at: below,
        };
        if let Active::Chunks(chunks) = &mut self.active {
            chunks.set_shape(self.shape);
        }
    }

    /// Says that no reader sees the table (`true`), so that what an update retires can be used again
    /// without a grace period, or that readers may come (`false`, as at first). For filling a table
    /// before it is published.
    pub fn set_exclusive(&mut self, exclusive: bool) {
        self.store.set_exclusive(exclusive);
    }

    /// The value of exactly this prefix, 0 if it is not there.
    pub fn get(&self, p: Prefix<F>) -> Value {
        if p.len() == 0 {
            return self.default;
        }
        active!(&self.active, engine => engine.get(&self.store.own, p))
    }

    /// The prefix after `after` in the order of (address, length), or the first. `after` need not
    /// be there any more.
    pub fn next(&self, after: Option<Prefix<F>>) -> Option<(Prefix<F>, Value)> {
        if after.is_none() && self.default != 0 {
            return Some((Prefix::new(F::Addr::default(), 0)?, self.default));
        }
        let after = after.filter(|after| after.len() > 0);
        active!(&self.active, engine => engine.next(&self.store.own, after))
    }

    /// Inserts `p` or replaces its value, and returns the value it had. A `v` of 0 removes.
    ///
    /// After an error nothing has changed.
    pub fn insert(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        v: Value,
        flags: Flags,
    ) -> Result<Value, Error> {
        let v = v & VALUE_MASK;
        if v == 0 {
            return self.remove(t, p, flags);
        }
        if p.len() == 0 {
            return Ok(self.set_default(t, v));
        }
        self.store.reclaim_some(&t.blocks);
        if self.specifics() >= ranges::MAX_PREFIXES && self.algorithm() == Algorithm::Ranges {
            if let Err(error) = self.switch(t, Algorithm::Chunks, flags) {
                self.account(t);
                return Err(error);
            }
        }
        let means = self.store.within_budget(flags);
        let mut up = Update::new(&mut self.store, t, means);
        let result = active!(&mut self.active, engine => engine.insert(&mut up, p, v));
        if result.is_err() {
            up.give_back();
        }
        self.settle(t, flags);
        result
    }

    /// Removes `p` and returns the value it had, 0 if it was not there.
    ///
    /// This may need memory: if `p` hid the border between two values, there are more runs without
    /// it. After an error nothing has changed.
    pub fn remove(&mut self, t: &Table<F>, p: Prefix<F>, flags: Flags) -> Result<Value, Error> {
        if p.len() == 0 {
            return Ok(self.set_default(t, 0));
        }
        self.store.reclaim_some(&t.blocks);
        let means = self.store.beyond_budget(flags);
        let mut up = Update::new(&mut self.store, t, means);
        let result = active!(&mut self.active, engine => engine.remove(&mut up, p));
        if result.is_err() {
            up.give_back();
        }
        self.settle(t, flags);
        result
    }

    fn set_default(&mut self, t: &Table<F>, v: Value) -> Value {
        let old = mem::replace(&mut self.default, v);
        if old != v {
            let changes = (t.default.load() >> 32).wrapping_add(1);
            t.default.publish((changes << 32) | u64::from(v));
        }
        old
    }

    /// Fills an empty table at once from prefixes in the order of (address, length), each once.
    ///
    /// # Errors
    ///
    /// [`Error::Unsorted`], or as for [`Writer::insert`]. The table is empty then.
    pub fn build<I>(&mut self, t: &Table<F>, sorted: I, flags: Flags) -> Result<(), Error>
    where
        I: IntoIterator<Item = (Prefix<F>, Value)>,
        I::IntoIter: ExactSizeIterator,
    {
        if !self.is_empty() {
            return Err(Error::Unsorted);
        }
        let mut sorted = sorted.into_iter().peekable();
        let default = sorted.next_if(|(p, _)| p.len() == 0);
        let (to, shape, len) = (self.wanted(None, sorted.len()), self.shape, sorted.len());
        let means = self.store.within_budget(flags);
        let mut up = Update::new(&mut self.store, t, means);
        let sorted = |_: &Blocks| sorted.next().map(|(p, v)| (p, v & VALUE_MASK));
        match build(&mut up, to, len, sorted, shape) {
            Ok(new) => {
                t.root.publish(active!(&new, engine => engine.root()));
                self.active = new;
            }
            Err(error) => {
                up.give_back();
                self.account(t);
                return Err(error);
            }
        }
        if let Some((_, v)) = default {
            self.set_default(t, v & VALUE_MASK);
        }
        self.settle(t, flags);
        Ok(())
    }

    /// The algorithm for a table of `prefixes` that is served by `current`.
    fn wanted(&self, current: Option<Algorithm>, prefixes: usize) -> Algorithm {
        let wanted = self
            .pinned
            .unwrap_or_else(|| Algorithm::best(current, prefixes));
        if prefixes > ranges::MAX_PREFIXES {
            return Algorithm::Chunks;
        }
        wanted
    }

    /// After a change: the algorithm and the accounting follow.
    #[inline(never)]
    pub fn settle(&mut self, t: &Table<F>, flags: Flags) {
        let current = self.algorithm();
        let wanted = self.wanted(Some(current), self.specifics());
        if wanted != current {
            if self.pause > 0 {
                self.pause = self.pause.wrapping_sub(1);
            } else if self.switch(t, wanted, flags).is_err() {
                self.pause = SWITCH_PAUSE;
            }
        }
        self.account(t);
    }

    fn account(&mut self, t: &Table<F>) {
        let touched = self.store.live().wrapping_add(self.extra());
        t.touched.store(touched as u64);
        self.table_bytes = t.blocks.bytes();
    }

    /// Changes the algorithm: builds the other from the prefixes there are, publishes it, and
    /// retires the old one. A lookup uses the one or the other, and both have the same answers.
    #[inline(never)]
    fn switch(&mut self, t: &Table<F>, to: Algorithm, flags: Flags) -> Result<(), Error> {
        let means = self.store.within_budget(flags);
        match mem::replace(&mut self.active, Active::Ranges(Ranges::new())) {
            Active::Ranges(old) => self.switch_from(t, old, Active::Ranges, to, means),
            Active::Chunks(old) => self.switch_from(t, old, Active::Chunks, to, means),
        }
    }

    fn switch_from<E: Engine<F>>(
        &mut self,
        t: &Table<F>,
        old: E,
        back: impl FnOnce(E) -> Active<F>,
        to: Algorithm,
        means: Means,
    ) -> Result<(), Error> {
        let shape = self.shape;
        let mut up = Update::new(&mut self.store, t, means);
        let result = old.prepare_retire(&mut up).and_then(|()| {
            let mut last = None;
            let sorted = |own: &Blocks| {
                let found = old.next(own, last)?;
                last = Some(found.0);
                Some(found)
            };
            build(&mut up, to, old.len(), sorted, shape)
        });
        match result {
            Ok(new) => {
                t.root.publish(active!(&new, engine => engine.root()));
                old.retire(&mut up);
                self.active = new;
                Ok(())
            }
            Err(error) => {
                up.give_back();
                self.active = back(old);
                Err(error)
            }
        }
    }
}

/// Builds the algorithm `to` from about `len` prefixes that `sorted` gives one by one.
#[inline(never)]
fn build<F: Family>(
    up: &mut Update<'_, F>,
    to: Algorithm,
    len: usize,
    sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
    shape: Shape,
) -> Result<Active<F>, Error> {
    match to {
        Algorithm::Ranges => Ranges::build(up, len, sorted, shape).map(Active::Ranges),
        Algorithm::Chunks => Chunks::build(up, len, sorted, shape).map(Active::Chunks),
    }
}
