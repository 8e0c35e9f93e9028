// SPDX-License-Identifier: GPL-2.0

//! What was measured, as text and as JSON.

use crate::{
    concurrent::Beside,
    harness::{summary, Mode},
    lines::Touched,
    peers::Kind,
    tables::Draw,
    updates::Day,
};
use std::{collections::BTreeMap, fmt::Write};

/// One peer, one table, one way of drawing keys, one loop.
#[derive(Clone, Debug)]
pub struct Series {
    pub family: &'static str,
    pub table: &'static str,
    pub draw: Draw,
    pub mode: Mode,
    pub peer: &'static str,
    pub kind: Kind,
    /// Nanoseconds for a lookup, round by round.
    pub ns: Vec<f64>,
}

/// One peer with one table.
#[derive(Clone, Debug)]
pub struct Size {
    pub family: &'static str,
    pub table: &'static str,
    pub peer: &'static str,
    pub kind: Kind,
    pub routes: usize,
    pub build: Option<f64>,
    pub touched: Option<usize>,
    pub memory: Option<usize>,
    pub algorithm: &'static str,
}

/// A chase through as many bytes as our lookups touch, beside the lookups of one way to draw keys.
#[derive(Clone, Debug)]
pub struct Chased {
    pub family: &'static str,
    pub draw: Draw,
    /// Nanoseconds for a line, round by round.
    pub ns: Vec<f64>,
}

/// Both full tables built at once by us.
#[derive(Clone, Debug)]
pub struct Bulk {
    pub order: &'static str,
    /// Seconds, round by round: IPv4 and IPv6.
    pub seconds: Vec<[f64; 2]>,
}

#[derive(Default)]
pub struct Results {
    /// What was measured on, and how: a name and a text each.
    pub place: Vec<(String, String)>,
    pub series: Vec<Series>,
    pub sizes: Vec<Size>,
    pub chases: Vec<Chased>,
    pub bulk: Vec<Bulk>,
    pub days: Vec<Day>,
    pub beside: Vec<Beside>,
    pub touched: Vec<Touched>,
    pub notes: Vec<String>,
    pub ticks_per_ns: f64,
}

pub const FULL: &str = "full";
pub const THREE: &str = "3 routes";

/// Lines that a lookup would read at best.
fn floor_lines(family: &str) -> f64 {
    if family == "v4" {
        2.85
    } else {
        5.9
    }
}

const DEPENDENT: Mode = Mode {
    batch: false,
    dependent: true,
};
const INDEPENDENT: Mode = Mode {
    batch: false,
    dependent: false,
};

impl Results {
    fn series(
        &self,
        family: &str,
        table: &str,
        draw: Draw,
        mode: Mode,
        wanted: impl Fn(&Series) -> bool,
    ) -> Vec<&Series> {
        self.series
            .iter()
            .filter(|s| {
                (s.family, s.table, s.draw, s.mode) == (family, table, draw, mode) && wanted(s)
            })
            .collect()
    }

    /// Our rate over that of the best of some peers, round by round, then the median.
    fn ratio(
        &self,
        family: &str,
        table: &str,
        draw: Draw,
        mode: Mode,
        others: impl Fn(&Series) -> bool,
    ) -> Option<f64> {
        let ours = self.series(family, table, draw, mode, |s| s.kind == Kind::Ours);
        let others = self.series(family, table, draw, mode, others);
        let ours = ours.first()?;
        if others.is_empty() {
            return None;
        }
        let ratios: Vec<f64> = (0..ours.ns.len())
            .map(|round| {
                let best = others
                    .iter()
                    .map(|s| s.ns[round])
                    .fold(f64::INFINITY, f64::min);
                best / ours.ns[round]
            })
            .collect();
        Some(summary(&ratios).median)
    }

    /// Our time for a dependent lookup over that of a chase with the same loop around it.
    fn chased(&self, family: &str, draw: Draw) -> Option<f64> {
        let chase = self
            .chases
            .iter()
            .find(|c| (c.family, c.draw) == (family, draw))?;
        let get = |kind| {
            self.series(family, FULL, draw, DEPENDENT, |s| s.kind == kind)
                .first()
                .copied()
        };
        let (ours, nothing) = (get(Kind::Ours)?, get(Kind::Nothing)?);
        let ratios: Vec<f64> = (0..ours.ns.len())
            .map(|r| ours.ns[r] / (floor_lines(family) * chase.ns[r] + nothing.ns[r]))
            .collect();
        Some(summary(&ratios).median)
    }

