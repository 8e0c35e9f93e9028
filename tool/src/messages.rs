// SPDX-License-Identifier: GPL-2.0

//! What altfib says, in Rust's types. As JSON the fields have the specification's names, with
//! underscores; absent attributes are absent there, too.

use crate::attributes::FromAttributes;
use crate::attributes::Value;
use crate::names;
use crate::names::table_name;
use crate::uapi::*;
use anyhow::bail;
use anyhow::Result;
use serde::Serialize;
use serde::Serializer;
use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    #[default]
    Ipv4,
    Ipv6,
}

impl Family {
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    pub fn number(self) -> u8 {
        match self {
            Self::Ipv4 => ALTFIB_ADDRESS_FAMILY_IPV4,
            Self::Ipv6 => ALTFIB_ADDRESS_FAMILY_IPV6,
        }
    }

    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    fn read(value: Value<'_>) -> Result<Self> {
        match value.u8()? {
            ALTFIB_ADDRESS_FAMILY_IPV4 => Ok(Self::Ipv4),
            ALTFIB_ADDRESS_FAMILY_IPV6 => Ok(Self::Ipv6),
            n => bail!("{n} is no address family"),
        }
    }
}

/// A prefix, as ip writes it: "default", and a host without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub address: IpAddr,
    pub len: u8,
}

impl Prefix {
    /// Of one address: the length comes behind it.
    fn host(address: IpAddr) -> Self {
        let len = if address.is_ipv4() { 32 } else { 128 };
        Self { address, len }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.len {
            0 => "default".to_string(),
            len if len == Self::host(self.address).len => self.address.to_string(),
            len => format!("{}/{len}", self.address),
        };
        f.pad(&text)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A routing table, by its name if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table(pub u32);

impl Table {
    pub const MAIN: Self = Self(254);
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&table_name(self.0))
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// enum rtm_type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteType(pub u8);

impl RouteType {
    pub const UNICAST: Self = Self(ALTFIB_ROUTE_TYPE_UNICAST);

    pub fn name(self) -> &'static str {
        match self.0 {
            ALTFIB_ROUTE_TYPE_UNSPEC => "unspec",
            ALTFIB_ROUTE_TYPE_UNICAST => "unicast",
            ALTFIB_ROUTE_TYPE_LOCAL => "local",
            ALTFIB_ROUTE_TYPE_BROADCAST => "broadcast",
            ALTFIB_ROUTE_TYPE_ANYCAST => "anycast",
            ALTFIB_ROUTE_TYPE_MULTICAST => "multicast",
            ALTFIB_ROUTE_TYPE_BLACKHOLE => "blackhole",
            ALTFIB_ROUTE_TYPE_UNREACHABLE => "unreachable",
            ALTFIB_ROUTE_TYPE_PROHIBIT => "prohibit",
            ALTFIB_ROUTE_TYPE_THROW => "throw",
            ALTFIB_ROUTE_TYPE_NAT => "nat",
            ALTFIB_ROUTE_TYPE_XRESOLVE => "xresolve",
            _ => "unknown",
        }
    }
}

impl Serialize for RouteType {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// The cached route of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DstState {
    Empty,
    Cached,
    Stale,
}

impl DstState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Cached => "cached",
            Self::Stale => "stale",
        }
    }

    fn read(value: Value<'_>) -> Result<Self> {
        match value.u32()? {
            ALTFIB_DST_STATE_EMPTY => Ok(Self::Empty),
            ALTFIB_DST_STATE_CACHED => Ok(Self::Cached),
            ALTFIB_DST_STATE_STALE => Ok(Self::Stale),
            n => bail!("{n} is no state of a cached route"),
        }
    }
}

/// An error number of the kernel's, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorNumber(pub u32);

impl ErrorNumber {
    pub fn words(self) -> String {
        let number = i32::try_from(self.0).unwrap_or(0);
        crate::netlink::strerror(rustix::io::Errno::from_raw_os_error(number))
    }
}

impl Serialize for ErrorNumber {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.words())
    }
}

/// By what path packets go. The same fields in answers, routes and next hops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Path {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Not shown beside the name.
    #[serde(skip)]
    pub oif: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<u32>,
}

impl Path {
    /// The device's name, or its number if that is all there is.
    fn complete(&mut self) {
        if let (None, Some(oif)) = (&self.dev, self.oif) {
            self.dev = Some(names::device(oif));
        }
    }
}

