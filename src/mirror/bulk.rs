// SPDX-License-Identifier: GPL-2.0

//! A whole table before it is built: sorted and built at once, it takes a fraction of the time that
//! it takes route by route.

use super::tables::Which;
use crate::lpm;
use crate::lpm::sort;
use crate::lpm::Family;
use crate::lpm::Prefix;
use crate::lpm::Value;
use crate::sys::work;
use kernel::prelude::*;

/// A change of a prefix; a value of 0 takes it away.
#[derive(Clone, Copy)]
struct Item<F: Family> {
    prefix: Prefix<F>,
    value: Value,
}

/// The changes of each table.
pub(crate) struct Bulks<F: Family> {
    list: KVVec<(Which, Bulk<F>)>,
}

impl<F: Family> Bulks<F> {
    pub(super) fn new() -> Self {
        Self { list: KVVec::new() }
    }

    /// Adds a change. Those of one table come one after the other, mostly.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(super) fn push(&mut self, which: Which, prefix: Prefix<F>, value: Value) -> Result {
        let found = self.list.iter().rposition(|&(at, _)| at == which);
        let at = match found {
            Some(at) => at,
            None => {
                self.list.push((which, Bulk::new()), GFP_KERNEL_ACCOUNT)?;
                self.list.len().saturating_sub(1)
            }
        };
        let (_, bulk) = self.list.get_mut(at).ok_or(ENOMEM)?;
        bulk.push(prefix, value)
    }

    /// Table by table.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (Which, Bulk<F>)> {
        self.list.into_iter()
    }
}

/// The changes of one table, in the order of their events.
pub(crate) struct Bulk<F: Family> {
    items: KVVec<Item<F>>,
}

impl<F: Family> Bulk<F> {
    pub(super) fn new() -> Self {
        Self {
            items: KVVec::new(),
        }
    }

    /// Adds a change.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(super) fn push(&mut self, prefix: Prefix<F>, value: Value) -> Result {
        if self.items.len() == self.items.capacity() {
            // `push` would grow by itself, but not by doubling what is large.
            let more = self.items.len().max(1024);
            self.items.reserve(more, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(self
            .items
            .push(Item { prefix, value }, GFP_KERNEL_ACCOUNT)?)
    }

    /// Builds `writer`'s table, which is empty. `unused` is called with each value that a later
    /// change of its prefix replaced.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(super) fn build(
        mut self,
        writer: &mut lpm::Writer<F>,
        table: &lpm::Table<F>,
        mut unused: impl FnMut(Value),
    ) -> Result<(), lpm::Error> {
        let Some(&any) = self.items.first() else {
            return Ok(());
        };
        let room = sort::spare(self.items.len());
        let mut room =
            KVVec::from_elem(any, room, GFP_KERNEL_ACCOUNT).map_err(|_| lpm::Error::NoMemory)?;
        // Stable, so of the changes of one prefix the last remains the last.
        sort::sort(&mut self.items, &mut room, |a, b| a.prefix < b.prefix)
            .ok_or(lpm::Error::NoMemory)?;
        drop(room);
        work::reschedule();

        // What remains moves to the front.
        let mut len = 0usize;
        for n in 0..self.items.len() {
            let Some(&item) = self.items.get(n) else {
                break;
            };
            let next = self.items.get(n.wrapping_add(1));
            if next.is_some_and(|next| next.prefix == item.prefix) {
                if item.value != 0 {
                    unused(item.value);
                }
            } else if item.value != 0 {
                if let Some(slot) = self.items.get_mut(len) {
                    *slot = item;
                    len = len.wrapping_add(1);
                }
            }
        }
        let items = self.items.get(..len).unwrap_or(&[]);
        writer.build(
            table,
            items.iter().map(|item| (item.prefix, item.value)),
            GFP_KERNEL_ACCOUNT,
        )
    }
}