    /// What was measured for each target, by name.
    pub fn measured(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        let mut put = |name: &str, value: Option<f64>| {
            if let Some(value) = value {
                all.insert(name.to_string(), value);
            }
        };
        let best = |s: &Series| matches!(s.kind, Kind::Dpdk | Kind::Crate | Kind::Own);
        // Values of two bytes are no match for ours: a row for the reader, not for the target.
        let dpdk = |s: &Series| s.kind == Kind::Dpdk && s.peer.contains("4B");
        let by_crate = |s: &Series| s.kind == Kind::Crate;

        put(
            "v4-perprefix-dependent-vs-dpdk",
            self.ratio("v4", FULL, Draw::Prefix, DEPENDENT, dpdk),
        );
        for family in ["v4", "v6"] {
            put(
                &format!("{family}-perprefix-dependent-vs-chase"),
                self.chased(family, Draw::Prefix),
            );
        }
        for (draw, name) in [(Draw::Uniform, "uniform"), (Draw::Zipf, "zipf")] {
            for mode in Mode::ALL {
                let calls = if mode.batch { "batch" } else { "single" };
                let keys = if mode.dependent {
                    "dependent"
                } else {
                    "independent"
                };
                put(
                    &format!("v4-{name}-{calls}-{keys}-vs-best"),
                    self.ratio("v4", FULL, draw, mode, best),
                );
            }
        }
        for (mode, name) in [(DEPENDENT, "dependent"), (INDEPENDENT, "independent")] {
            put(
                &format!("v6-perprefix-{name}-vs-dpdk"),
                self.ratio("v6", FULL, Draw::Prefix, mode, dpdk),
            );
            put(
                &format!("v6-perprefix-{name}-vs-best-crate"),
                self.ratio("v6", FULL, Draw::Prefix, mode, by_crate),
            );
        }

        let ours: Vec<&Size> = self
            .sizes
            .iter()
            .filter(|s| s.table == FULL && s.kind == Kind::Ours)
            .collect();
        for size in &ours {
            put(
                &format!("{}-memory", size.family),
                size.touched.map(|bytes| bytes as f64 / size.routes as f64),
            );
        }
        if ours.len() == 2 {
            let bytes: Option<usize> = ours.iter().map(|s| s.memory).sum();
            put("writer-memory", bytes.map(|b| b as f64 / 1048576.0));
        }

        let days: Vec<&Day> = self
            .days
            .iter()
            .filter(|day| day.peer == "altfib" && !day.reader)
            .collect();
        if days.len() == 2 {
            let worst = |f: fn(&Day) -> f64| days.iter().map(|&d| f(d)).fold(0.0, f64::max);
            put("update-mean", Some(worst(Day::mean)));
            put("update-99.9%", Some(worst(|d| d.p999)));
            put(
                "update-whole-day",
                Some(days.iter().map(|d| d.seconds).sum()),
            );
        }
        if let Some(bulk) = self.bulk.iter().find(|b| b.order == SHUFFLED) {
            put("bulk-build", Some(bulk.milliseconds()));
        }

        // The worst of both families, of two ways to draw keys and of both single loops.
        let mut worst: Option<f64> = None;
        for family in ["v4", "v6"] {
            for draw in [Draw::Uniform, Draw::Prefix] {
                for mode in [INDEPENDENT, DEPENDENT] {
                    let ratio = self.ratio(family, THREE, draw, mode, |s| s.kind == Kind::Linear);
                    if let Some(ratio) = ratio {
                        worst = Some(worst.map_or(ratio, |w| w.min(ratio)));
                    }
                }
            }
        }
        put("three-route-vs-linear-scan", worst);
        all
    }