/// One side's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RouteType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    #[serde(flatten)]
    pub path: Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_reason: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_state: Option<DstState>,
    /// With a cache of flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_state: Option<DstState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub punt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl FromAttributes for Answer {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_ANSWER_PREFIX => self.prefix = Some(Prefix::host(value.address()?)),
            ALTFIB_A_ANSWER_PREFIX_LEN => {
                let len = value.u8()?;
                self.prefix = self.prefix.map(|prefix| Prefix { len, ..prefix });
            }
            ALTFIB_A_ANSWER_TABLE => self.table = Some(Table(value.u32()?)),
            ALTFIB_A_ANSWER_TYPE => self.kind = Some(RouteType(value.u8()?)),
            ALTFIB_A_ANSWER_GATEWAY => self.path.gateway = Some(value.address()?),
            ALTFIB_A_ANSWER_OIF => {
                self.path.oif = Some(value.u32()?);
            }
            ALTFIB_A_ANSWER_DEV => self.path.dev = Some(value.text()?),
            ALTFIB_A_ANSWER_METRIC => self.path.metric = Some(value.u32()?),
            ALTFIB_A_ANSWER_PATHS => self.path.paths = Some(value.u32()?),
            ALTFIB_A_ANSWER_ERROR => self.error = Some(ErrorNumber(value.u32()?)),
            ALTFIB_A_ANSWER_DROP_REASON => self.drop_reason = Some(value.u32()?),
            ALTFIB_A_ANSWER_DST_STATE => self.dst_state = Some(DstState::read(value)?),
            ALTFIB_A_ANSWER_FLOW_STATE => self.flow_state = Some(DstState::read(value)?),
            ALTFIB_A_ANSWER_PUNT => self.punt = Some(value.text()?),
            ALTFIB_A_ANSWER_CAUSE => self.cause = Some(value.text()?),
            _ => {}
        }
        Ok(())
    }
}

/// The answer to "get".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lookup {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iif: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
    pub altfib: Answer,
    pub kernel: Answer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agree: Option<bool>,
    /// net.altfib.output, of what this host sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl FromAttributes for Lookup {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_LOOKUP_DST => self.dst = Some(value.address()?),
            ALTFIB_A_LOOKUP_SRC => self.src = Some(value.address()?),
            ALTFIB_A_LOOKUP_IIF => self.iif = Some(names::device(value.u32()?)),
            ALTFIB_A_LOOKUP_MARK => self.mark = Some(value.u32()?),
            ALTFIB_A_LOOKUP_DSCP => self.dscp = Some(value.u8()?),
            ALTFIB_A_LOOKUP_ALTFIB => self.altfib = answer(value)?,
            ALTFIB_A_LOOKUP_KERNEL => self.kernel = answer(value)?,
            ALTFIB_A_LOOKUP_AGREE => self.agree = Some(value.flag()?),
            ALTFIB_A_LOOKUP_OUTPUT => self.output = Some(value.text()?),
            _ => {}
        }
        Ok(())
    }
}

fn answer(value: Value<'_>) -> Result<Answer> {
    let mut answer: Answer = value.nested()?;
    answer.path.complete();
    Ok(answer)
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    pub family: Family,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RouteType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    #[serde(flatten)]
    pub path: Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nexthop: Option<u32>,
}

