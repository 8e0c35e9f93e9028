// SPDX-License-Identifier: GPL-2.0

//! `stats` and `caches`: what `/proc/net/stat/altfib`, `altfib_cache` and `/proc/net/altfib/punts`
//! count, over all CPUs, and the state of a family.

use super::IPV4;
use super::IPV6;
use crate::control::punts::FAST_GROUP;
use crate::control::punts::FAST_REASONS;
use crate::control::punts::REASONS;
use crate::control::settings::OutputMode;
use crate::control::stat;
use crate::control::Shown;
use crate::lpm::Algorithm;
use crate::mirror::Why;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Cursor;
use crate::sys::netlink::Message;
use crate::sys::netlink::Request;
use crate::sys::nexthop::Slot;
use crate::sys::work;
use kernel::prelude::*;

pub(super) fn reply(ns: &Namespace, request: &Request, out: &mut Message<'_>) -> Result {
    match request.family() {
        uapi::AF_INET6 => write::<Ipv6>(ns, IPV6, ns.ipv6().why_not(), out),
        _ => write::<Ipv4>(ns, IPV4, ns.why_not(), out),
    }
}

fn write<F: Shown>(
    ns: &Namespace,
    family: u8,
    why_not: Option<Why>,
    out: &mut Message<'_>,
) -> Result {
    let sizes = F::sizes(ns);
    out.u8(uapi::ALTFIB_A_STATS_FAMILY, family)?;
    out.text(uapi::ALTFIB_A_STATS_MODE, ns.settings().mode().name())?;
    out.text(uapi::ALTFIB_A_STATS_CACHE, ns.settings().cache().name())?;
    out.text(uapi::ALTFIB_A_STATS_OUTPUT, ns.settings().output().name())?;
    out.u8(
        uapi::ALTFIB_A_STATS_FASTPATH,
        ns.settings().fastpath().into(),
    )?;
    out.u8(uapi::ALTFIB_A_STATS_SERVING, why_not.is_none().into())?;
    if let Some(why) = why_not {
        out.text(uapi::ALTFIB_A_STATS_WHY_NOT, why.text())?;
    }
    out.u32(
        uapi::ALTFIB_A_STATS_ROUTES,
        sizes.prefixes().try_into().unwrap_or(u32::MAX),
    )?;
    if family == IPV4 {
        out.u32(uapi::ALTFIB_A_STATS_NEXTHOPS, sizes.nexthops)?;
    }
    if !sizes.algorithm.is_empty() {
        out.text(uapi::ALTFIB_A_STATS_ALGORITHM, sizes.algorithm)?;
    }
    out.uint(uapi::ALTFIB_A_STATS_MEMORY, sizes.memory as u64)?;
    out.uint(
        uapi::ALTFIB_A_STATS_MEMORY_MAX,
        u64::from(ns.settings().memory_max_kb()).saturating_mul(1024),
    )?;
    stat::totals::<F>(stat::FIELDS, ns, |name, value| {
        counter(uapi::ALTFIB_A_STATS_COUNTER, name, value, out)
    })?;
    stat::totals::<F>(stat::OUTPUT_FIELDS, ns, |name, value| {
        counter(uapi::ALTFIB_A_STATS_OUTPUT_COUNTER, name, value, out)
    })?;
    let counts = F::counts(ns);
    for reason in REASONS {
        let packets = counts.packets(reason.outcome, None);
        punt(reason.name, reason.group.name(), packets, reason.cause, out)?;
    }
    for reason in FAST_REASONS {
        let packets = counts.read(reason.count, None);
        punt(reason.name, FAST_GROUP, packets, reason.cause, out)?;
    }
    Ok(())
}

fn punt(name: &str, group: &str, packets: u64, cause: &str, out: &mut Message<'_>) -> Result {
    out.nest(uapi::ALTFIB_A_STATS_PUNT, |out| {
        out.text(uapi::ALTFIB_A_PUNT_NAME, name)?;
        out.text(uapi::ALTFIB_A_PUNT_GROUP, group)?;
        out.uint(uapi::ALTFIB_A_PUNT_PACKETS, packets)?;
        out.text(uapi::ALTFIB_A_PUNT_CAUSE, cause)
    })
}

fn counter(attribute: u32, name: &str, value: u64, out: &mut Message<'_>) -> Result {
    out.nest(attribute, |out| {
        out.text(uapi::ALTFIB_A_COUNTER_NAME, name)?;
        out.uint(uapi::ALTFIB_A_COUNTER_VALUE, value)
    })
}

pub(super) fn caches(ns: &Namespace, cursor: &mut Cursor, out: &mut Message<'_>) -> Result<bool> {
    match cursor.family() {
        0 => {
            cursor.set_family(uapi::AF_INET);
            cache::<Ipv4>(ns, IPV4, cached_nexthops(ns), out)
        }
        uapi::AF_INET => {
            cursor.set_family(uapi::AF_INET6);
            // The kernel has them, with each route.
            cache::<Ipv6>(ns, IPV6, 0, out)
        }
        _ => Ok(false),
    }
}

fn cache<F: Shown>(
    ns: &Namespace,
    family: u8,
    nexthops: u32,
    out: &mut Message<'_>,
) -> Result<bool> {
    let strategy = ns.settings().cache();
    out.u8(uapi::ALTFIB_A_CACHE_FAMILY, family)?;
    out.text(uapi::ALTFIB_A_CACHE_STRATEGY, strategy.name())?;
    if strategy.keeps_flows() {
        out.u32(uapi::ALTFIB_A_CACHE_ENTRIES, F::flows(ns))?;
        out.u32(uapi::ALTFIB_A_CACHE_LIMIT, ns.settings().limits().max_size)?;
    } else {
        out.u32(uapi::ALTFIB_A_CACHE_ENTRIES, nexthops)?;
    }
    if ns.settings().output() == OutputMode::Socket {
        let most = 1u32.checked_shl(ns.settings().socket_bits()).unwrap_or(0);
        out.u32(uapi::ALTFIB_A_CACHE_SOCKET_ROUTES_MAX, most)?;
    }
    stat::totals::<F>(stat::CACHE_FIELDS, ns, |name, value| {
        counter(uapi::ALTFIB_A_CACHE_COUNTER, name, value, out)
    })?;
    Ok(true)
}

/// Next hops with a cached route that is valid.
fn cached_nexthops(ns: &Namespace) -> u32 {
    let (mut id, mut n) = (1u32, 0u32);
    // One at a time, and the lock for no longer.
    while let Some(Some((at, slot))) = ns.mirror().with_routes(|routes, serving| {
        routes
            .nexthops()
            .show_from(serving.nexthops(), id, |at, nh, _| (at, nh.slot(ns.net())))
    }) {
        n = n.wrapping_add((slot == Slot::Cached).into());
        work::reschedule();
        id = at.saturating_add(1);
    }
    n
}

/// The name of an algorithm, or a word for none.
pub(super) fn algorithm(algorithm: Option<Algorithm>) -> &'static str {
    algorithm.map_or("none", Algorithm::name)
}
