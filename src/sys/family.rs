// SPDX-License-Identifier: GPL-2.0

//! The two families, as types: what belongs to which is the traits' business.

/// IPv4.
pub(crate) enum Ipv4 {}

/// IPv6.
pub(crate) enum Ipv6 {}
