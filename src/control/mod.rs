// SPDX-License-Identifier: GPL-2.0

//! What people set and see: sysctls, counters, and files under `/proc/net`.

pub(crate) mod audit;
pub(crate) mod counts;
pub(crate) mod mismatches;
pub(crate) mod netlink;
pub(crate) mod nexthops;
pub(crate) mod punts;
pub(crate) mod routes;
pub(crate) mod routes6;
pub(crate) mod settings;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod tables;

use crate::lpm::Algorithm;
use crate::mirror::Sizes;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use counts::Counts;

/// What people see of a family.
pub(crate) trait Shown {
    fn counts(ns: &Namespace) -> &Counts;

    fn sizes(ns: &Namespace) -> Sizes;

    /// Flows that are cached.
    fn flows(ns: &Namespace) -> u32;

    /// The first table with at least this id that has a prefix.
    fn table(ns: &Namespace, id: u32) -> Option<Table>;
}

/// A table, for people.
pub(crate) struct Table {
    pub(crate) id: u32,
    pub(crate) prefixes: usize,
    /// Bytes.
    pub(crate) memory: usize,
    pub(crate) algorithm: Algorithm,
}

impl Shown for Ipv4 {
    fn counts(ns: &Namespace) -> &Counts {
        ns.counts()
    }

    fn sizes(ns: &Namespace) -> Sizes {
        ns.mirror().sizes()
    }

    fn flows(ns: &Namespace) -> u32 {
        ns.ipv4().cache().len()
    }

    fn table(ns: &Namespace, id: u32) -> Option<Table> {
        ns.mirror()
            .with_routes(|routes, _| {
                routes.next_table(id).map(|(id, writer)| Table {
                    id,
                    prefixes: writer.len(),
                    memory: writer.memory(),
                    algorithm: writer.algorithm(),
                })
            })
            .flatten()
    }
}

impl Shown for Ipv6 {
    fn counts(ns: &Namespace) -> &Counts {
        ns.ipv6().counts()
    }

    fn sizes(ns: &Namespace) -> Sizes {
        ns.ipv6().mirror().sizes()
    }

    fn flows(ns: &Namespace) -> u32 {
        ns.ipv6().cache().len()
    }

    fn table(ns: &Namespace, id: u32) -> Option<Table> {
        ns.ipv6()
            .mirror()
            .with_routes(|routes, _| {
                routes.next_table(id).map(|(id, writer)| Table {
                    id,
                    prefixes: writer.len(),
                    memory: writer.memory(),
                    algorithm: writer.algorithm(),
                })
            })
            .flatten()
    }
}
