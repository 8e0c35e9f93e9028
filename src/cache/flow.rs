// SPDX-License-Identifier: GPL-2.0

//! `flow`: the route cache of Linux before 3.6, doing that cache's work.
//!
//! An entry for each source, destination, input device, DSCP and mark, with its route, the verdict
//! about its source, and a look for the neighbour. Chains of all CPUs, by a hash whose seed is new
//! every ten minutes; readers follow them under RCU, and a lock for each chain lets one change it.
//!
//! Who comes is the traffic's to say, and so is how many: hence two collectors. A packet that makes
//! its chain longer than `gc_elasticity` takes out the entry that was not used for longest. A worker
//! goes through a part of the chains every `gc_interval` for what was not used within `gc_timeout`;
//! above `gc_thresh` it goes through all of them, for half that age, and half of that, until they are
//! fewer. At `max_size` nothing is kept unless something of its chain goes.
//!
//! It was removed because a sender of many addresses chose its size and speed. That is as true
//! here; the bounds make it slow then, and not large.

use crate::sys::flow::Limits;
use crate::sys::flow::Shape;

/// Entries for each chain, when there are `max_size`: as Linux had it.
const PER_CHAIN: u32 = 16;

/// Its chains.
pub(super) fn shape(limits: Limits) -> Shape {
    let chains = limits.max_size / PER_CHAIN;
    Shape::Chains(1 << chains.checked_ilog2().unwrap_or(0))
}
