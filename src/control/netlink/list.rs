// SPDX-License-Identifier: GPL-2.0

//! `routes` and `nexthops`: what `/proc/net/altfib/routes`, `routes6` and `nexthops` show, of all
//! tables. A message at a time, and the lock for no longer. And `traffic`, which no file shows.

use super::get::state;
use super::IPV4;
use super::IPV6;
use super::NEXTHOP;
use super::ROUTE;
use crate::lpm::Prefix;
use crate::lpm::V4;
use crate::lpm::V6;
use crate::mirror::ipv4;
use crate::mirror::tables::Which;
use crate::netns::Namespace;
use crate::sys::fib::RTN_LOCAL;
use crate::sys::fib::RTN_UNICAST;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Cursor;
use crate::sys::netlink::Message;
use crate::sys::netlink::Request;
use crate::sys::traffic::Traffic;
use crate::sys::work;
use kernel::prelude::*;

/// IPv4 first, table by table, in the order of the addresses.
pub(super) fn routes(
    ns: &Namespace,
    request: &Request,
    cursor: &mut Cursor,
    out: &mut Message<'_>,
) -> Result<bool> {
    if cursor.family() == 0 {
        cursor.set_family(match request.family() {
            uapi::AF_INET6 => uapi::AF_INET6,
            _ => uapi::AF_INET,
        });
        cursor.set_table(request.table().unwrap_or(0));
    }
    if cursor.family() == uapi::AF_INET {
        if ipv4(ns, request, cursor, out)? {
            return Ok(true);
        }
        if request.family() != 0 {
            return Ok(false);
        }
        cursor.set_family(uapi::AF_INET6);
        cursor.set_table(request.table().unwrap_or(0));
    }
    ipv6(ns, request, cursor, out)
}

fn head(out: &mut Message<'_>, family: u8, table: u32, prefix: &[u8], len: u8) -> Result {
    out.u8(uapi::ALTFIB_A_ROUTE_FAMILY, family)?;
    out.u32(uapi::ALTFIB_A_ROUTE_TABLE, table)?;
    out.bytes(uapi::ALTFIB_A_ROUTE_PREFIX, prefix)?;
    out.u8(uapi::ALTFIB_A_ROUTE_PREFIX_LEN, len)
}

/// What is the same for both families: where the cursor leads, and where it is then.
///
/// `next` finds the prefix behind one in a table, `after` the first table with at least this id.
fn seek<P>(
    cursor: &Cursor,
    only: Option<u32>,
    decode: impl FnOnce([u8; 16], u8) -> Option<P>,
    next: impl Fn(u32, Option<P>) -> Option<(P, u32)>,
    table: impl Fn(u32) -> Option<u32>,
) -> Option<(u32, P, u32)> {
    let (mut at, after) = cursor.place();
    let mut after = after.and_then(|(addr, len)| decode(addr, len));
    loop {
        if let Some((prefix, value)) = next(at, after.take()) {
            return Some((at, prefix, value));
        }
        if only.is_some() {
            return None;
        }
        at = table(at.checked_add(1)?)?;
    }
}

fn ipv4(
    ns: &Namespace,
    request: &Request,
    cursor: &mut Cursor,
    out: &mut Message<'_>,
) -> Result<bool> {
    loop {
        let written = ns.mirror().with_routes(|routes, serving| {
            let found = seek(
                cursor,
                request.table(),
                |addr, len| {
                    let [a, b, c, d, ..] = addr;
                    Prefix::<V4>::new(u32::from_be_bytes([a, b, c, d]), len)
                },
                |table, after| routes.next(Which::from_id(table), after),
                |id| routes.next_table(id).map(|(id, _)| id),
            );
            let Some((table, prefix, value)) = found else {
                return Ok(Some(false));
            };
            let mut addr = [0; 16];
            for (to, from) in addr.iter_mut().zip(prefix.addr().to_be_bytes()) {
                *to = from;
            }
            cursor.set_table(table);
            cursor.set_prefix(addr, prefix.len());
            let id = ipv4::Routes::nexthop(value);
            if routes.nexthops().is_gone(serving.nexthops(), id) {
                // The kernel has deleted it: no message.
                return Ok(None);
            }
            routes
                .nexthops()
                .show_from(serving.nexthops(), id, |_, nh, w| {
                    head(out, IPV4, table, &prefix.addr().to_be_bytes(), prefix.len())?;
                    out.u8(uapi::ALTFIB_A_ROUTE_TYPE, nh.route_type())?;
                    ROUTE.of(out, &nh.describe(w))?;
                    out.u32(uapi::ALTFIB_A_ROUTE_NEXTHOP, id)
                })
                .unwrap_or(Ok(()))
                .map(|()| Some(true))
        });
        match written.unwrap_or(Ok(Some(false)))? {
            Some(more) => return Ok(more),
            None => work::reschedule(),
        }
    }
}