impl FromAttributes for Route {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_ROUTE_FAMILY => self.family = Family::read(value)?,
            ALTFIB_A_ROUTE_TABLE => self.table = Some(Table(value.u32()?)),
            ALTFIB_A_ROUTE_PREFIX => self.prefix = Some(Prefix::host(value.address()?)),
            ALTFIB_A_ROUTE_PREFIX_LEN => {
                let len = value.u8()?;
                self.prefix = self.prefix.map(|prefix| Prefix { len, ..prefix });
            }
            ALTFIB_A_ROUTE_TYPE => self.kind = Some(RouteType(value.u8()?)),
            ALTFIB_A_ROUTE_GATEWAY => self.path.gateway = Some(value.address()?),
            ALTFIB_A_ROUTE_OIF => self.path.oif = Some(value.u32()?),
            ALTFIB_A_ROUTE_DEV => self.path.dev = Some(value.text()?),
            ALTFIB_A_ROUTE_METRIC => self.path.metric = Some(value.u32()?),
            ALTFIB_A_ROUTE_PATHS => self.path.paths = Some(value.u32()?),
            ALTFIB_A_ROUTE_NEXTHOP => self.nexthop = Some(value.u32()?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nexthop {
    pub id: u32,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RouteType>,
    #[serde(flatten)]
    pub path: Path,
    pub prefixes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_state: Option<DstState>,
}

impl FromAttributes for Nexthop {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_NEXTHOP_ID => self.id = value.u32()?,
            ALTFIB_A_NEXTHOP_TYPE => self.kind = Some(RouteType(value.u8()?)),
            ALTFIB_A_NEXTHOP_GATEWAY => self.path.gateway = Some(value.address()?),
            ALTFIB_A_NEXTHOP_OIF => self.path.oif = Some(value.u32()?),
            ALTFIB_A_NEXTHOP_DEV => self.path.dev = Some(value.text()?),
            ALTFIB_A_NEXTHOP_METRIC => self.path.metric = Some(value.u32()?),
            ALTFIB_A_NEXTHOP_PATHS => self.path.paths = Some(value.u32()?),
            ALTFIB_A_NEXTHOP_PREFIXES => self.prefixes = value.u32()?,
            ALTFIB_A_NEXTHOP_DST_STATE => self.dst_state = Some(DstState::read(value)?),
            _ => {}
        }
        Ok(())
    }
}

/// What packets left by, and about how many, on one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub cpu: u32,
    pub family: Family,
    pub kind: Option<RouteType>,
    pub path: Path,
    pub packets: u64,
}

impl Traffic {
    /// Whether both are of the same CPU and next hop.
    pub fn is_of(&self, other: &Self) -> bool {
        self.cpu == other.cpu && self.is_like(other)
    }

    /// Whether both are of the same next hop.
    pub fn is_like(&self, other: &Self) -> bool {
        self.family == other.family
            && self.kind == other.kind
            && self.path.gateway == other.path.gateway
            && self.path.oif == other.path.oif
    }
}

impl FromAttributes for Traffic {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_TRAFFIC_FAMILY => self.family = Family::read(value)?,
            ALTFIB_A_TRAFFIC_TYPE => self.kind = Some(RouteType(value.u8()?)),
            ALTFIB_A_TRAFFIC_GATEWAY => self.path.gateway = Some(value.address()?),
            ALTFIB_A_TRAFFIC_OIF => self.path.oif = Some(value.u32()?),
            ALTFIB_A_TRAFFIC_DEV => self.path.dev = Some(value.text()?),
            ALTFIB_A_TRAFFIC_CPU => self.cpu = value.u32()?,
            ALTFIB_A_TRAFFIC_PACKETS => self.packets = value.number()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    pub name: String,
    pub value: u64,
}

impl FromAttributes for Counter {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_COUNTER_NAME => self.name = value.text()?,
            ALTFIB_A_COUNTER_VALUE => self.value = value.number()?,
            _ => {}
        }
        Ok(())
    }
}

/// Counters in their order, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(pub Vec<Counter>);

impl Counters {
    /// 0 if this altfib has none of that name.
    pub fn get(&self, name: &str) -> u64 {
        self.0
            .iter()
            .find(|counter| counter.name == name)
            .map_or(0, |counter| counter.value)
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|counter| (&counter.name, counter.value)))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Punt {
    pub name: String,
    pub group: String,
    pub packets: u64,
    pub cause: String,
}

