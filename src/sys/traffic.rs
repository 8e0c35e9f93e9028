// SPDX-License-Identifier: GPL-2.0

//! Packets by what they left by, from a sample of them: see helpers_traffic.c, which takes it.

use super::bindings;
use super::net::Net;
use kernel::error::to_result;
use kernel::prelude::*;

/// Where the numbers are; while this is, packets may come.
pub(crate) struct Sampler(());

impl Sampler {
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Context
    ///
    /// Process, may sleep; before the first packet.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Nobody uses it yet, and `drop` frees it.
        to_result(unsafe { bindings::traffic_alloc() })?;
        Ok(Self(()))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: Allocated by `new`, and whoever has this drops it behind the last packet.
        unsafe { bindings::traffic_free() };
    }
}

/// What packets of a namespace left by on one CPU, and how many.
pub(crate) struct Traffic(bindings::altfib_traffic_info);

impl Traffic {
    /// The first whose number is at least `at`, and the number behind it. Numbers are used for
    /// others as time goes by.
    ///
    /// # Context
    ///
    /// Process, while the module is loaded.
    pub(crate) fn from(net: &Net, mut at: u32) -> Option<(Self, u32)> {
        let mut info = bindings::altfib_traffic_info::default();
        // SAFETY: The namespace is valid, the others are ours, and who asks is a part of the module.
        unsafe { bindings::traffic_next(net.as_ptr(), &mut at, &mut info) }
            .then_some((Self(info), at))
    }

    /// `AF_*`, the packets'.
    pub(crate) fn family(&self) -> u8 {
        self.0.key.family
    }

    /// Whether they were for this host.
    pub(crate) fn is_local(&self) -> bool {
        self.0.key.local != 0
    }

    /// Gateway, network order of bytes.
    pub(crate) fn gateway(&self) -> Option<&[u8]> {
        match self.0.key.gateway_family.into() {
            bindings::AF_INET => self.0.key.gateway.get(..4),
            bindings::AF_INET6 => Some(&self.0.key.gateway),
            _ => None,
        }
    }

    /// Interface index of the device, and its name if it is still there.
    pub(crate) fn device(&self) -> Option<(u32, Option<&str>)> {
        let ifindex = u32::try_from(self.0.key.ifindex).ok().filter(|&i| i != 0)?;
        let named = self.0.device.first().is_some_and(|&c| c != 0);
        Some((ifindex, named.then(|| super::nexthop::name(&self.0.device))))
    }

    /// Of which CPU this is.
    pub(crate) fn cpu(&self) -> u32 {
        self.0.cpu
    }

    /// About so many packets.
    pub(crate) fn packets(&self) -> u64 {
        self.0.packets
    }
}
