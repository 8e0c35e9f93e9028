// SPDX-License-Identifier: GPL-2.0

//! "altfib routes", "nexthops" and "caches".

use crate::attributes::FromAttributes as _;
use crate::attributes::Writer;
use crate::cli;
use crate::cli::Options;
use crate::messages::Cache;
use crate::messages::Family;
use crate::messages::Nexthop;
use crate::messages::Prefix;
use crate::messages::Route;
use crate::messages::RouteType;
use crate::messages::Table as RoutingTable;
use crate::messages::Traffic;
use crate::names;
use crate::netlink::Altfib;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::out::Table;
use crate::uapi;
use crate::warn;
use crate::Status;
use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use std::net::IpAddr;

/// Which routes are wanted.
#[derive(Debug, Default, PartialEq)]
struct Filter {
    exact: Option<Prefix>,
    /// Of either family.
    default: bool,
    root: Option<Prefix>,
    table: Option<u32>,
    dev: Option<String>,
    via: Option<IpAddr>,
    kind: Option<String>,
}

fn prefix(word: &str) -> Result<Prefix> {
    let malformed = || format!("\"{word}\" is no prefix: write 192.0.2.0/24 or 2001:db8::/32");
    let (address, len) = match word.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().with_context(malformed)?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let len = match len {
        Some(len) => len
            .parse()
            .ok()
            .filter(|&n| n <= bits)
            .with_context(malformed)?,
        None => bits,
    };
    if masked(address, len) != masked(address, bits) {
        bail!("\"{word}\" has bits behind its length: write {}", {
            let address = from_bits(masked(address, len), address.is_ipv4());
            Prefix { address, len }
        });
    }
    Ok(Prefix { address, len })
}

/// The first bits of an address, in the place of an IPv6 address's.
fn masked(address: IpAddr, len: u8) -> u128 {
    let (bits, width) = match address {
        IpAddr::V4(a) => (u128::from(a.to_bits()) << 96, 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    };
    let len = u32::from(len.min(width));
    bits & !u128::MAX.checked_shr(len).unwrap_or(0)
}

fn from_bits(bits: u128, is_ipv4: bool) -> IpAddr {
    if is_ipv4 {
        IpAddr::V4(((bits >> 96) as u32).into())
    } else {
        IpAddr::V6(bits.into())
    }
}

impl Filter {
    fn parse(args: &cli::Routes) -> Result<Self> {
        let mut filter = Self::default();
        let mut words = args.words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("\"{word}\" needs a value behind it"))
            };
            match word.as_str() {
                "table" => {
                    filter.table = match value()?.as_str() {
                        "all" => None,
                        name => Some(names::table(name)?),
                    }
                }
                "dev" => filter.dev = Some(value()?.clone()),
                "via" => filter.via = Some(value()?.parse().context("\"via\" needs an address behind it")?),
                "type" => filter.kind = Some(value()?.clone()),
                "root" => filter.root = Some(prefix(value()?)?),
                "exact" => filter.exact = Some(prefix(value()?)?),
                "default" => filter.default = true,
                word if word.contains(['.', ':']) => filter.exact = Some(prefix(word)?),
                _ => bail!(
                    "\"{word}\" is unknown here: a prefix, default, root, table, dev, via and type are known"
                ),
            }
        }
        Ok(filter)
    }

    /// The one family that the words name.
    fn family(&self) -> Option<Family> {
        let prefix = self.exact.or(self.root)?;
        Some(Family::of(prefix.address))
    }

    fn takes(&self, route: &Route) -> bool {
        let same_dev = |dev: &String| route.path.dev.as_ref() == Some(dev);
        let inside = |root: &Prefix| {
            route.prefix.is_some_and(|prefix| {
                prefix.address.is_ipv4() == root.address.is_ipv4()
                    && prefix.len >= root.len
                    && masked(prefix.address, root.len) == masked(root.address, root.len)
            })
        };
        self.exact.is_none_or(|prefix| route.prefix == Some(prefix))
            && (!self.default || route.prefix.is_some_and(|prefix| prefix.len == 0))
            && self.root.as_ref().is_none_or(inside)
            && self.dev.as_ref().is_none_or(same_dev)
            && self.via.is_none_or(|via| route.path.gateway == Some(via))
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| route.kind.is_some_and(|it| it.name() == kind))
    }
}