impl FromAttributes for Punt {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_PUNT_NAME => self.name = value.text()?,
            ALTFIB_A_PUNT_GROUP => self.group = value.text()?,
            ALTFIB_A_PUNT_PACKETS => self.packets = value.number()?,
            ALTFIB_A_PUNT_CAUSE => self.cause = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cache {
    pub family: Family,
    pub strategy: String,
    pub entries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_routes_max: Option<u32>,
    pub counters: Counters,
}

impl FromAttributes for Cache {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_CACHE_FAMILY => self.family = Family::read(value)?,
            ALTFIB_A_CACHE_STRATEGY => self.strategy = value.text()?,
            ALTFIB_A_CACHE_ENTRIES => self.entries = value.u32()?,
            ALTFIB_A_CACHE_LIMIT => self.limit = Some(value.u32()?),
            ALTFIB_A_CACHE_SOCKET_ROUTES_MAX => self.socket_routes_max = Some(value.u32()?),
            ALTFIB_A_CACHE_COUNTER => self.counters.0.push(value.nested()?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub family: Family,
    pub mode: String,
    pub cache: String,
    pub output: String,
    pub fastpath: bool,
    pub serving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    pub routes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nexthops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    pub memory: u64,
    pub memory_max: u64,
    pub counters: Counters,
    pub output_counters: Counters,
    pub punts: Vec<Punt>,
}

/// Reasons of this group are of packets that have their route: see docs/fastpath.md.
pub const FAST: &str = "fast";
/// These are of other packets: see "eligible" in the module.
pub const OTHERS: [&str; 4] = ["has_dst", "not_unicast_frame", "vrf", "special_address"];
/// And of this one they are no packets that the kernel would look up.
pub const SOCKET: &str = "socket";

impl Stats {
    /// Packets that altfib gave a route, or would have.
    pub fn attached(&self) -> u64 {
        ["forward", "local", "verified"]
            .iter()
            .map(|name| self.counters.get(name))
            .sum()
    }

    fn sum(&self, counts: impl Fn(&Punt) -> bool) -> u64 {
        self.punts
            .iter()
            .filter(|punt| counts(punt))
            .map(|punt| punt.packets)
            .sum()
    }

    /// Packets left to the kernel, which looks their route up.
    pub fn punted(&self) -> u64 {
        self.sum(|punt| punt.group != FAST && punt.group != SOCKET)
    }

    /// Packets that altfib saw.
    pub fn packets(&self) -> u64 {
        self.attached() + self.sum(|punt| punt.group != FAST)
    }

    /// Of these, unicast packets that are to be routed on or delivered here: of so many the module's
    /// own status gives the share that is attached.
    pub fn unicast(&self) -> u64 {
        self.attached()
            + self.sum(|punt| punt.group != FAST && !OTHERS.contains(&punt.name.as_str()))
    }

    /// Lookups and sockets of the host's own about which it was wrong, at the second look.
    pub fn own_mismatches(&self) -> u64 {
        ["lookup_mismatch", "socket_mismatch"]
            .iter()
            .map(|name| self.output_counters.get(name))
            .sum()
    }

