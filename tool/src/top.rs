// SPDX-License-Identifier: GPL-2.0

//! "altfib top": what happens a second.
//!
//! Packets of next hops are from a sample, since one counter more would cost each packet; the devices
//! count all that they see.

use crate::cli;
use crate::cli::Options;
use crate::list;
use crate::messages::Cache;
use crate::messages::DstState;
use crate::messages::Family;
use crate::messages::Nexthop;
use crate::messages::RouteType;
use crate::messages::Stats;
use crate::messages::Traffic;
use crate::messages::SOCKET;
use crate::netlink::Altfib;
use crate::out;
use crate::out::paint;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::out::Table;
use crate::stats;
use crate::Status;
use anyhow::Context as _;
use anyhow::Result;
use crossterm::cursor;
use crossterm::event;
use crossterm::event::Event;
use crossterm::event::KeyCode;
use crossterm::event::KeyModifiers;
use crossterm::execute;
use crossterm::queue;
use crossterm::terminal;
use serde::Serialize;
use std::cmp::Reverse;
use std::fs;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

/// Lines of next hops; the other ones are together in one more.
const NEXTHOPS: usize = 10;

/// Packets that a device has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Device {
    name: String,
    rx: u64,
    tx: u64,
}

/// What there is at one moment.
struct Sample {
    at: Instant,
    stats: Vec<Stats>,
    caches: Vec<Cache>,
    nexthops: Vec<Nexthop>,
    traffic: Vec<Traffic>,
    devices: Vec<Device>,
}

fn sample(altfib: &mut Altfib, options: &Options) -> Result<Sample> {
    let text = fs::read_to_string("/proc/net/dev").context("/proc/net/dev cannot be read")?;
    Ok(Sample {
        at: Instant::now(),
        stats: stats::read_all(altfib, options)?,
        caches: list::all_caches(altfib, options)?,
        nexthops: if options.ipv6 {
            Vec::new()
        } else {
            list::all_nexthops(altfib)?.0
        },
        traffic: list::all_traffic(altfib, options)?,
        devices: devices(&text),
    })
}

/// The lines of /proc/net/dev: "name: rx bytes, rx packets, ...", with eight fields of each direction.
fn devices(text: &str) -> Vec<Device> {
    text.lines()
        .filter_map(|line| {
            let (name, fields) = line.split_once(':')?;
            let mut fields = fields.split_whitespace().map(str::parse);
            Some(Device {
                name: name.trim().to_string(),
                rx: fields.nth(1)?.ok()?,
                tx: fields.nth(7)?.ok()?,
            })
        })
        .collect()
}

/// What happened between two of them, a second.
#[derive(Debug, PartialEq, Serialize)]
struct Block {
    seconds: f64,
    families: Vec<FamilyRates>,
    /// Those with most packets first.
    nexthops: Vec<NexthopRates>,
    devices: Vec<DeviceRates>,
    /// Of families whose host's own lookups altfib answers, or of which it has answered some.
    own: Vec<OwnRates>,
    punts: Vec<PuntRate>,
}

/// The host's own lookups.
#[derive(Debug, PartialEq, Serialize)]
struct OwnRates {
    family: Family,
    output: String,
    answered: f64,
    left: f64,
    socket_hit: f64,
    socket_miss: f64,
}

#[derive(Debug, PartialEq, Serialize)]
struct FamilyRates {
    family: Family,
    mode: String,
    serving: bool,
    routes: u32,
    updates: f64,
    attached: f64,
    punted: f64,
    sockets: f64,
    /// Per cent of attached packets whose next hop had its route.
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_hit: Option<f64>,
    strategy: String,
    /// Per cent of packets whose flow was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_hit: Option<f64>,
}

/// About so many packets left by it: they are of a sample.
#[derive(Debug, PartialEq, Serialize)]
struct NexthopRates {
    family: Family,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<RouteType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    packets: f64,
    /// Per cent of all of them.
    share: f64,
}