pub fn routes(out: &mut Out, options: &Options, args: &cli::Routes) -> Result<Status> {
    let filter = Filter::parse(args)?;
    let mut request = Writer::default();
    let family = match (options.ipv4, options.ipv6, filter.family()) {
        (true, _, Some(Family::Ipv6)) | (_, true, Some(Family::Ipv4)) => {
            bail!("the prefix is of the other family than -4 or -6 asks for: leave that out")
        }
        (true, ..) => Some(Family::Ipv4),
        (_, true, _) => Some(Family::Ipv6),
        (.., family) => family,
    };
    if let Some(family) = family {
        request.u8(uapi::ALTFIB_A_ROUTE_FAMILY, family.number());
    }
    if let Some(table) = filter.table {
        request.u32(uapi::ALTFIB_A_ROUTE_TABLE, table);
    }
    let changed = Altfib::open()?.dump(uapi::ALTFIB_CMD_ROUTES, request.finish(), |message| {
        let route = Route::read(&message.attributes)?;
        if !filter.takes(&route) {
            return Ok(());
        }
        if out.json {
            return out.element(&route);
        }
        Ok(out.line(&route_line(&route))?)
    })?;
    end(out, changed)
}

fn end(out: &mut Out, changed: bool) -> Result<Status> {
    if out.json {
        out.end()?;
    }
    if changed {
        out.flush()?;
        warn("the routes changed while they were listed: some may be missing or listed twice; ask again");
    }
    Ok(Status::Well)
}

fn route_line(route: &Route) -> Vec<Piece> {
    let mut line = vec![out::kind(route.kind)];
    if let Some(prefix) = route.prefix {
        line.push(styled(prefix, Look::of(route.family)));
    }
    line.extend(out::path(&route.path));
    if let Some(table) = route.table.filter(|&table| table != RoutingTable::MAIN) {
        line.push(plain(format!(" table {table}")));
    }
    line.extend(out::more(&route.path));
    if let Some(nexthop) = route.nexthop {
        line.push(plain(format!(" nexthop {nexthop}")));
    }
    line
}

/// Of a dump that is small enough to be kept.
pub fn all_nexthops(altfib: &mut Altfib) -> Result<(Vec<Nexthop>, bool)> {
    let mut all = Vec::new();
    let changed = altfib.dump(uapi::ALTFIB_CMD_NEXTHOPS, Vec::new(), |message| {
        all.push(Nexthop::read(&message.attributes)?);
        Ok(())
    })?;
    Ok((all, changed))
}

/// Of each CPU, those of the families that the options name.
pub fn all_traffic(altfib: &mut Altfib, options: &Options) -> Result<Vec<Traffic>> {
    let mut all = Vec::new();
    altfib.dump(uapi::ALTFIB_CMD_TRAFFIC, Vec::new(), |message| {
        let traffic = Traffic::read(&message.attributes)?;
        if options.families().contains(&traffic.family) {
            all.push(traffic);
        }
        Ok(())
    })?;
    Ok(all)
}

pub fn nexthops(out: &mut Out, options: &Options) -> Result<Status> {
    if options.ipv6 {
        bail!("altfib keeps next hops of IPv4 only: of IPv6 the kernel has a cached route with each route");
    }
    let (all, changed) = all_nexthops(&mut Altfib::open()?)?;
    if out.json {
        for nexthop in &all {
            out.element(nexthop)?;
        }
    } else {
        out.table(&nexthop_table(&all))?;
    }
    end(out, changed)
}

fn nexthop_table(all: &[Nexthop]) -> Table {
    let mut table = Table::new(&[
        ">ID",
        "TYPE",
        "VIA",
        "DEV",
        ">METRIC",
        ">PATHS",
        ">PREFIXES",
        "DST",
    ]);
    for nexthop in all {
        let path = &nexthop.path;
        table.row(vec![
            plain(nexthop.id),
            plain(nexthop.kind.map_or("-", RouteType::name)),
            path.gateway.map_or(plain("-"), out::address),
            styled(path.dev.as_deref().unwrap_or("-"), Look::Device),
            plain(path.metric.unwrap_or(0)),
            plain(path.paths.unwrap_or(1)),
            plain(nexthop.prefixes),
            plain(nexthop.dst_state.map_or("-", |state| state.name())),
        ]);
    }
    table
}

/// In the order of [`Family::ALL`], those that the options name.
pub fn all_caches(altfib: &mut Altfib, options: &Options) -> Result<Vec<Cache>> {
    let mut all = Vec::new();
    altfib.dump(uapi::ALTFIB_CMD_CACHES, Vec::new(), |message| {
        let cache = Cache::read(&message.attributes)?;
        if options.families().contains(&cache.family) {
            all.push(cache);
        }
        Ok(())
    })?;
    Ok(all)
}

pub fn caches(out: &mut Out, options: &Options) -> Result<Status> {
    let all = all_caches(&mut Altfib::open()?, options)?;
    if out.json {
        for cache in &all {
            out.element(cache)?;
        }
        return end(out, false);
    }
    out.table(&cache_table(&all))?;
    Ok(Status::Well)
}