    /// Routes added, replaced and deleted.
    pub fn updates(&self) -> u64 {
        ["route_add", "route_replace", "route_del"]
            .iter()
            .map(|name| self.counters.get(name))
            .sum()
    }
}

impl FromAttributes for Stats {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_STATS_FAMILY => self.family = Family::read(value)?,
            ALTFIB_A_STATS_MODE => self.mode = value.text()?,
            ALTFIB_A_STATS_CACHE => self.cache = value.text()?,
            ALTFIB_A_STATS_OUTPUT => self.output = value.text()?,
            ALTFIB_A_STATS_FASTPATH => self.fastpath = value.flag()?,
            ALTFIB_A_STATS_SERVING => self.serving = value.flag()?,
            ALTFIB_A_STATS_WHY_NOT => self.why_not = Some(value.text()?),
            ALTFIB_A_STATS_ROUTES => self.routes = value.u32()?,
            ALTFIB_A_STATS_NEXTHOPS => self.nexthops = Some(value.u32()?),
            ALTFIB_A_STATS_ALGORITHM => self.algorithm = Some(value.text()?),
            ALTFIB_A_STATS_MEMORY => self.memory = value.number()?,
            ALTFIB_A_STATS_MEMORY_MAX => self.memory_max = value.number()?,
            ALTFIB_A_STATS_COUNTER => self.counters.0.push(value.nested()?),
            ALTFIB_A_STATS_OUTPUT_COUNTER => self.output_counters.0.push(value.nested()?),
            ALTFIB_A_STATS_PUNT => self.punts.push(value.nested()?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditResult {
    pub family: Family,
    pub differences: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<IpAddr>,
    pub routes_kernel: u64,
    pub routes_mirrored: u64,
    pub addresses: u64,
    pub left: u64,
    pub transient: u64,
    pub took_us: u64,
    pub held_us: u64,
    pub ended_ms: u64,
}

impl FromAttributes for AuditResult {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_AUDIT_RESULT_FAMILY => self.family = Family::read(value)?,
            ALTFIB_A_AUDIT_RESULT_DIFFERENCES => self.differences = value.number()?,
            ALTFIB_A_AUDIT_RESULT_FIRST => self.first = Some(value.address()?),
            ALTFIB_A_AUDIT_RESULT_ROUTES_KERNEL => self.routes_kernel = value.number()?,
            ALTFIB_A_AUDIT_RESULT_ROUTES_MIRRORED => self.routes_mirrored = value.number()?,
            ALTFIB_A_AUDIT_RESULT_ADDRESSES => self.addresses = value.number()?,
            ALTFIB_A_AUDIT_RESULT_LEFT => self.left = value.number()?,
            ALTFIB_A_AUDIT_RESULT_TRANSIENT => self.transient = value.number()?,
            ALTFIB_A_AUDIT_RESULT_TOOK_US => self.took_us = value.number()?,
            ALTFIB_A_AUDIT_RESULT_HELD_US => self.held_us = value.number()?,
            ALTFIB_A_AUDIT_RESULT_ENDED_MS => self.ended_ms = value.number()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditState {
    #[default]
    None,
    Running,
    Done,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub state: AuditState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorNumber>,
    pub results: Vec<AuditResult>,
}

impl FromAttributes for Audit {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_AUDIT_STATE => {
                self.state = match value.u32()? {
                    ALTFIB_AUDIT_STATE_NONE => AuditState::None,
                    ALTFIB_AUDIT_STATE_RUNNING => AuditState::Running,
                    ALTFIB_AUDIT_STATE_DONE => AuditState::Done,
                    n => bail!("{n} is no state of an audit"),
                }
            }
            ALTFIB_A_AUDIT_CHECKED => self.checked = Some(value.number()?),
            ALTFIB_A_AUDIT_TOTAL => self.total = Some(value.number()?),
            ALTFIB_A_AUDIT_ERROR => self.error = Some(ErrorNumber(value.u32()?)),
            ALTFIB_A_AUDIT_RESULT => self.results.push(value.nested()?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flush {
    pub nexthops: u32,
    pub flows: u32,
}

impl FromAttributes for Flush {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_FLUSH_NEXTHOPS => self.nexthops = value.u32()?,
            ALTFIB_A_FLUSH_FLOWS => self.flows = value.u32()?,
            _ => {}
        }
        Ok(())
    }
}

/// What a mismatch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Packet,
    Lookup,
    Socket,
    Flow,
}

impl Decision {
    /// As of several.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packet => "packets",
            Self::Lookup => "lookups",
            Self::Socket => "sockets",
            Self::Flow => "flows",
        }
    }

