// SPDX-License-Identifier: GPL-2.0

//! `get`: one address, altfib's answer and the kernel's.

use super::ANSWER;
use crate::control::punts::REASONS;
use crate::datapath::explain;
use crate::datapath::explain::identity;
use crate::datapath::explain::Explained;
use crate::netns::Namespace;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Kernels;
use crate::sys::netlink::Message;
use crate::sys::netlink::Refusal;
use crate::sys::netlink::Request;
use crate::sys::nexthop;
use crate::sys::nexthop::Slot;
use crate::sys::packet::Difference;
use crate::sys::packet6::Difference6;
use crate::sys::rcu::ReadSide;
use crate::sys::route6;
use crate::sys::rtnl::Rtnl;
use crate::sys::time;
use kernel::prelude::*;
use kernel::sync::rcu;

/// Looks at an address while the mirror changes, or differs from the kernel, which may be because a
/// route is just being added or taken away.
const TRIES: u32 = 4;

/// What a route looks like, and the first address and the length of its prefix.
enum Described {
    Ipv4(nexthop::Description, u8, [u8; 4], u8),
    Ipv6(route6::Description, [u8; 16], u8),
}

pub(super) fn reply(
    ns: &Namespace,
    request: &Request,
    out: &mut Message<'_>,
) -> Result<(), Refusal> {
    let is_ipv4 = request.family() == uapi::AF_INET;
    let (mut explained, mut described) = look(ns, request, is_ipv4)?;
    for _ in 1..TRIES {
        let missed = explained.found.is_some() && described.is_none();
        if !missed && explained.kernels.agrees() != Some(false) {
            break;
        }
        if is_ipv4 {
            // Nobody changes a route now, and every change is in both tables.
            let _rtnl = Rtnl::lock();
            (explained, described) = look(ns, request, is_ipv4)?;
            break;
        }
        time::sleep_ms(1);
        (explained, described) = look(ns, request, is_ipv4)?;
    }
    let (dst, src) = (request.dst6().to_be_bytes(), request.src6().to_be_bytes());
    let len = if is_ipv4 { 4 } else { 16 };
    out.bytes(
        uapi::ALTFIB_A_LOOKUP_DST,
        dst.get(..len).unwrap_or_default(),
    )?;
    if request.has_src() {
        out.bytes(
            uapi::ALTFIB_A_LOOKUP_SRC,
            src.get(..len).unwrap_or_default(),
        )?;
    }
    if let Some(iif) = request.iif() {
        out.u32(uapi::ALTFIB_A_LOOKUP_IIF, iif)?;
    }
    if let Some(mark) = request.mark() {
        out.u32(uapi::ALTFIB_A_LOOKUP_MARK, mark)?;
    }
    if let Some(dscp) = request.dscp() {
        out.u8(uapi::ALTFIB_A_LOOKUP_DSCP, dscp)?;
    }
    out.nest(uapi::ALTFIB_A_LOOKUP_ALTFIB, |out| {
        ours(&explained, described.as_ref(), out)
    })?;
    out.nest(uapi::ALTFIB_A_LOOKUP_KERNEL, |out| {
        kernels(&explained.kernels, len, out)
    })?;
    if let Some(agrees) = explained.kernels.agrees() {
        out.u8(uapi::ALTFIB_A_LOOKUP_AGREE, agrees.into())?;
    }
    if request.iif().is_none() {
        out.text(uapi::ALTFIB_A_LOOKUP_OUTPUT, ns.settings().output().name())?;
    }
    Ok(())
}