fn cache_table(all: &[Cache]) -> Table {
    let heading: Vec<_> = all
        .iter()
        .map(|cache| format!(">{}", cache.family.name()))
        .collect();
    let mut heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    heading.insert(0, "");
    let mut table = Table::new(&heading);
    let mut row = |name: &str, of: &dyn Fn(&Cache) -> String| {
        let mut row = vec![plain(name)];
        row.extend(all.iter().map(|cache| plain(of(cache))));
        table.row(row);
    };
    row("strategy", &|cache| cache.strategy.clone());
    row("entries", &|cache| cache.entries.to_string());
    if all.iter().any(|cache| cache.limit.is_some()) {
        row("limit", &|cache| {
            cache.limit.map_or("-".into(), |n| n.to_string())
        });
    }
    if all.iter().any(|cache| cache.socket_routes_max.is_some()) {
        row("socket_routes_max", &|cache| {
            cache
                .socket_routes_max
                .map_or("-".into(), |n| n.to_string())
        });
    }
    let names = all.first().map_or(&[][..], |cache| &cache.counters.0);
    for name in names.iter().map(|counter| &counter.name) {
        // Entries are above.
        if name != "entries" {
            row(name, &|cache| cache.counters.get(name).to_string());
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::DstState;
    use crate::messages::Path;

    fn filter(line: &str) -> Result<Filter> {
        Filter::parse(&cli::Routes {
            words: line.split_whitespace().map(String::from).collect(),
        })
    }

    fn route(prefix: &str, dev: &str) -> Route {
        let prefix = super::prefix(prefix).unwrap();
        Route {
            family: Family::of(prefix.address),
            kind: Some(RouteType::UNICAST),
            prefix: Some(prefix),
            table: Some(RoutingTable::MAIN),
            path: Path {
                dev: Some(dev.into()),
                ..Path::default()
            },
            nexthop: Some(3),
        }
    }

    #[test]
    fn filters() {
        let takes = |line: &str, prefix: &str| filter(line).unwrap().takes(&route(prefix, "r1"));
        assert!(takes("", "10.1.0.0/16"));
        assert!(takes("10.1.0.0/16", "10.1.0.0/16"));
        assert!(!takes("10.1.0.0/17", "10.1.0.0/16"));
        assert!(takes("root 10.0.0.0/8", "10.1.0.0/16"));
        assert!(!takes("root 10.1.0.0/17", "10.1.0.0/16"));
        assert!(takes("root 0.0.0.0/0", "10.1.0.0/16"));
        assert!(!takes("root 0.0.0.0/0", "2001:db8::/32"));
        assert!(takes("root ::/0", "2001:db8::/32"));
        assert!(!takes("root 2001:db9::/32", "2001:db8::/48"));
        assert!(takes("default", "0.0.0.0/0") && takes("default", "::/0"));
        assert!(!takes("default", "10.0.0.0/8"));
        assert!(takes("dev r1 type unicast", "10.1.0.0/16"));
        assert!(!takes("dev r2", "10.1.0.0/16"));
        assert!(!takes("via 10.0.2.2", "10.1.0.0/16"));
        assert_eq!(filter("table local").unwrap().table, Some(255));
        assert_eq!(filter("table all").unwrap().table, None);
        assert_eq!(filter("2001:db8::1").unwrap().exact.unwrap().len, 128);
        for line in [
            "10.1.0.0/33",
            "10.1.0.1/16",
            "table",
            "table nosuch",
            "via r1",
            "colour",
            "::/129",
        ] {
            assert!(filter(line).is_err(), "{line}");
        }
    }

    #[test]
    fn routes_as_ip_writes_them() {
        let line = |route: &Route| -> String {
            route_line(route)
                .iter()
                .map(|piece| piece.text.as_str())
                .collect()
        };
        let mut one = route("10.1.0.0/16", "r1");
        one.path.gateway = Some("10.0.2.2".parse().unwrap());
        assert_eq!(line(&one), "10.1.0.0/16 via 10.0.2.2 dev r1 nexthop 3");
        let mut one = route("10.0.1.1", "lo");
        one.kind = Some(RouteType(2));
        one.table = Some(RoutingTable(255));
        one.path.metric = Some(5);
        one.path.paths = Some(2);
        one.nexthop = None;
        assert_eq!(
            line(&one),
            "local 10.0.1.1 dev lo table local metric 5 paths 2"
        );
    }

    #[test]
    fn nexthops_are_aligned() {
        let all = [Nexthop {
            id: 1,
            kind: Some(RouteType::UNICAST),
            path: Path {
                gateway: Some("10.0.2.2".parse().unwrap()),
                dev: Some("r1".into()),
                ..Path::default()
            },
            prefixes: 12345,
            dst_state: Some(DstState::Stale),
        }];
        let text: Vec<String> = nexthop_table(&all)
            .lines()
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect();
        assert_eq!(
            text,
            [
                "ID  TYPE     VIA       DEV  METRIC  PATHS  PREFIXES  DST",
                " 1  unicast  10.0.2.2  r1        0      1     12345  stale",
            ]
        );
    }
}
