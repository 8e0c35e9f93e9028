// SPDX-License-Identifier: GPL-2.0

//! "altfib explain": why packets are left to the kernel, and what would change it.

use crate::cli;
use crate::cli::Options;
use crate::messages::Family;
use crate::messages::Stats;
use crate::messages::FAST;
use crate::netlink::Altfib;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::reasons;
use crate::reasons::Verdict;
use crate::stats;
use crate::Status;
use anyhow::bail;
use anyhow::Result;
use serde::Serialize;
use std::thread::sleep;
use std::time::Duration;

#[derive(Debug, PartialEq, Serialize)]
struct Explained {
    family: Family,
    reason: String,
    group: String,
    packets: u64,
    /// Of all packets of the family, in per cent.
    share: f64,
    cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

pub fn run(out: &mut Out, options: &Options, args: &cli::Explain) -> Result<Status> {
    for name in &args.reasons {
        if reasons::of(name).is_none() {
            bail!("no reason is called \"{name}\": \"altfib explain\" lists those that occur, docs/counters.md all");
        }
    }
    let mut altfib = Altfib::open()?;
    let mut all = stats::read_all(&mut altfib, options)?;
    if let Some(seconds) = args.seconds {
        let before = all;
        sleep(Duration::from_secs_f64(seconds));
        all = stats::read_all(&mut altfib, options)?;
        for (now, before) in all.iter_mut().zip(&before) {
            since(now, before);
        }
    }
    let explained: Vec<_> = all
        .iter()
        .map(|stats| explain(stats, &args.reasons))
        .collect();
    if out.json {
        for one in explained.iter().flatten() {
            out.element(one)?;
        }
        out.end()?;
        return Ok(Status::Well);
    }
    let when = match args.seconds {
        Some(seconds) => format!("in {seconds} s"),
        None => "since altfib was loaded here".into(),
    };
    for (stats, explained) in all.iter().zip(&explained) {
        for line in show(stats, explained, &when) {
            out.line(&line)?;
        }
    }
    Ok(Status::Well)
}

/// Takes away what was there before.
fn since(now: &mut Stats, before: &Stats) {
    for counter in &mut now.counters.0 {
        counter.value = counter
            .value
            .wrapping_sub(before.counters.get(&counter.name));
    }
    for punt in &mut now.punts {
        punt.packets = punt
            .packets
            .wrapping_sub(stats::packets(before, &punt.name));
    }
}

/// The most frequent first; the ones that were named, whether they occur or not.
fn explain(stats: &Stats, named: &[String]) -> Vec<Explained> {
    let packets = stats.packets();
    let mut all: Vec<_> = stats
        .punts
        .iter()
        .filter(|punt| match named {
            [] => punt.packets != 0,
            named => named.contains(&punt.name),
        })
        .map(|punt| {
            let reason = reasons::of(&punt.name);
            Explained {
                family: stats.family,
                reason: punt.name.clone(),
                group: punt.group.clone(),
                packets: punt.packets,
                share: match packets {
                    0 => 0.0,
                    n => (punt.packets as f64 / n as f64 * 10_000.0).floor() / 100.0,
                },
                cause: punt.cause.clone(),
                verdict: reason.map(|reason| reason.verdict.name()),
                advice: reason.map(|reason| reason.advice),
            }
        })
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.packets));
    all
}

fn show(stats: &Stats, all: &[Explained], when: &str) -> Vec<Vec<Piece>> {
    let (packets, punted) = (stats.packets(), stats.punted());
    let mut head = vec![
        styled(stats.family.name(), Look::Head),
        plain(format!(
            ": {punted} of {packets} packets were left to the kernel {when} ({})",
            out::share(punted, packets)
        )),
    ];
    if let Some(why) = &stats.why_not {
        head.push(plain("; now all of them are, since "));
        head.push(styled(why, Look::Note));
    }
    let mut lines = vec![head];
    let width = all
        .iter()
        .map(|one| one.packets.to_string().len())
        .max()
        .unwrap_or(0);
    for one in all {
        let look = match reasons::of(&one.reason).map(|reason| reason.verdict) {
            Some(Verdict::Choice) => Look::Note,
            _ => Look::Good,
        };
        let fast = if one.group == FAST {
            " (through the stack)"
        } else {
            ""
        };
        lines.push(vec![
            plain(format!("  {:>width$} ", one.packets)),
            styled(&one.reason, look),
            plain(format!("{fast}: {}", one.cause)),
        ]);
        if let Some(advice) = one.advice {
            lines.push(vec![plain(format!("  {:width$} {advice}", ""))]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::stats;

    #[test]
    fn the_most_frequent_first() {
        let stats = stats(
            Family::Ipv4,
            &[("forward", 90)],
            &[
                ("no_route", "route", 3),
                ("no_dst", "nexthop", 7),
                ("busy", "state", 0),
            ],
        );
        let all = explain(&stats, &[]);
        let lines: Vec<String> = show(&stats, &all, "in 1 s")
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect();
        assert_eq!(
            lines[0],
            "IPv4: 10 of 100 packets were left to the kernel in 1 s (10.00 %)"
        );
        assert_eq!(lines[1], "  7 no_dst: no_dst happened");
        assert!(lines[2].starts_with("    The next packet finds the route"));
        assert_eq!(lines[3], "  3 no_route: no_route happened");
        assert_eq!(lines.len(), 5);
        assert_eq!(all[0].share, 7.0);
        let all = explain(&stats, &["busy".to_string()]);
        assert_eq!((all.len(), all[0].packets), (1, 0));
    }

    #[test]
    fn only_what_is_new() {
        let before = stats(
            Family::Ipv4,
            &[("forward", 90)],
            &[("no_route", "route", 3)],
        );
        let mut now = stats(
            Family::Ipv4,
            &[("forward", 91)],
            &[("no_route", "route", 3)],
        );
        since(&mut now, &before);
        assert_eq!((now.attached(), now.punted()), (1, 0));
        assert!(explain(&now, &[]).is_empty());
    }
}
