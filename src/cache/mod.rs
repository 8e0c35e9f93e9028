// SPDX-License-Identifier: GPL-2.0

//! How a packet comes by the route of its next hop (`net.altfib.cache`).
//!
//! The mirror says which next hop a destination has. The route for it is the kernel's in any case;
//! what differs is where altfib finds it again, and what it need not decide again:
//!
//! - `nexthop`: with the next hop. Each packet is decided; see [`crate::nexthop`].
//! - `none`: nowhere. Each packet is decided, and the kernel's own place is read and validated. If
//!   nothing valid is there, the packet is the kernel's, which makes a new one.
//! - `flow`: with the flow, in chains that all CPUs share; see [`flow`].
//! - `percpu-flow`: with the flow, in places that each CPU has for itself; see [`percpu`].
//!
//! IPv6 routes are kept by the kernel for each route and CPU, and altfib never kept any of its own:
//! there `nexthop` and `none` are one.
//!
//! A flow is worth nothing once anything has changed on which its decision depends: a hit compares
//! the generations of the mirror and of the kernel, and the settings that no number tells of. So a
//! change costs no scan. What no longer counts is taken out by the packet that comes next to its
//! place, or by a collector, and all of it at once when a device changes, when the strategy or the
//! mode does, and at the end.

pub(crate) mod flow;
pub(crate) mod percpu;

use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::sys::flow::Cached;
use crate::sys::flow::Flows;
use crate::sys::flow::Generation;
use crate::sys::flow::Limits;
use crate::sys::flow::Shape;
use crate::sys::net::Net;
use crate::sys::rcu::RcuBox;
use crate::sys::rcu::ReadSide;
use crate::sys::rcu::Retired;
use crate::sys::rtnl::Rtnl;
use crate::sys::work;
use kernel::prelude::*;
use kernel::sync::rcu;

/// Where the route of a packet is found again.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Strategy {
    NextHop,
    None,
    Flow,
    PerCpuFlow,
}

impl Strategy {
    pub(crate) const ALL: [Strategy; 4] = [
        Strategy::NextHop,
        Strategy::None,
        Strategy::Flow,
        Strategy::PerCpuFlow,
    ];

    /// As written and read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Strategy::NextHop => "nexthop",
            Strategy::None => "none",
            Strategy::Flow => "flow",
            Strategy::PerCpuFlow => "percpu-flow",
        }
    }

    /// The strategy of this name.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Strategy::ALL
            .into_iter()
            .find(|strategy| strategy.name() == name)
            .ok_or(EINVAL)
    }

    /// Whether it has a cache of flows.
    pub(crate) fn keeps_flows(self) -> bool {
        matches!(self, Strategy::Flow | Strategy::PerCpuFlow)
    }

    /// What its cache of flows looks like, if it has one.
    fn shape(self, limits: Limits) -> Option<Shape> {
        match self {
            Strategy::NextHop | Strategy::None => None,
            Strategy::Flow => Some(flow::shape(limits)),
            Strategy::PerCpuFlow => Some(percpu::shape(limits)),
        }
    }
}

/// A cache that packets may still be in: it goes a grace period later.
pub(crate) type Ended<K> = Option<Retired<Flows<K>>>;

/// The flows of one family in one namespace, if its strategy keeps any.
pub(crate) struct Cache<K>(RcuBox<Flows<K>>);

impl<K: Cached> Cache<K> {
    pub(crate) const fn new() -> Self {
        Self(RcuBox::empty())
    }

    /// The flows, for packets.
    #[inline]
    pub(crate) fn flows<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a Flows<K>> {
        self.0.get(rcu)
    }

    /// Keeps flows as this strategy does, from now on; what was kept before ends.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; nothing has changed.
    ///
    /// # Safety
    ///
    /// `net`, `generation` and `counts`, which are allocated, outlive the cache.
    ///
    /// # Context
    ///
    /// Process, may sleep. Calls are serialised.
    pub(crate) unsafe fn start(
        &self,
        strategy: Strategy,
        limits: Limits,
        net: &Net,
        generation: &Generation,
        counts: &Counts,
    ) -> Result<Ended<K>> {
        let first = Count::CacheHit.number();
        let flows = match strategy.shape(limits) {
            Some(shape) => {
                // SAFETY: By the requirement, and what ends waits for a grace period.
                let flows = unsafe { K::flows(net, shape, generation, counts.raw(), first) }?;
                flows.set_limits(limits);
                Some(KBox::new(flows, GFP_KERNEL)?)
            }
            None => None,
        };
        Ok(self.0.replace(flows))
    }

    /// Keeps nothing any more.
    pub(crate) fn end(&self) -> Ended<K> {
        let ended = self.0.replace(None);
        if let Some(flows) = ended.as_ref().and_then(Retired::get) {
            // However long the grace period takes, what goes with the namespace is not held.
            let mut at = flows.flush(0);
            while at != 0 {
                work::reschedule();
                at = flows.flush(at);
            }
        }
        ended
    }

    /// Takes all flows out.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn flush(&self) {
        let mut at = 0;
        // Another cache may have come meanwhile: then nothing of this one is left.
        while let Some(next) = self.with(|flows| flows.flush(at)) {
            if next == 0 {
                break;
            }
            at = next;
            work::reschedule();
        }
    }

    /// Sets the limits, from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.with(|flows| flows.set_limits(limits));
    }

    /// How many flows there are.
    pub(crate) fn len(&self) -> u32 {
        self.with(Flows::len).unwrap_or(0)
    }

    /// As [`Flows::wrong`].
    pub(crate) fn wrong(&self, rtnl: &Rtnl) -> u32 {
        self.with(|flows| flows.wrong(rtnl)).unwrap_or(0)
    }

    fn with<R>(&self, f: impl FnOnce(&Flows<K>) -> R) -> Option<R> {
        let guard = rcu::read_lock();
        self.0.get(ReadSide::of(&guard)).map(f)
    }
}
