// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/tables` and `tables6`: each routing table that has routes.

use super::Shown;
use crate::netns::Namespace;
use crate::sys::fib;
use crate::sys::net::Net;
use crate::sys::seq;
use core::marker::PhantomData;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

pub(crate) struct Tables<F>(PhantomData<F>);

impl<F: Shown> seq::Lines for Tables<F> {
    /// The first id that may come next.
    type Cursor = u64;

    fn line(net: &Net, cursor: &mut u64, position: u64, out: &SeqFile) -> bool {
        let Some(ns) = net.value::<Namespace>() else {
            return false;
        };
        if position == 0 {
            seq_print!(
                out,
                "{:<11} {:<9} {:<9} {}\n",
                "Table",
                "Prefixes",
                "KiB",
                "Algorithm"
            );
            return true;
        }
        let Ok(from) = u32::try_from(*cursor) else {
            return false;
        };
        let Some(table) = F::table(ns, from) else {
            return false;
        };
        *cursor = u64::from(table.id).wrapping_add(1);
        match table.id {
            fib::TABLE_DEFAULT => seq_print!(out, "{:<11} ", "default"),
            fib::TABLE_MAIN => seq_print!(out, "{:<11} ", "main"),
            fib::TABLE_LOCAL => seq_print!(out, "{:<11} ", "local"),
            id => seq_print!(out, "{:<11} ", id),
        }
        seq_print!(
            out,
            "{:<9} {:<9} {}\n",
            table.prefixes,
            table.memory.div_ceil(1024),
            table.algorithm.name()
        );
        true
    }
}
