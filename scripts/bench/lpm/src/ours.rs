// SPDX-License-Identifier: GPL-2.0

//! altfib's table.

use crate::{
    harness::{Lookup, BATCH},
    tables::{Fam, Keys, Routes},
};
use altfib_unit::lpm::{Flags, Prefix, Table, Writer};

pub struct Ours<F: Fam> {
    pub table: Table<F>,
    pub writer: Writer<F>,
}

impl<F: Fam> Ours<F> {
    /// Builds the table at once, sorting included.
    pub fn build(routes: &[(Prefix<F>, u32)]) -> Self {
        let (table, mut writer) = Table::new(Flags).expect("an empty table");
        let mut sorted: Routes<F> = routes.to_vec();
        sorted.sort_unstable_by_key(|&(p, _)| p);
        // No reader is there yet, as when a module starts.
        writer.set_exclusive(true);
        writer.build(&table, sorted, Flags).expect("memory");
        writer.set_exclusive(false);
        Ours { table, writer }
    }

    pub fn algorithm(&self) -> &'static str {
        self.writer.algorithm().name()
    }
}

impl<F: Fam> Lookup<F> for Ours<F> {
    type Key = F::Addr;

    fn keys(keys: &Keys<F>) -> &[F::Addr] {
        &keys.host
    }

    #[inline(always)]
    fn one(&self, key: &F::Addr) -> u32 {
        self.table.lookup(*key)
    }

    #[inline(always)]
    fn batch(&self, keys: &[F::Addr; BATCH]) -> u32 {
        let mut values = [0; BATCH];
        self.table.lookup_batch(keys, &mut values);
        values.iter().fold(0, |sum, value| sum ^ value)
    }
}
