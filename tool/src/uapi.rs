// SPDX-License-Identifier: GPL-2.0

//! The numbers of the netlink family, by the names that they have in C.

#![allow(dead_code)]

include!(concat!(env!("OUT_DIR"), "/uapi.rs"));
