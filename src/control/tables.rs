// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/altfib/tables`: each routing table that has routes.

use crate::netns::Namespace;
use crate::sys::fib;
use crate::sys::net::Net;
use crate::sys::seq;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

pub(crate) struct Tables;

impl seq::Lines for Tables {
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
        ns.mirror()
            .with_routes(|routes, _| {
                let (id, writer) = routes.next_table(from)?;
                *cursor = u64::from(id).wrapping_add(1);
                let line = |name: &str| {
                    seq_print!(
                        out,
                        "{:<11} {:<9} {:<9} {}\n",
                        name,
                        writer.len(),
                        writer.memory().div_ceil(1024),
                        writer.algorithm().name()
                    );
                };
                match id {
                    fib::TABLE_DEFAULT => line("default"),
                    fib::TABLE_MAIN => line("main"),
                    fib::TABLE_LOCAL => line("local"),
                    _ => seq_print!(
                        out,
                        "{:<11} {:<9} {:<9} {}\n",
                        id,
                        writer.len(),
                        writer.memory().div_ceil(1024),
                        writer.algorithm().name()
                    ),
                }
                Some(())
            })
            .flatten()
            .is_some()
    }
}