/// Asks both. What altfib found is described if it is still there.
fn look(
    ns: &Namespace,
    request: &Request,
    is_ipv4: bool,
) -> Result<(Explained, Option<Described>), Refusal> {
    let gone = Refusal(ENODEV, Some(c"there is no such device"));
    let (mark, dscp) = (request.mark().unwrap_or(0), request.dscp().unwrap_or(0));
    let explained = match (request.iif(), is_ipv4) {
        (Some(iif), true) => Difference::probe(request.dst4(), request.src4(), iif, mark, dscp)
            .again(ns.net(), |packet, rcu| explain::received(ns, &packet, rcu))
            .ok_or(gone)?,
        (Some(iif), false) => Difference6::probe(request.dst6(), request.src6(), iif, mark, dscp)
            .again(ns.net(), |packet, rcu| explain::received6(ns, &packet, rcu))
            .ok_or(gone)?,
        (None, true) => {
            let guard = rcu::read_lock();
            explain::sent(ns, request, ReadSide::of(&guard))
        }
        (None, false) => {
            let guard = rcu::read_lock();
            explain::sent6(ns, request, ReadSide::of(&guard))
        }
    };
    let described = match explained.found {
        Some(found) if is_ipv4 => ns
            .mirror()
            .with_routes(|routes, serving| {
                let (prefix, id) = routes.longest(found.table, request.dst4())?;
                let nh = serving.nexthops().get(id)?;
                (identity(nh) == found.record).then_some(())?;
                routes
                    .nexthops()
                    .show_from(serving.nexthops(), id, |at, nh, w| {
                        (at == id).then(|| {
                            Described::Ipv4(
                                nh.describe(w),
                                nh.route_type(),
                                prefix.addr().to_be_bytes(),
                                prefix.len(),
                            )
                        })
                    })
                    .flatten()
            })
            .flatten(),
        Some(found) => ns
            .ipv6()
            .mirror()
            .with_routes(|routes, serving| {
                let (prefix, id) = routes.longest(found.table, request.dst6())?;
                let route = serving.routes().get(id)?;
                (identity(route) == found.record).then_some(())?;
                Some(Described::Ipv6(
                    route.describe(),
                    prefix.addr().to_be_bytes(),
                    prefix.len(),
                ))
            })
            .flatten(),
        None => None,
    };
    Ok((explained, described))
}

fn ours(explained: &Explained, described: Option<&Described>, out: &mut Message<'_>) -> Result {
    if let Some(found) = &explained.found {
        out.u32(uapi::ALTFIB_A_ANSWER_TABLE, found.table)?;
        match described {
            Some(Described::Ipv4(nh, route_type, prefix, len)) => {
                out.bytes(uapi::ALTFIB_A_ANSWER_PREFIX, prefix)?;
                out.u8(uapi::ALTFIB_A_ANSWER_PREFIX_LEN, *len)?;
                out.u8(uapi::ALTFIB_A_ANSWER_TYPE, *route_type)?;
                ANSWER.of(out, nh)?;
            }
            Some(Described::Ipv6(route, prefix, len)) => {
                out.bytes(uapi::ALTFIB_A_ANSWER_PREFIX, prefix)?;
                out.u8(uapi::ALTFIB_A_ANSWER_PREFIX_LEN, *len)?;
                out.u8(uapi::ALTFIB_A_ANSWER_TYPE, route.route_type())?;
                ANSWER.of6(out, route)?;
            }
            None => {}
        }
        out.u32(uapi::ALTFIB_A_ANSWER_DST_STATE, state(found.slot))?;
    }
    if let Some(flow) = explained.flow {
        out.u32(uapi::ALTFIB_A_ANSWER_FLOW_STATE, state(flow))?;
    }
    if let Some(punt) = explained.punt {
        if let Some(reason) = REASONS.iter().find(|reason| reason.outcome == punt) {
            out.text(uapi::ALTFIB_A_ANSWER_PUNT, reason.name)?;
            out.text(uapi::ALTFIB_A_ANSWER_CAUSE, reason.cause)?;
        }
    }
    Ok(())
}

/// The state of a slot, as an attribute has it.
pub(super) fn state(slot: Slot) -> u32 {
    match slot {
        Slot::Empty => uapi::altfib_dst_state_ALTFIB_DST_STATE_EMPTY,
        Slot::Cached => uapi::altfib_dst_state_ALTFIB_DST_STATE_CACHED,
        Slot::Stale => uapi::altfib_dst_state_ALTFIB_DST_STATE_STALE,
    }
}

fn kernels(kernels: &Kernels, len: usize, out: &mut Message<'_>) -> Result {
    if kernels.error() != 0 {
        out.u32(uapi::ALTFIB_A_ANSWER_ERROR, kernels.error())?;
    }
    if kernels.drop_reason() != 0 {
        out.u32(uapi::ALTFIB_A_ANSWER_DROP_REASON, kernels.drop_reason())?;
    }
    if kernels.route_type() != 0 {
        out.u8(uapi::ALTFIB_A_ANSWER_TYPE, kernels.route_type())?;
    }
    let Some((prefix, prefix_len, table, metric)) = kernels.prefix() else {
        return Ok(());
    };
    out.bytes(
        uapi::ALTFIB_A_ANSWER_PREFIX,
        prefix.get(..len).unwrap_or_default(),
    )?;
    out.u8(uapi::ALTFIB_A_ANSWER_PREFIX_LEN, prefix_len)?;
    out.u32(uapi::ALTFIB_A_ANSWER_TABLE, table)?;
    ANSWER.write(
        out,
        kernels.gateway(),
        (kernels.ifindex(), kernels.device()),
        metric,
        kernels.paths(),
    )
}