    fn read(value: Value<'_>) -> Result<Self> {
        match value.u32()? {
            ALTFIB_DECISION_PACKET => Ok(Self::Packet),
            ALTFIB_DECISION_LOOKUP => Ok(Self::Lookup),
            ALTFIB_DECISION_SOCKET => Ok(Self::Socket),
            ALTFIB_DECISION_FLOW => Ok(Self::Flow),
            n => bail!("{n} is nothing that may differ"),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iif: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altfib: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u32>,
}

impl FromAttributes for Event {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()> {
        match kind {
            ALTFIB_A_EVENT_DECISION => self.decision = Some(Decision::read(value)?),
            ALTFIB_A_EVENT_COUNT => self.count = Some(value.u32()?),
            ALTFIB_A_EVENT_FAMILY => self.family = Some(Family::read(value)?),
            ALTFIB_A_EVENT_REASON => self.reason = Some(value.text()?),
            ALTFIB_A_EVENT_ROUTES => self.routes = Some(value.u32()?),
            ALTFIB_A_EVENT_DST => self.dst = Some(value.address()?),
            ALTFIB_A_EVENT_SRC => self.src = Some(value.address()?),
            ALTFIB_A_EVENT_IIF => self.iif = Some(names::device(value.u32()?)),
            ALTFIB_A_EVENT_MARK => self.mark = Some(value.u32()?),
            ALTFIB_A_EVENT_ALTFIB => self.altfib = Some(answer(value)?),
            ALTFIB_A_EVENT_KERNEL => self.kernel = Some(answer(value)?),
            ALTFIB_A_EVENT_SETTING => self.setting = Some(value.text()?),
            ALTFIB_A_EVENT_VALUE => self.value = Some(value.text()?),
            ALTFIB_A_EVENT_BEFORE => self.before = Some(value.text()?),
            ALTFIB_A_EVENT_MISSED => self.missed = Some(value.u32()?),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Writer;

    #[test]
    fn prefixes_as_ip_writes_them() {
        let show = |address: &str, len| {
            Prefix {
                address: address.parse().unwrap(),
                len,
            }
            .to_string()
        };
        assert_eq!(show("0.0.0.0", 0), "default");
        assert_eq!(show("::", 0), "default");
        assert_eq!(show("10.1.0.0", 16), "10.1.0.0/16");
        assert_eq!(show("10.0.1.1", 32), "10.0.1.1");
        assert_eq!(show("2001:db8::", 32), "2001:db8::/32");
        assert_eq!(show("2001:db8::1", 128), "2001:db8::1");
    }

    #[test]
    fn answer_to_get() {
        let mut altfib = Writer::default();
        altfib.u32(ALTFIB_A_ANSWER_TABLE, 254);
        altfib.bytes(ALTFIB_A_ANSWER_PREFIX, &[10, 1, 0, 0]);
        altfib.u8(ALTFIB_A_ANSWER_PREFIX_LEN, 16);
        altfib.u8(ALTFIB_A_ANSWER_TYPE, 1);
        altfib.bytes(ALTFIB_A_ANSWER_GATEWAY, &[10, 0, 2, 2]);
        altfib.bytes(ALTFIB_A_ANSWER_DEV, b"r1\0");
        altfib.u32(ALTFIB_A_ANSWER_DST_STATE, ALTFIB_DST_STATE_CACHED);
        // Of a later altfib.
        altfib.bytes(900, b"new");
        let mut kernel = Writer::default();
        kernel.u32(ALTFIB_A_ANSWER_ERROR, 101);
        let mut all = Writer::default();
        all.bytes(ALTFIB_A_LOOKUP_DST, &[10, 1, 2, 3]);
        all.bytes(ALTFIB_A_LOOKUP_ALTFIB, &altfib.finish());
        all.bytes(ALTFIB_A_LOOKUP_KERNEL, &kernel.finish());
        all.u8(ALTFIB_A_LOOKUP_AGREE, 0);
        let lookup = Lookup::read(&all.finish()).unwrap();
        assert_eq!(
            serde_json::to_string(&lookup).unwrap(),
            r#"{"dst":"10.1.2.3","altfib":{"type":"unicast","prefix":"10.1.0.0/16","table":"main","gateway":"10.0.2.2","dev":"r1","dst_state":"cached"},"kernel":{"error":"Network is unreachable"},"agree":false}"#
        );
    }

    #[test]
    fn numbers_of_any_length() {
        let mut stats = Writer::default();
        stats.u8(ALTFIB_A_STATS_FAMILY, 10);
        stats.u32(ALTFIB_A_STATS_MEMORY, 4096);
        stats.bytes(ALTFIB_A_STATS_MEMORY_MAX, &(1u64 << 40).to_ne_bytes());
        for (name, value) in [(&b"forward\0"[..], 5u64), (b"local\0", 2)] {
            let mut counter = Writer::default();
            counter.bytes(ALTFIB_A_COUNTER_NAME, name);
            counter.bytes(ALTFIB_A_COUNTER_VALUE, &value.to_ne_bytes());
            stats.bytes(ALTFIB_A_STATS_COUNTER, &counter.finish());
        }
        let stats = Stats::read(&stats.finish()).unwrap();
        assert_eq!(stats.family, Family::Ipv6);
        assert_eq!((stats.memory, stats.memory_max), (4096, 1 << 40));
        assert_eq!(stats.attached(), 7);
        assert_eq!(stats.counters.get("no such"), 0);
    }

    #[test]
    fn malformed_attributes_are_refused() {
        let mut all = Writer::default();
        all.bytes(ALTFIB_A_LOOKUP_DST, &[10, 1, 2]);
        assert!(Lookup::read(&all.finish()).is_err());
        let mut all = Writer::default();
        all.u32(ALTFIB_A_NEXTHOP_DST_STATE, 77);
        assert!(Nexthop::read(&all.finish()).is_err());
        assert!(Route::read(&[200, 0, 1, 0, 2]).is_err());
    }
}