    /// All of it as Markdown.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let o = &mut out;
        for (name, text) in &self.place {
            let _ = writeln!(o, "- {name}: {text}");
        }
        if !self.notes.is_empty() {
            let _ = writeln!(o, "\nWhat a peer could not do:\n");
            for note in &self.notes {
                let _ = writeln!(o, "- {note}");
            }
        }
        self.lookups(o);
        self.chase_text(o);
        self.touched_text(o);
        self.sizes_text(o);
        self.updates_text(o);
        out
    }

    fn lookups(&self, o: &mut String) {
        let mut seen: Vec<(&str, &str, Draw)> = Vec::new();
        for s in &self.series {
            let key = (s.family, s.table, s.draw);
            if seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let (family, table, draw) = key;
            let _ = writeln!(o, "\n### IP{family}, {table}, {} keys\n", draw.name());
            let _ = write!(o, "| peer |");
            for mode in Mode::ALL {
                let _ = write!(o, " {} |", mode.name());
            }
            let _ = writeln!(o, " altfib to it |\n|---|---|---|---|---|---|");
            let mut peers: Vec<&str> = Vec::new();
            for s in self
                .series
                .iter()
                .filter(|s| (s.family, s.table, s.draw) == key)
            {
                if !peers.contains(&s.peer) {
                    peers.push(s.peer);
                }
            }
            for peer in peers {
                let _ = write!(o, "| {peer} |");
                let mut ratios = Vec::new();
                for mode in Mode::ALL {
                    let row = self.series(family, table, draw, mode, |s| s.peer == peer);
                    match row.first() {
                        Some(s) => {
                            let t = summary(&s.ns);
                            let _ = write!(
                                o,
                                " {:.1} ({:.1} to {:.1}), {:.0} |",
                                1000.0 / t.median,
                                1000.0 / t.high,
                                1000.0 / t.low,
                                t.median * self.ticks_per_ns
                            );
                            let ratio = self.ratio(family, table, draw, mode, |s| s.peer == peer);
                            ratios.push(ratio.map_or(String::new(), |r| format!("{r:.2}")));
                        }
                        None => {
                            let _ = write!(o, " |");
                            ratios.push("-".into());
                        }
                    }
                }
                if peer == "altfib" || peer == Kind::LOOP {
                    ratios.clear();
                }
                let _ = writeln!(o, " {} |", ratios.join(", "));
            }
        }
    }

    fn chase_text(&self, o: &mut String) {
        if self.chases.is_empty() {
            return;
        }
        let _ = writeln!(
            o,
            "\n### Dependent lookups beside a chase of pointers\n\n| family | keys | a line, ns | lines | altfib's time to the chase's |\n|---|---|---|---|---|"
        );
        for c in &self.chases {
            let _ = writeln!(
                o,
                "| IP{} | {} | {:.1} | {} | {} |",
                c.family,
                c.draw.name(),
                summary(&c.ns).median,
                floor_lines(c.family),
                self.chased(c.family, c.draw)
                    .map_or(String::new(), |r| format!("{r:.2}"))
            );
        }
    }

    fn touched_text(&self, o: &mut String) {
        if self.touched.is_empty() {
            return;
        }
        let _ = writeln!(
            o,
            "\n### Lines and instructions of a lookup, full table, per-prefix keys\n\n| family | peer | lines | of these not in 2 MiB | instructions |\n|---|---|---|---|---|"
        );
        for t in &self.touched {
            let _ = writeln!(
                o,
                "| IP{} | {} | {:.2} | {:.2} | {:.0} |",
                t.family, t.peer, t.lines, t.beyond, t.instructions
            );
        }
    }

    fn sizes_text(&self, o: &mut String) {
        let _ = writeln!(
            o,
            "\n### Memory and time to build\n\n| family | table | routes | peer | lookups touch | all | built in, ms |\n|---|---|---|---|---|---|---|"
        );
        for s in self.sizes.iter().filter(|s| s.kind != Kind::Nothing) {
            let per = |bytes: Option<usize>| match bytes {
                Some(b) if s.routes >= 1000 => {
                    format!("{:.2} B/prefix", b as f64 / s.routes as f64)
                }
                Some(b) if b < 10240 => format!("{b} B"),
                Some(b) => format!("{} KiB", b >> 10),
                None => String::new(),
            };
            let algorithm = if s.algorithm.is_empty() {
                String::new()
            } else {
                format!(" ({})", s.algorithm)
            };
            let _ = writeln!(
                o,
                "| IP{} | {} | {} | {}{algorithm} | {} | {} | {} |",
                s.family,
                s.table,
                s.routes,
                s.peer,
                per(s.touched),
                per(s.memory),
                s.build
                    .map_or(String::new(), |t| format!("{:.2}", t * 1000.0))
            );
        }
        for bulk in &self.bulk {
            let part = |i: usize| {
                let all: Vec<f64> = bulk.seconds.iter().map(|s| s[i] * 1000.0).collect();
                summary(&all).median
            };
            let _ = writeln!(
                o,
                "\naltfib, both full tables from {} routes, sorting included: {:.1} ms ({:.1} IPv4, {:.1} IPv6; median of {}).",
                bulk.order,
                bulk.milliseconds(),
                part(0),
                part(1),
                bulk.seconds.len()
            );
        }
    }

    fn updates_text(&self, o: &mut String) {
        if !self.days.is_empty() {
            let _ = writeln!(
                o,
                "\n### Updates: a whole day, one by one\n\n| family | peer | with a reader | updates | a second | mean, us | median | 99 % | 99.9 % | most |\n|---|---|---|---|---|---|---|---|---|---|"
            );
            for d in &self.days {
                let _ = writeln!(
                    o,
                    "| IP{} | {} | {} | {} | {:.0} | {:.3} | {:.3} | {:.3} | {:.3} | {:.0} |",
                    d.family,
                    d.peer,
                    if d.reader { "yes" } else { "no" },
                    d.updates,
                    d.updates as f64 / d.seconds,
                    d.mean(),
                    d.median,
                    d.p99,
                    d.p999,
                    d.most
                );
            }
        }
        if !self.beside.is_empty() {
            let _ = writeln!(
                o,
                "\n### Lookups beside updates, full table, per-prefix keys\n\n| family | peer | loop | alone, M/s | beside updates, M/s | share | updates a second |\n|---|---|---|---|---|---|---|"
            );
            for b in &self.beside {
                let (alone, beside) = (summary(&b.alone).median, summary(&b.beside).median);
                let shares: Vec<f64> = (0..b.alone.len())
                    .map(|r| b.alone[r] / b.beside[r])
                    .collect();
                let _ = writeln!(
                    o,
                    "| IP{} | {} | {} | {:.1} | {:.1} | {:.2} | {:.0} |",
                    b.family,
                    b.peer,
                    b.mode.name(),
                    1000.0 / alone,
                    1000.0 / beside,
                    summary(&shares).median,
                    b.rate
                );
            }
        }
    }

    pub fn json(&self) -> String {
        let mut rows = Vec::new();
        for (name, text) in &self.place {
            rows.push(format!(
                "{{\"what\": \"place\", \"name\": {}, \"text\": {}}}",
                quoted(name),
                quoted(text)
            ));
        }
        for s in &self.series {
            rows.push(format!(
                "{{\"what\": \"lookup\", \"family\": \"{}\", \"table\": {}, \"keys\": \"{}\", \"loop\": {}, \"peer\": {}, \"ns\": {}}}",
                s.family,
                quoted(s.table),
                s.draw.name(),
                quoted(s.mode.name()),
                quoted(s.peer),
                list(&s.ns)
            ));
        }
        for c in &self.chases {
            rows.push(format!(
                "{{\"what\": \"chase\", \"family\": \"{}\", \"keys\": \"{}\", \"ns\": {}}}",
                c.family,
                c.draw.name(),
                list(&c.ns)
            ));
        }
        for s in &self.sizes {
            let or_null = |n: Option<usize>| n.map_or("null".into(), |n| n.to_string());
            rows.push(format!(
                "{{\"what\": \"size\", \"family\": \"{}\", \"table\": {}, \"routes\": {}, \"peer\": {}, \"touched\": {}, \"memory\": {}, \"build_s\": {}}}",
                s.family,
                quoted(s.table),
                s.routes,
                quoted(s.peer),
                or_null(s.touched),
                or_null(s.memory),
                s.build.map_or("null".into(), |t| format!("{t:.6}"))
            ));
        }
        for b in &self.bulk {
            let sums: Vec<f64> = b.seconds.iter().map(|s| s[0] + s[1]).collect();
            rows.push(format!(
                "{{\"what\": \"bulk\", \"order\": \"{}\", \"s\": {}}}",
                b.order,
                list(&sums)
            ));
        }
        for d in &self.days {
            rows.push(format!(
                "{{\"what\": \"day\", \"family\": \"{}\", \"peer\": {}, \"reader\": {}, \"updates\": {}, \"s\": {:.6}, \"median_us\": {:.4}, \"p99_us\": {:.4}, \"p999_us\": {:.4}, \"most_us\": {:.2}}}",
                d.family,
                quoted(d.peer),
                d.reader,
                d.updates,
                d.seconds,
                d.median,
                d.p99,
                d.p999,
                d.most
            ));
        }
        for b in &self.beside {
            rows.push(format!(
                "{{\"what\": \"beside\", \"family\": \"{}\", \"peer\": {}, \"loop\": {}, \"alone_ns\": {}, \"beside_ns\": {}, \"rate\": {:.0}}}",
                b.family,
                quoted(b.peer),
                quoted(b.mode.name()),
                list(&b.alone),
                list(&b.beside),
                b.rate
            ));
        }
        for t in &self.touched {
            rows.push(format!(
                "{{\"what\": \"lines\", \"family\": \"{}\", \"peer\": {}, \"lines\": {:.3}, \"beyond\": {:.3}, \"instructions\": {:.1}}}",
                t.family,
                quoted(&t.peer),
                t.lines,
                t.beyond,
                t.instructions
            ));
        }
        format!("[\n{}\n]\n", rows.join(",\n"))
    }
}

/// The order of routes that the target is about: the sort has something to do.
pub const SHUFFLED: &str = "shuffled";

impl Bulk {
    fn milliseconds(&self) -> f64 {
        let sums: Vec<f64> = self
            .seconds
            .iter()
            .map(|s| (s[0] + s[1]) * 1000.0)
            .collect();
        summary(&sums).median
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(numbers: &[f64]) -> String {
    let all: Vec<String> = numbers.iter().map(|n| format!("{n:.4}")).collect();
    format!("[{}]", all.join(", "))
}