fn ipv6(
    ns: &Namespace,
    request: &Request,
    cursor: &mut Cursor,
    out: &mut Message<'_>,
) -> Result<bool> {
    ns.ipv6()
        .mirror()
        .with_routes(|routes, serving| {
            let found = seek(
                cursor,
                request.table(),
                |addr, len| Prefix::<V6>::new(u128::from_be_bytes(addr), len),
                |table, after| routes.next(Which::from_id(table), after),
                |id| routes.next_table(id).map(|(id, _)| id),
            );
            let Some((table, prefix, id)) = found else {
                return Ok(false);
            };
            let addr = prefix.addr().to_be_bytes();
            cursor.set_table(table);
            cursor.set_prefix(addr, prefix.len());
            let route = serving.routes().get(id).ok_or(ENOENT)?.describe();
            head(out, IPV6, table, &addr, prefix.len())?;
            out.u8(uapi::ALTFIB_A_ROUTE_TYPE, route.route_type())?;
            ROUTE.of6(out, &route)?;
            Ok(true)
        })
        .unwrap_or(Ok(false))
}

pub(super) fn nexthops(ns: &Namespace, cursor: &mut Cursor, out: &mut Message<'_>) -> Result<bool> {
    let from = cursor.id().saturating_add(1);
    ns.mirror()
        .with_routes(|routes, serving| {
            routes
                .nexthops()
                .show_from(serving.nexthops(), from, |id, nh, w| {
                    cursor.set_id(id);
                    out.u32(uapi::ALTFIB_A_NEXTHOP_ID, id)?;
                    out.u8(uapi::ALTFIB_A_NEXTHOP_TYPE, nh.route_type())?;
                    NEXTHOP.of(out, &nh.describe(w))?;
                    out.u32(uapi::ALTFIB_A_NEXTHOP_PREFIXES, nh.prefixes(w))?;
                    out.u32(uapi::ALTFIB_A_NEXTHOP_DST_STATE, state(nh.slot(ns.net())))
                })
        })
        .flatten()
        .map_or(Ok(false), |result| result.map(|()| true))
}

pub(super) fn traffic(ns: &Namespace, cursor: &mut Cursor, out: &mut Message<'_>) -> Result<bool> {
    let Some((traffic, next)) = Traffic::from(ns.net(), cursor.id()) else {
        return Ok(false);
    };
    cursor.set_id(next);
    out.u8(uapi::ALTFIB_A_TRAFFIC_FAMILY, traffic.family())?;
    let route_type = if traffic.is_local() {
        RTN_LOCAL
    } else {
        RTN_UNICAST
    };
    out.u8(uapi::ALTFIB_A_TRAFFIC_TYPE, route_type)?;
    if let Some(gateway) = traffic.gateway() {
        out.bytes(uapi::ALTFIB_A_TRAFFIC_GATEWAY, gateway)?;
    }
    if let Some((ifindex, name)) = traffic.device() {
        out.u32(uapi::ALTFIB_A_TRAFFIC_OIF, ifindex)?;
        if let Some(name) = name {
            out.text(uapi::ALTFIB_A_TRAFFIC_DEV, name)?;
        }
    }
    out.u32(uapi::ALTFIB_A_TRAFFIC_CPU, traffic.cpu())?;
    out.uint(uapi::ALTFIB_A_TRAFFIC_PACKETS, traffic.packets())?;
    Ok(true)
}
