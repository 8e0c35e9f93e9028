// SPDX-License-Identifier: GPL-2.0

//! Tracepoints that Rust passes: altfib_trace.h.
//!
//! `kernel::declare_trace!` knows those of the kernel crate only; this is the same for ours: a static key,
//! and a call of what `CREATE_RUST_TRACE_POINTS` makes. What a tracepoint tells is put together behind
//! the key.

#[cfg(CONFIG_TRACEPOINTS)]
use super::bindings;
use super::net::Net;
use super::netfilter::Protocol;
use super::nexthop::NextHop;
use super::outcome::Outcome;
use super::packet::HookPacket;
use super::packet::Packet;
use super::packet6::Packet6;
use super::rcu::ReadSide;
use super::route6::Route6;

/// Whether somebody listens to a tracepoint: without jump labels a load.
macro_rules! is_on {
    ($tracepoint:ident) => {{
        #[cfg(all(CONFIG_TRACEPOINTS, CONFIG_JUMP_LABEL))]
        // SAFETY: A static key of a tracepoint.
        unsafe {
            kernel::jump_label::static_branch_unlikely!(
                bindings::$tracepoint,
                bindings::tracepoint,
                key
            )
        }
        #[cfg(all(CONFIG_TRACEPOINTS, not(CONFIG_JUMP_LABEL)))]
        // SAFETY: As above; a marked load of what others write atomically.
        unsafe {
            (&raw const bindings::$tracepoint.key.key.enabled.counter).read_volatile() > 0
        }
        #[cfg(not(CONFIG_TRACEPOINTS))]
        false
    }};
}

/// What a lookup has given.
pub(crate) enum Found<T> {
    None,
    Route(T),
    LocalPrefix,
    Unclear,
}

impl<T> Found<T> {
    #[cfg(CONFIG_TRACEPOINTS)]
    fn number(&self) -> u8 {
        let number = match self {
            Found::None => bindings::altfib_found_ALTFIB_FOUND_NONE,
            Found::Route(_) => bindings::altfib_found_ALTFIB_FOUND_ROUTE,
            Found::LocalPrefix => bindings::altfib_found_ALTFIB_FOUND_LOCAL_PREFIX,
            Found::Unclear => bindings::altfib_found_ALTFIB_FOUND_UNCLEAR,
        };
        number as u8
    }
}

impl Packet<'_> {
    /// `altfib:lookup`: what was found for the destination.
    #[inline(always)]
    pub(crate) fn trace_lookup<'a>(
        &self,
        found: impl FnOnce() -> Found<&'a NextHop>,
        rcu: ReadSide<'_>,
    ) {
        if is_on!(__tracepoint_lookup) {
            self.lookup_traced(&found(), rcu);
        }
    }

    #[cfg(CONFIG_TRACEPOINTS)]
    #[cold]
    #[inline(never)]
    fn lookup_traced(&self, found: &Found<&NextHop>, _rcu: ReadSide<'_>) {
        let (route_type, oif) = match found {
            // SAFETY: The record is valid, and RCU is held.
            Found::Route(nh) => (nh.route_type(), unsafe {
                bindings::nexthop_oif(nh.as_ptr())
            }),
            _ => (0, 0),
        };
        let daddr = self.daddr().to_be_bytes();
        // SAFETY: The packet and its namespace are valid.
        unsafe {
            bindings::rust_do_trace_lookup(
                self.raw().net,
                bindings::AF_INET as u8,
                bindings::packet_iif(self.raw().skb),
                daddr.as_ptr().cast(),
                found.number(),
                route_type,
                oif,
            );
        }
    }

    #[cfg(not(CONFIG_TRACEPOINTS))]
    fn lookup_traced(&self, _found: &Found<&NextHop>, _rcu: ReadSide<'_>) {}
}

impl Packet6<'_> {
    /// As of IPv4.
    #[inline(always)]
    pub(crate) fn trace_lookup<'a>(&self, found: impl FnOnce() -> Found<&'a Route6>) {
        if is_on!(__tracepoint_lookup) {
            self.lookup_traced(&found());
        }
    }

    #[cfg(CONFIG_TRACEPOINTS)]
    #[cold]
    #[inline(never)]
    fn lookup_traced(&self, found: &Found<&Route6>) {
        let (route_type, oif) = match found {
            Found::Route(route) => {
                let route = route.describe();
                let single = route.paths() == 1;
                (route.route_type(), if single { route.ifindex() } else { 0 })
            }
            _ => (0, 0),
        };
        let daddr = self.daddr().to_be_bytes();
        // SAFETY: The packet and its namespace are valid.
        unsafe {
            bindings::rust_do_trace_lookup(
                self.raw().net,
                bindings::AF_INET6 as u8,
                bindings::packet_iif(self.raw().skb),
                daddr.as_ptr().cast(),
                found.number(),
                route_type,
                oif,
            );
        }
    }

    #[cfg(not(CONFIG_TRACEPOINTS))]
    fn lookup_traced(&self, _found: &Found<&Route6>) {}
}

impl<P: Protocol> HookPacket<'_, P> {
    /// `altfib:punt`, if the packet was left to the kernel.
    #[inline(always)]
    pub(crate) fn trace_punt(&self, outcome: Outcome) {
        if is_on!(__tracepoint_punt) {
            self.punt_traced(outcome);
        }
    }

    #[cfg(CONFIG_TRACEPOINTS)]
    #[cold]
    #[inline(never)]
    fn punt_traced(&self, outcome: Outcome) {
        if matches!(
            outcome,
            Outcome::FORWARD | Outcome::LOCAL | Outcome::VERIFIED
        ) {
            return;
        }
        // SAFETY: Packet and state are valid by the type invariant. NFPROTO_* are AF_* for both.
        unsafe {
            bindings::rust_do_trace_punt(
                (*self.state).net,
                self.skb,
                P::FAMILY as u8,
                outcome.number() as u8,
            );
        }
    }

    #[cfg(not(CONFIG_TRACEPOINTS))]
    fn punt_traced(&self, _outcome: Outcome) {}
}

/// `altfib:resync`: so many routes of family `P` were read, in so long; `why` its service had ended.
#[inline(always)]
pub(crate) fn resync<P: Protocol>(net: &Net, routes: usize, took_us: u64, why: &str) {
    if is_on!(__tracepoint_resync) {
        resync_traced::<P>(net, routes, took_us, why);
    }
}

#[cfg(CONFIG_TRACEPOINTS)]
#[cold]
#[inline(never)]
fn resync_traced<P: Protocol>(net: &Net, routes: usize, took_us: u64, why: &str) {
    // SAFETY: The namespace is valid, and so is the text.
    unsafe {
        bindings::rust_do_trace_resync(
            net.as_ptr(),
            P::FAMILY as u8,
            routes as u64,
            took_us,
            why.as_ptr().cast(),
            why.len(),
        );
    }
}

#[cfg(not(CONFIG_TRACEPOINTS))]
fn resync_traced<P: Protocol>(_net: &Net, _routes: usize, _took_us: u64, _why: &str) {}