#[derive(Debug, PartialEq, Serialize)]
struct DeviceRates {
    dev: String,
    rx: f64,
    tx: f64,
    nexthops: usize,
    cached: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct PuntRate {
    reason: String,
    family: Family,
    packets: f64,
    cause: String,
}

/// To two places: more are noise.
fn rounded(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

fn per_cent(part: u64, of: u64) -> Option<f64> {
    (of != 0).then(|| rounded(part as f64 / of as f64 * 100.0))
}

/// What each next hop has more than before, over all CPUs.
fn nexthops(now: &[Traffic], before: &[Traffic]) -> Vec<(Traffic, u64)> {
    let mut all: Vec<(Traffic, u64)> = Vec::new();
    for traffic in now {
        let was = before.iter().find(|was| was.is_of(traffic));
        let was = was.map_or(0, |was| was.packets);
        // Less: its place had another one's numbers meanwhile, or the module was loaded anew.
        let packets = traffic.packets.checked_sub(was).unwrap_or(traffic.packets);
        match all.iter_mut().find(|(it, _)| it.is_like(traffic)) {
            Some((_, sum)) => *sum += packets,
            None => all.push((traffic.clone(), packets)),
        }
    }
    all.retain(|&(_, packets)| packets != 0);
    all.sort_by_key(|&(_, packets)| Reverse(packets));
    all
}

impl Block {
    fn between(before: &Sample, now: &Sample) -> Self {
        // Never nothing, whatever the clock says.
        let seconds = (now.at - before.at).as_secs_f64().max(0.001);
        // A counter starts anew if the module was loaded anew.
        let rate = |now: u64, before: u64| rounded(now.saturating_sub(before) as f64 / seconds);
        let mut families = Vec::new();
        let mut own = Vec::new();
        let mut punts = Vec::new();
        for (i, (now_stats, was)) in now.stats.iter().zip(&before.stats).enumerate() {
            let count = |name: &str| {
                now_stats
                    .counters
                    .get(name)
                    .saturating_sub(was.counters.get(name))
            };
            let cached = |name: &str| match (now.caches.get(i), before.caches.get(i)) {
                (Some(now), Some(before)) => now
                    .counters
                    .get(name)
                    .saturating_sub(before.counters.get(name)),
                _ => 0,
            };
            let mut sockets = 0.0;
            for punt in &now_stats.punts {
                let packets = rate(punt.packets, stats::packets(was, &punt.name));
                if punt.group == SOCKET {
                    sockets += packets;
                } else if packets != 0.0 {
                    punts.push(PuntRate {
                        reason: punt.name.clone(),
                        family: now_stats.family,
                        packets,
                        cause: punt.cause.clone(),
                    });
                }
            }
            let own_rate = |name: &str| {
                rate(
                    now_stats.output_counters.get(name),
                    was.output_counters.get(name),
                )
            };
            let rates = OwnRates {
                family: now_stats.family,
                output: now_stats.output.clone(),
                answered: own_rate("lookup_answered"),
                left: own_rate("lookup_left") + own_rate("lookup_learned"),
                socket_hit: own_rate("socket_hit"),
                socket_miss: own_rate("socket_miss"),
            };
            if now_stats.output != "off" || rates.answered != 0.0 {
                own.push(rates);
            }
            families.push(FamilyRates {
                family: now_stats.family,
                mode: now_stats.mode.clone(),
                serving: now_stats.serving,
                routes: now_stats.routes,
                updates: rate(now_stats.updates(), was.updates()),
                attached: rate(now_stats.attached(), was.attached()),
                punted: rate(now_stats.punted(), was.punted()),
                sockets,
                dst_hit: per_cent(count("dst_hit"), count("forward") + count("local")),
                strategy: now
                    .caches
                    .get(i)
                    .map_or(String::new(), |cache| cache.strategy.clone()),
                flow_hit: per_cent(cached("in_hit"), cached("in_hit") + cached("in_slow_tot")),
            });
        }
        punts.sort_by(|a, b| b.packets.total_cmp(&a.packets));
        let of_nexthops = nexthops(&now.traffic, &before.traffic);
        let of_all = of_nexthops.iter().map(|&(_, packets)| packets).sum();
        let nexthops = of_nexthops
            .into_iter()
            .map(|(traffic, packets)| NexthopRates {
                family: traffic.family,
                kind: traffic.kind,
                gateway: traffic.path.gateway,
                dev: traffic.path.dev,
                packets: rate(packets, 0),
                share: per_cent(packets, of_all).unwrap_or(0.0),
            })
            .collect();
        let devices = now
            .devices
            .iter()
            .map(|device| {
                let was = before.devices.iter().find(|it| it.name == device.name);
                let was = was.unwrap_or(device);
                let by_it = || {
                    now.nexthops
                        .iter()
                        .filter(|nexthop| nexthop.path.dev.as_ref() == Some(&device.name))
                };
                DeviceRates {
                    dev: device.name.clone(),
                    rx: rate(device.rx, was.rx),
                    tx: rate(device.tx, was.tx),
                    nexthops: by_it().count(),
                    cached: by_it()
                        .filter(|nexthop| nexthop.dst_state == Some(DstState::Cached))
                        .count(),
                }
            })
            // Those that are of no account here.
            .filter(|device| device.nexthops != 0 || device.rx != 0.0 || device.tx != 0.0)
            .collect();
        Self {
            seconds: rounded(seconds),
            families,
            nexthops,
            devices,
            own,
            punts,
        }
    }

    fn lines(&self) -> Vec<Vec<Piece>> {
        let mut lines = vec![vec![
            styled("altfib", Look::Head),
            plain(format!(
                ": all a second, over the last {:.1} s",
                self.seconds
            )),
        ]];
        let share = |share: Option<f64>| plain(share.map_or("-".into(), |n| format!("{n:.2} %")));
        let mut table = Table::new(&[
            "",
            "MODE",
            "SERVING",
            ">ROUTES",
            ">UPDATES",
            ">ATTACHED",
            ">PUNTED",
            ">SOCKETS",
            ">DST HIT",
            "CACHE",
            ">FLOW HIT",
        ]);
        for family in &self.families {
            table.row(vec![
                styled(family.family.name(), Look::Head),
                plain(&family.mode),
                match family.serving {
                    true => styled("yes", Look::Good),
                    false => styled("no", Look::Note),
                },
                plain(family.routes),
                number(family.updates),
                number(family.attached),
                number(family.punted),
                number(family.sockets),
                share(family.dst_hit),
                plain(&family.strategy),
                share(family.flow_hit),
            ]);
        }
        lines.extend(table.lines());
        if !self.own.is_empty() {
            let mut table = Table::new(&[
                "",
                "OUTPUT",
                ">ANSWERED",
                ">LEFT",
                ">SOCKET HIT",
                ">SOCKET MISS",
            ]);
            for own in &self.own {
                table.row(vec![
                    styled(own.family.name(), Look::Head),
                    plain(&own.output),
                    number(own.answered),
                    number(own.left),
                    number(own.socket_hit),
                    number(own.socket_miss),
                ]);
            }
            lines.push(Vec::new());
            lines.extend(table.lines());
        }
        if !self.nexthops.is_empty() {
            let mut table = Table::new(&["", "TYPE", "VIA", "DEV", ">PACKETS", ">SHARE"]);
            for nexthop in self.nexthops.iter().take(NEXTHOPS) {
                table.row(vec![
                    styled(nexthop.family.name(), Look::Head),
                    plain(nexthop.kind.map_or("-", RouteType::name)),
                    nexthop.gateway.map_or(plain("-"), out::address),
                    styled(nexthop.dev.as_deref().unwrap_or("-"), Look::Device),
                    number(nexthop.packets),
                    share(Some(nexthop.share)),
                ]);
            }
            if let Some(others) = self.nexthops.get(NEXTHOPS..).filter(|it| !it.is_empty()) {
                let sum = |of: fn(&NexthopRates) -> f64| others.iter().map(of).sum::<f64>();
                table.row(vec![
                    plain(""),
                    plain("others"),
                    plain(others.len()),
                    plain(""),
                    number(sum(|it| it.packets)),
                    share(Some(sum(|it| it.share))),
                ]);
            }
            lines.push(Vec::new());
            lines.extend(table.lines());
        }
        if !self.devices.is_empty() {
            let mut table = Table::new(&["DEV", ">RECEIVED", ">SENT", ">NEXTHOPS", ">CACHED"]);
            for device in &self.devices {
                table.row(vec![
                    styled(&device.dev, Look::Device),
                    number(device.rx),
                    number(device.tx),
                    plain(device.nexthops),
                    plain(device.cached),
                ]);
            }
            lines.push(Vec::new());
            lines.extend(table.lines());
        }
        if !self.punts.is_empty() {
            let mut table = Table::new(&[">PUNTED", "FAMILY", "REASON", "CAUSE"]);
            for punt in &self.punts {
                table.row(vec![
                    number(punt.packets),
                    plain(punt.family.name()),
                    styled(&punt.reason, Look::Note),
                    plain(&punt.cause),
                ]);
            }
            lines.push(Vec::new());
            lines.extend(table.lines());
        }
        lines
    }
}

fn number(n: f64) -> Piece {
    plain(format!("{n:.1}"))
}

pub fn run(out: &mut Out, options: &Options, args: &cli::Top) -> Result<Status> {
    let mut altfib = Altfib::open()?;
    let delay = Duration::from_secs_f64(args.delay);
    let screen =
        (!args.batch && !out.json && io::stdout().is_terminal() && io::stdin().is_terminal())
            .then(Screen::enter)
            .transpose()?;
    let mut before = sample(&mut altfib, options)?;
    if let Some(screen) = &screen {
        screen.show(
            out,
            &[vec![plain("the first block comes in a moment; q ends")]],
        )?;
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut first = true;
    while left != 0 {
        match &screen {
            Some(screen) => {
                if screen.ended_within(delay)? {
                    break;
                }
            }
            None => sleep(delay),
        }
        let now = sample(&mut altfib, options)?;
        let block = Block::between(&before, &now);
        before = now;
        left -= 1;
        match &screen {
            Some(screen) => screen.show(out, &block.lines())?,
            None if out.json => out.value(&block)?,
            None => {
                if !first {
                    out.text("")?;
                }
                for line in block.lines() {
                    out.line(&line)?;
                }
            }
        }
        first = false;
        out.flush()?;
    }
    Ok(Status::Well)
}

/// The whole terminal, until it is dropped.
struct Screen;

impl Screen {
    fn enter() -> Result<Self> {
        terminal::enable_raw_mode()
            .context("the terminal cannot be used: try \"altfib top -b\"")?;
        let screen = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn show(&self, out: &Out, lines: &[Vec<Piece>]) -> Result<()> {
        let mut to = io::stdout().lock();
        draw(&mut to, lines, terminal::size()?, out.colors())?;
        to.flush()?;
        Ok(())
    }

    /// Waits for the next block's time. Whether somebody has asked for the end.
    fn ended_within(&self, time: Duration) -> Result<bool> {
        let end = Instant::now() + time;
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            if !event::poll(rest)? {
                break;
            }
            if let Event::Key(key) = event::read()? {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(true),
                    KeyCode::Char('c') if control => return Ok(true),
                    KeyCode::Char(' ') | KeyCode::Enter => return Ok(false),
                    _ => {}
                }
            }
        }
        Ok(false)
    }
}

/// As much of these lines as there is room for, and nothing else on the screen.
fn draw(
    to: &mut impl io::Write,
    lines: &[Vec<Piece>],
    (width, height): (u16, u16),
    colors: bool,
) -> io::Result<()> {
    for (row, line) in (0..height).zip(lines) {
        queue!(to, cursor::MoveTo(0, row))?;
        let mut room = usize::from(width);
        for piece in line {
            let text: String = piece.text.chars().take(room).collect();
            room -= text.chars().count();
            paint(to, &text, piece.look, colors)?;
        }
        // A full line has nothing behind it, and its last place would be cleared.
        if room != 0 {
            queue!(to, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
    }
    if lines.len() < usize::from(height) {
        queue!(
            to,
            cursor::MoveTo(0, lines.len() as u16),
            terminal::Clear(terminal::ClearType::FromCursorDown)
        )?;
    }
    Ok(())
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever cannot write to the terminal any more has nothing to tidy there.
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Path;
    use crate::stats::tests::stats;

    #[test]
    fn lines_of_proc_net_dev() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:     100       2    0    0    0     0          0         0      100       3    0    0    0     0       0          0\n  \
            eth0:1 4294967296 0 0 0 0 0 0 9 5 0 0 0 0 0 0\n";
        let device = |name: &str, rx, tx| Device {
            name: name.into(),
            rx,
            tx,
        };
        assert_eq!(
            devices(text),
            [device("lo", 2, 3), device("eth0", 4294967296, 5)]
        );
    }

    fn traffic(cpu: u32, gateway: &str, packets: u64) -> Traffic {
        Traffic {
            cpu,
            kind: Some(RouteType::UNICAST),
            path: Path {
                gateway: Some(gateway.parse().unwrap()),
                oif: Some(3),
                dev: Some("r1".into()),
                ..Path::default()
            },
            packets,
            ..Traffic::default()
        }
    }

    fn sample_of(at: Instant, forward: u64, no_route: u64, tx: u64) -> Sample {
        Sample {
            at,
            stats: vec![stats(
                Family::Ipv4,
                &[
                    ("forward", forward),
                    ("dst_hit", forward),
                    ("route_add", forward / 10),
                ],
                &[
                    ("no_route", "route", no_route),
                    ("early_demux", "socket", no_route),
                ],
            )],
            caches: vec![Cache {
                strategy: "nexthop".into(),
                ..Cache::default()
            }],
            nexthops: vec![Nexthop {
                path: Path {
                    dev: Some("r1".into()),
                    ..Path::default()
                },
                dst_state: Some(DstState::Cached),
                ..Nexthop::default()
            }],
            traffic: vec![traffic(0, "10.0.2.2", forward), traffic(1, "10.0.2.2", 7)],
            devices: vec![
                Device {
                    name: "r1".into(),
                    rx: 0,
                    tx,
                },
                Device {
                    name: "idle".into(),
                    ..Device::default()
                },
            ],
        }
    }

    #[test]
    fn rates() {
        let at = Instant::now();
        let before = sample_of(at, 100, 10, 1000);
        let now = sample_of(at + Duration::from_secs(2), 300, 11, 1100);
        let block = Block::between(&before, &now);
        let family = &block.families[0];
        assert_eq!(
            (family.attached, family.punted, family.updates),
            (100.0, 0.5, 10.0)
        );
        assert_eq!(
            (family.sockets, family.dst_hit, family.flow_hit),
            (0.5, Some(100.0), None)
        );
        assert_eq!(block.devices.len(), 1);
        assert_eq!((block.devices[0].tx, block.devices[0].cached), (50.0, 1));
        assert_eq!(block.punts.len(), 1);
        let text: Vec<String> = block
            .lines()
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect();
        assert_eq!(text[0], "altfib: all a second, over the last 2.0 s");
        assert_eq!(
            text[2],
            "IPv4  on    yes          14     10.0     100.0     0.5      0.5  100.00 %  nexthop         -"
        );
        assert_eq!(
            text[4..6],
            [
                "      TYPE     VIA       DEV  PACKETS     SHARE",
                "IPv4  unicast  10.0.2.2  r1     100.0  100.00 %",
            ]
        );
        assert_eq!(text[8], "r1        0.0  50.0         1       1");
    }

    #[test]
    fn nexthops_of_all_cpus() {
        let before = [traffic(0, "10.0.2.2", 100), traffic(1, "10.0.3.2", 900)];
        let now = [
            traffic(0, "10.0.2.2", 150),
            // Only this CPU had none.
            traffic(1, "10.0.2.2", 10),
            // Its place went to another one and came back.
            traffic(1, "10.0.3.2", 80),
            traffic(0, "10.0.4.2", 0),
        ];
        let seen: Vec<(String, u64)> = nexthops(&now, &before)
            .into_iter()
            .map(|(it, packets)| (it.path.gateway.unwrap().to_string(), packets))
            .collect();
        assert_eq!(seen, [("10.0.3.2".into(), 80), ("10.0.2.2".into(), 60)]);
    }

    #[test]
    fn many_nexthops_are_together() {
        let at = Instant::now();
        let mut now = sample_of(at + Duration::from_secs(1), 0, 0, 0);
        now.traffic = (1..=12)
            .map(|i| traffic(0, &format!("10.0.2.{i}"), i))
            .collect();
        let mut before = sample_of(at, 0, 0, 0);
        before.traffic.clear();
        let block = Block::between(&before, &now);
        let text: Vec<String> = block
            .lines()
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect();
        assert!(text[5].contains("10.0.2.12"), "{text:?}");
        assert_eq!(text[14].split_whitespace().last(), Some("%"));
        assert_eq!(
            text[15].split_whitespace().collect::<Vec<_>>(),
            ["others", "2", "3.0", "3.84", "%"]
        );
        assert_eq!(text[16], "");
    }

    #[test]
    fn a_screen_takes_what_fits() {
        let lines = [
            vec![styled("12", Look::Device), plain("3456")],
            vec![plain("ab")],
            vec![plain("never seen")],
        ];
        let drawn = |size, colors| {
            let mut to = Vec::new();
            draw(&mut to, &lines, size, colors).unwrap();
            String::from_utf8(to).unwrap()
        };
        assert_eq!(drawn((4, 2), false), "\x1b[1;1H1234\x1b[2;1Hab\x1b[K");
        assert_eq!(
            drawn((4, 2), true),
            "\x1b[1;1H\x1b[36m12\x1b[0m34\x1b[2;1Hab\x1b[K"
        );
        assert!(drawn((80, 24), false).ends_with("never seen\x1b[K\x1b[4;1H\x1b[J"));
    }

    #[test]
    fn counters_that_begin_anew_are_no_rates() {
        let at = Instant::now();
        let block = Block::between(&sample_of(at, 300, 11, 9), &sample_of(at, 0, 0, 0));
        assert_eq!(block.families[0].attached, 0.0);
        assert!(block.punts.is_empty());
    }
}
