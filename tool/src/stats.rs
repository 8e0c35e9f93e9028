// SPDX-License-Identifier: GPL-2.0

//! "altfib stats": state, sizes and counters.

use crate::attributes::FromAttributes as _;
use crate::attributes::Writer;
use crate::cli::Options;
use crate::messages::Family;
use crate::messages::Stats;
use crate::netlink::Altfib;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Table;
use crate::uapi;
use crate::Status;
use anyhow::Context as _;
use anyhow::Result;

pub fn read(altfib: &mut Altfib, family: Family) -> Result<Stats> {
    let mut request = Writer::default();
    request.u8(uapi::ALTFIB_A_STATS_FAMILY, family.number());
    let reply = altfib
        .do_one(uapi::ALTFIB_CMD_STATS, request.finish())?
        .context("altfib gave no answer")?;
    Stats::read(&reply.attributes)
}

/// Of the families that the options name.
pub fn read_all(altfib: &mut Altfib, options: &Options) -> Result<Vec<Stats>> {
    options
        .families()
        .iter()
        .map(|&family| read(altfib, family))
        .collect()
}

pub fn run(out: &mut Out, options: &Options) -> Result<Status> {
    let all = read_all(&mut Altfib::open()?, options)?;
    if out.json {
        for stats in &all {
            out.element(stats)?;
        }
        out.end()?;
    } else {
        show(out, &all)?;
    }
    Ok(Status::Well)
}

fn show(out: &mut Out, all: &[Stats]) -> Result<()> {
    out.table(&state(all))?;
    let punts = punts(all);
    if !punts.is_empty() {
        out.text("")?;
        out.table(&punts)?;
    }
    Ok(())
}

fn heading(first: &str, all: &[Stats], last: Option<&str>) -> Table {
    let families: Vec<_> = all
        .iter()
        .map(|stats| format!(">{}", stats.family.name()))
        .collect();
    let mut heading = vec![first];
    heading.extend(families.iter().map(String::as_str));
    heading.extend(last);
    Table::new(&heading)
}

/// What there is, and each counter that any of them has moved.
fn state(all: &[Stats]) -> Table {
    let mut table = heading("", all, None);
    let mut row = |name: &str, of: &dyn Fn(&Stats) -> out::Piece| {
        let mut row = vec![plain(name)];
        row.extend(all.iter().map(of));
        table.row(row);
    };
    let text = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
    row("mode", &|stats| plain(&stats.mode));
    row("cache", &|stats| plain(&stats.cache));
    row("output", &|stats| plain(&stats.output));
    row("fastpath", &|stats| {
        plain(if stats.fastpath { "on" } else { "off" })
    });
    row("serving", &|stats| match stats.serving {
        true => styled("yes", Look::Good),
        false => styled("no", Look::Note),
    });
    if all.iter().any(|stats| stats.why_not.is_some()) {
        row("why_not", &|stats| text(&stats.why_not));
    }
    row("routes", &|stats| plain(stats.routes));
    row("nexthops", &|stats| {
        stats.nexthops.map_or(plain("-"), plain)
    });
    row("algorithm", &|stats| text(&stats.algorithm));
    row("memory", &|stats| plain(out::bytes(stats.memory)));
    row("memory_max", &|stats| plain(out::bytes(stats.memory_max)));
    row("attached", &|stats| {
        plain(out::share(stats.attached(), stats.unicast()))
    });
    let names = all.first().map_or(&[][..], |stats| &stats.counters.0);
    for name in names.iter().map(|counter| counter.name.as_str()) {
        // Its own row is above, in bytes and for all tables.
        if !["entries", "memory_kb"].contains(&name)
            && all.iter().any(|stats| stats.counters.get(name) != 0)
        {
            row(name, &|stats| plain(stats.counters.get(name)));
        }
    }
    let names = all
        .first()
        .map_or(&[][..], |stats| &stats.output_counters.0);
    for name in names.iter().map(|counter| counter.name.as_str()) {
        if all.iter().any(|stats| stats.output_counters.get(name) != 0) {
            row(name, &|stats| plain(stats.output_counters.get(name)));
        }
    }
    table
}

fn punts(all: &[Stats]) -> Table {
    let mut table = heading("punted", all, Some("cause"));
    let names = all.first().map_or(&[][..], |stats| &stats.punts);
    for punt in names {
        let packets = |stats: &Stats| packets(stats, &punt.name);
        if all.iter().any(|stats| packets(stats) != 0) {
            let mut row = vec![styled(&punt.name, Look::Note)];
            row.extend(all.iter().map(|stats| plain(packets(stats))));
            row.push(plain(&punt.cause));
            table.row(row);
        }
    }
    table
}

/// Packets of one reason.
pub fn packets(stats: &Stats, name: &str) -> u64 {
    stats
        .punts
        .iter()
        .find(|punt| punt.name == name)
        .map_or(0, |punt| punt.packets)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::messages::Counter;
    use crate::messages::Counters;
    use crate::messages::Punt;

    /// A family's statistics with these counters and punts (name, group, packets).
    pub fn stats(family: Family, counters: &[(&str, u64)], punts: &[(&str, &str, u64)]) -> Stats {
        Stats {
            family,
            mode: "on".into(),
            cache: "nexthop".into(),
            output: "off".into(),
            serving: true,
            routes: 14,
            memory: 4096,
            memory_max: 1 << 28,
            counters: Counters(
                counters
                    .iter()
                    .map(|&(name, value)| Counter {
                        name: name.into(),
                        value,
                    })
                    .collect(),
            ),
            punts: punts
                .iter()
                .map(|&(name, group, packets)| Punt {
                    name: name.into(),
                    group: group.into(),
                    packets,
                    cause: format!("{name} happened"),
                })
                .collect(),
            ..Stats::default()
        }
    }

    fn text(table: &Table) -> Vec<String> {
        table
            .lines()
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn beside_each_other() {
        let all = [
            stats(
                Family::Ipv4,
                &[("entries", 14), ("forward", 3), ("oom", 0)],
                &[
                    ("no_route", "route", 1),
                    ("busy", "state", 0),
                    ("early_demux", "socket", 5),
                    ("fast_ttl", "fast", 2),
                ],
            ),
            stats(
                Family::Ipv6,
                &[("entries", 9), ("forward", 0), ("oom", 0)],
                &[],
            ),
        ];
        let text_of = text(&state(&all));
        assert_eq!(text_of[1], "mode             on       on");
        assert!(
            text_of.contains(&"attached    33.33 %        -".to_string()),
            "{text_of:?}"
        );
        assert!(text_of.contains(&"forward           3        0".to_string()));
        assert!(!text_of
            .iter()
            .any(|line| line.contains("oom") || line.contains("entries")));
        assert_eq!(
            text(&punts(&all)),
            [
                "punted       IPv4  IPv6  cause",
                "no_route        1     0  no_route happened",
                "early_demux     5     0  early_demux happened",
                "fast_ttl        2     0  fast_ttl happened",
            ]
        );
    }

    #[test]
    fn why_not() {
        let mut one = stats(Family::Ipv6, &[], &[]);
        one.serving = false;
        one.why_not = Some("mode is off".into());
        let text = text(&state(&[one]));
        assert_eq!(text[5], "serving              no");
        assert_eq!(text[6], "why_not     mode is off");
    }
}
