// SPDX-License-Identifier: GPL-2.0

//! What people set and see: sysctls, counters, and files under `/proc/net`.

pub(crate) mod audit;
pub(crate) mod counts;
pub(crate) mod mismatches;
pub(crate) mod nexthops;
pub(crate) mod punts;
pub(crate) mod routes;
pub(crate) mod settings;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod tables;
