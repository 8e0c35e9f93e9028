// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family `altfib`: what the files under `/proc/net/altfib` tell, for programs,
//! and what no file can: one address, the progress of an audit, events.
//!
//! `Documentation/netlink/specs/altfib.yaml` describes it. Each reply is made of the same sources as
//! its file. A socket asks about its own namespace.

mod audit;
pub(crate) mod events;
mod get;
mod list;
mod stats;

use crate::netns::Namespace;
use crate::sys::compat;
use crate::sys::net::Net;
use crate::sys::netlink::netlink_family;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Cursor;
use crate::sys::netlink::Family;
use crate::sys::netlink::Message;
use crate::sys::netlink::Refusal;
use crate::sys::netlink::Request;
use crate::sys::nexthop;
use crate::sys::route6;
use kernel::prelude::*;

/// `AF_INET` and `AF_INET6`, as attributes have them.
pub(crate) const IPV4: u8 = uapi::AF_INET as u8;
pub(crate) const IPV6: u8 = uapi::AF_INET6 as u8;

/// What the kernel's netlink core calls.
struct Netlink;

netlink_family!(Netlink);

impl Family for Netlink {
    fn reply(
        net: &Net,
        command: u32,
        request: &Request,
        out: &mut Message<'_>,
    ) -> Result<(), Refusal> {
        let ns = net.value::<Namespace>().ok_or(ENOENT)?;
        match command {
            uapi::ALTFIB_CMD_GET => get::reply(ns, request, out),
            uapi::ALTFIB_CMD_STATS => Ok(stats::reply(ns, request, out)?),
            uapi::ALTFIB_CMD_AUDIT_GET => Ok(audit::write(ns, out)?),
            uapi::ALTFIB_CMD_FLUSH => {
                let (nexthops, flows) = ns.flush();
                out.u32(
                    uapi::ALTFIB_A_FLUSH_NEXTHOPS,
                    nexthops.try_into().unwrap_or(u32::MAX),
                )?;
                Ok(out.u32(uapi::ALTFIB_A_FLUSH_FLOWS, flows)?)
            }
            _ => Err(compat::eopnotsupp().into()),
        }
    }

    fn list(
        net: &Net,
        command: u32,
        request: &Request,
        cursor: &mut Cursor,
        out: &mut Message<'_>,
    ) -> Result<bool> {
        let ns = net.value::<Namespace>().ok_or(ENOENT)?;
        match command {
            uapi::ALTFIB_CMD_ROUTES => list::routes(ns, request, cursor, out),
            uapi::ALTFIB_CMD_NEXTHOPS => list::nexthops(ns, cursor, out),
            uapi::ALTFIB_CMD_CACHES => stats::caches(ns, cursor, out),
            uapi::ALTFIB_CMD_TRAFFIC => list::traffic(ns, cursor, out),
            _ => Err(compat::eopnotsupp()),
        }
    }

    fn generation(net: &Net) -> u32 {
        net.value::<Namespace>().map_or(0, |ns| {
            ns.mirror()
                .generation()
                .get()
                .wrapping_add(ns.ipv6().mirror().generation().get())
        })
    }

    fn audit_start(net: &Net) -> Result {
        net.value::<Namespace>().ok_or(ENOENT)?.audit_start()
    }
}

/// Writes a gateway, a device, a metric and the number of paths under these attributes.
struct Path {
    gateway: u32,
    oif: u32,
    dev: u32,
    metric: u32,
    paths: u32,
}

const ANSWER: Path = Path {
    gateway: uapi::ALTFIB_A_ANSWER_GATEWAY,
    oif: uapi::ALTFIB_A_ANSWER_OIF,
    dev: uapi::ALTFIB_A_ANSWER_DEV,
    metric: uapi::ALTFIB_A_ANSWER_METRIC,
    paths: uapi::ALTFIB_A_ANSWER_PATHS,
};

const ROUTE: Path = Path {
    gateway: uapi::ALTFIB_A_ROUTE_GATEWAY,
    oif: uapi::ALTFIB_A_ROUTE_OIF,
    dev: uapi::ALTFIB_A_ROUTE_DEV,
    metric: uapi::ALTFIB_A_ROUTE_METRIC,
    paths: uapi::ALTFIB_A_ROUTE_PATHS,
};

const NEXTHOP: Path = Path {
    gateway: uapi::ALTFIB_A_NEXTHOP_GATEWAY,
    oif: uapi::ALTFIB_A_NEXTHOP_OIF,
    dev: uapi::ALTFIB_A_NEXTHOP_DEV,
    metric: uapi::ALTFIB_A_NEXTHOP_METRIC,
    paths: uapi::ALTFIB_A_NEXTHOP_PATHS,
};

impl Path {
    fn write(
        &self,
        out: &mut Message<'_>,
        gateway: Option<&[u8]>,
        device: (c_int, &str),
        metric: u32,
        paths: u32,
    ) -> Result {
        if let Some(gateway) = gateway {
            out.bytes(self.gateway, gateway)?;
        }
        let (ifindex, name) = device;
        if ifindex > 0 {
            out.u32(self.oif, ifindex.unsigned_abs())?;
            out.text(self.dev, name)?;
        }
        out.u32(self.metric, metric)?;
        if paths > 1 {
            out.u32(self.paths, paths)?;
        }
        Ok(())
    }

    /// Of an IPv4 next hop.
    fn of(&self, out: &mut Message<'_>, nh: &nexthop::Description) -> Result {
        let mut gateway = [0; 16];
        let len = nh.any_gateway(&mut gateway);
        self.write(
            out,
            gateway.get(..len).filter(|_| len != 0),
            (nh.ifindex(), nh.device()),
            nh.metric(),
            nh.paths().into(),
        )
    }

    /// Of an IPv6 route.
    fn of6(&self, out: &mut Message<'_>, route: &route6::Description) -> Result {
        let gateway = route.gateway().to_be_bytes();
        self.write(
            out,
            Some(gateway.as_slice()).filter(|_| route.gateway() != 0),
            (route.ifindex(), route.device()),
            route.metric(),
            route.paths(),
        )
    }
}
