// SPDX-License-Identifier: GPL-2.0

//! `make bench-lpm`: all that docs/bench-lpm.md shows.

use altfib_unit::lpm::{V4, V6};
use bench_lpm::{
    chase::Chase,
    clock, concurrent, docs, dpdk,
    harness::{self, Mode},
    lines, memory,
    ours::Ours,
    peers::{self, Build, Kind},
    report::{Bulk, Chased, Results, Series, Size, FULL, SHUFFLED, THREE},
    tables::{self, Draw, Fam, Keys, Routes},
    targets, updates,
};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The most that DPDK may take; the largest tables need about half of it.
const DPDK_MIB: usize = 6144;

/// Rounds of each measurement.
const ROUNDS: usize = 7;

struct Options {
    quick: bool,
    rounds: usize,
    docs: bool,
    out: PathBuf,
    cache: PathBuf,
    /// Where docs/ is.
    top: PathBuf,
}

const USAGE: &str = "bench-lpm [--quick] [--rounds N] [--docs]
  --quick   the full tables and the smallest one, three rounds, no callgrind
  --rounds N
  --docs    writes docs/bench-lpm.md and docs/bench-lpm.svg too";

fn options() -> Result<Options, String> {
    let folder = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .ok_or(format!("{name} is not set: use scripts/bench-lpm.sh"))
    };
    let cache = folder("ALTFIB_CACHE")?;
    let mut options = Options {
        quick: false,
        rounds: ROUNDS,
        docs: false,
        out: cache.join("bench/lpm"),
        cache,
        top: folder("ALTFIB_TOP")?,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => {
                options.quick = true;
                options.rounds = 3;
            }
            "--rounds" => {
                let rounds = arguments.next().and_then(|n| n.parse().ok());
                options.rounds = rounds.filter(|&n| n > 0).ok_or(USAGE)?;
            }
            "--docs" => options.docs = true,
            _ => return Err(USAGE.into()),
        }
    }
    if options.docs && (options.quick || options.rounds < ROUNDS) {
        return Err("the document is for whole runs: leave out --quick and --rounds".into());
    }
    Ok(options)
}

/// A family's part of the run.
struct Run<'a> {
    results: &'a mut Results,
    options: &'a Options,
    begin: Instant,
}

impl Run<'_> {
    fn say(&self, what: &str) {
        eprintln!("[{:4.0} s] {what}", self.begin.elapsed().as_secs_f64());
    }

    /// All peers, all loops, round by round.
    fn table<F: Build>(&mut self, label: &'static str, routes: &Routes<F>, lookups: usize) {
        let rounds = self.options.rounds;
        let lookups = if self.options.quick {
            lookups / 2
        } else {
            lookups
        };
        self.say(&format!(
            "IP{}, {label}: building {} routes",
            F::NAME,
            routes.len()
        ));
        let peers = F::build(routes, true);
        for note in &peers.missing {
            self.results
                .notes
                .push(format!("IP{}, {label}: {note}", F::NAME));
        }
        for peer in &peers.all {
            self.results.sizes.push(Size {
                family: F::NAME,
                table: label,
                peer: peer.name,
                kind: peer.kind,
                routes: routes.len(),
                build: peer.build,
                touched: peer.touched,
                memory: peer.memory,
                algorithm: peer.algorithm,
            });
        }
        let prefixes: Vec<_> = routes.iter().map(|&(p, _)| p).collect();
        let ours = peers.all.iter().find(|peer| peer.kind == Kind::Ours);
        let chase = (label == FULL)
            .then(|| ours.and_then(|peer| peer.touched))
            .flatten()
            .map(Chase::new);
        for draw in Draw::ALL {
            self.say(&format!("IP{}, {label}: {} keys", F::NAME, draw.name()));
            let keys = Keys::<F>::draw(&prefixes, draw, lookups);
            if let Err(wrong) = peers::agree(&peers, &keys) {
                panic!("IP{}, {label}, {} keys: {wrong}", F::NAME, draw.name());
            }
            let from = self.results.series.len();
            for peer in &peers.all {
                for mode in Mode::ALL {
                    if if mode.batch { peer.batch } else { peer.single } {
                        self.results.series.push(Series {
                            family: F::NAME,
                            table: label,
                            draw,
                            mode,
                            peer: peer.name,
                            kind: peer.kind,
                            ns: Vec::new(),
                        });
                    }
                }
            }
            let mut chased = Vec::new();
            let series = &mut self.results.series[from..];
            for round in 0..rounds {
                if let Some(chase) = &chase {
                    chased.push(chase.time(lookups));
                }
                let mut last = "";
                // There and back again, so that a drift of the machine cancels out.
                for i in 0..series.len() {
                    let i = if round % 2 == 0 {
                        i
                    } else {
                        series.len() - 1 - i
                    };
                    let s = &mut series[i];
                    let peer = peers.all.iter().find(|peer| peer.name == s.peer);
                    let run = &*peer.expect("it is there").run;
                    if s.peer != last {
                        harness::warm(run, &keys);
                        last = s.peer;
                    }
                    s.ns.push(harness::time(run, &keys, s.mode));
                }
            }
            if chase.is_some() {
                self.results.chases.push(Chased {
                    family: F::NAME,
                    draw,
                    ns: chased,
                });
            }
        }
    }

    fn family<F>(&mut self, split: usize) -> (tables::Routes<F>, String)
    where
        F: Build + updates::Days + concurrent::LookupsDpdk,
    {
        let ticks = self.results.ticks_per_ns;
        self.say(&format!("IP{}: reading tables", F::NAME));
        let data = tables::full::<F>();
        let routes = tables::with_hops(&data.table);

        self.table(FULL, &routes, F::KEYS);
        self.table(
            THREE,
            &tables::with_hops(&tables::three::<F>()),
            F::KEYS / 16,
        );
        if !self.options.quick {
            let real = &data.table;
            let hops = |prefixes: Vec<_>| tables::with_hops::<F>(&prefixes);
            self.table("10 routes", &hops(tables::sample(real, 10)), F::KEYS / 16);
            self.table(
                "1,000 routes",
                &hops(tables::sample(real, 1000)),
                F::KEYS / 16,
            );
            self.table(
                "100,000 routes",
                &hops(tables::sample(real, 100_000)),
                F::KEYS / 16,
            );
            match tables::libloc::<F>(&self.options.cache) {
                Some(prefixes) => self.table("libloc", &hops(prefixes), F::KEYS / 4),
                None => self
                    .results
                    .notes
                    .push(format!("IP{}: no table of libloc in the cache", F::NAME)),
            }
            let label = if F::BITS == 32 {
                "2,000,000 routes, split"
            } else {
                "500,000 routes, split"
            };
            self.table(label, &hops(tables::split(real, split)), F::KEYS / 2);
        }

        self.say(&format!("IP{}: a day of updates", F::NAME));
        let day = updates::with_hops(&data.updates);
        self.results
            .days
            .push(updates::ours(&mut Ours::build(&routes), &day, ticks));
        let keys = Keys::<F>::draw(&data.table, Draw::Prefix, F::KEYS);
        if clock::cpus() > 1 {
            let row = concurrent::updates_ours(&routes, &day, &keys, ticks);
            self.results.days.push(row);
        }
        if !self.options.quick {
            let rows = F::days(&routes, &day, ticks, &mut self.results.notes);
            self.results.days.extend(rows);
        }
        if clock::cpus() > 1 {
            self.say(&format!("IP{}: lookups beside updates", F::NAME));
            let rounds = self.options.rounds;
            let rows = concurrent::lookups_ours(&routes, &day, &keys, rounds, ticks);
            self.results.beside.extend(rows);
            let rows = F::lookups_dpdk(&routes, &day, &keys, rounds, ticks);
            self.results.beside.extend(rows);
        } else {
            self.results.notes.push(format!(
                "IP{}: lookups beside updates need two CPUs",
                F::NAME
            ));
        }
        let source = format!(
            "{}; {} routes, {} updates",
            data.source,
            routes.len(),
            day.len()
        );
        (routes, source)
    }

    fn bulk(&mut self, v4: &Routes<V4>, v6: &Routes<V6>) {
        self.say("bulk build");
        let rounds = self.options.rounds;
        for order in [SHUFFLED, "sorted"] {
            let shuffle = order == SHUFFLED;
            let v4 = if shuffle {
                tables::shuffled(v4)
            } else {
                v4.clone()
            };
            let v6 = if shuffle {
                tables::shuffled(v6)
            } else {
                v6.clone()
            };
            let seconds = (0..rounds)
                .map(|_| [build_time(&v4), build_time(&v6)])
                .collect();
            self.results.bulk.push(Bulk { order, seconds });
        }
    }
}

fn build_time<F: Fam>(routes: &Routes<F>) -> f64 {
    let begin = clock::cpu();
    let ours = Ours::build(routes);
    let time = (clock::cpu() - begin) as f64 * 1e-9;
    drop(ours);
    time
}

fn first_line(command: &str, argument: &str) -> String {
    Command::new(command)
        .arg(argument)
        .output()
        .ok()
        .and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().next().map(String::from)
        })
        .unwrap_or_else(|| "?".into())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_string()
}

fn cpuinfo(name: &str) -> String {
    let text = read("/proc/cpuinfo");
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':'))
        .map_or("?".into(), |(_, value)| value.trim().into())
}

fn place(results: &mut Results) {
    let cache = |i: u32| read(&format!("/sys/devices/system/cpu/cpu0/cache/index{i}/size"));
    let guest = read("/proc/cpuinfo").contains(" hypervisor");
    let mut put = |name: &str, text: String| results.place.push((name.into(), text));
    put(
        "machine",
        format!(
            "{} (family {}, model {}), {} CPUs{}, {} L1 data, {} L2, {} L3, time stamp counter {:.3} GHz",
            cpuinfo("model name"),
            cpuinfo("cpu family"),
            cpuinfo("model\t"),
            clock::cpus(),
            if guest { " of a virtual machine" } else { "" },
            cache(0),
            cache(2),
            cache(3),
            clock::ticks_per_ns()
        ),
    );
    put(
        "system",
        format!(
            "Linux {}, {}",
            read("/proc/sys/kernel/osrelease"),
            first_line("date", "+%F")
        ),
    );
    put(
        "compilers",
        format!(
            "{} at opt-level 3 with fat LTO and {}; {} at -O3 -march={} for the start of DPDK; DPDK {} as Debian built it (its own CPU target, static libraries)",
            env::var("BENCH_LPM_RUSTC").unwrap_or_else(|_| "?".into()),
            env!("BENCH_LPM_RUSTFLAGS"),
            first_line("cc", "--version"),
            env!("BENCH_LPM_CC_MARCH"),
            env!("BENCH_LPM_DPDK")
        ),
    );
    put("next hops", tables::NEXT_HOPS.into());
}

fn pages(results: &mut Results, when: &str) {
    let (all, huge) = memory::huge();
    results.place.push((
        format!("pages {when}"),
        format!(
            "{huge} of {all} MiB in pages of 2 MiB (transparent huge pages: {}; {})",
            read("/sys/kernel/mm/transparent_hugepage/enabled"),
            env::var("GLIBC_TUNABLES").unwrap_or_else(|_| "GLIBC_TUNABLES is not set".into())
        ),
    ));
}

fn write(path: &Path, text: &str) {
    if let Err(error) = std::fs::write(path, text) {
        panic!("cannot write {}: {error}", path.display());
    }
}

fn main() -> ExitCode {
    memory::one_heap();
    let begin = Instant::now();
    // Before the options: callgrind gives none but this.
    if env::args().nth(1).as_deref() == Some("--inside-callgrind") {
        dpdk::start(DPDK_MIB.min(memory::machine() * 3 / 4), clock::cpus(), true);
        lines::inside();
        return ExitCode::SUCCESS;
    }
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("bench-lpm: {text}");
            return ExitCode::from(2);
        }
    };
    std::fs::create_dir_all(&options.out).expect("the folder for results");
    let mut results = Results {
        ticks_per_ns: clock::ticks_per_ns(),
        ..Results::default()
    };
    place(&mut results);
    dpdk::start(DPDK_MIB.min(memory::machine() * 3 / 4), clock::cpus(), true);
    // DPDK has its own idea of where this thread runs.
    clock::pin(clock::cpus() - 1);
    pages(&mut results, "at the start");

    let mut run = Run {
        results: &mut results,
        options: &options,
        begin,
    };
    let (v4, source4) = run.family::<V4>(2_000_000);
    let (v6, source6) = run.family::<V6>(500_000);
    run.bulk(&v4, &v6);
    if !options.quick {
        run.say("callgrind");
        match lines::measure(&options.out.join("callgrind")) {
            Ok(rows) => run.results.touched = rows,
            Err(error) => run.results.notes.push(error),
        }
    }
    drop((v4, v6));
    results.place.push(("IPv4".into(), source4));
    results.place.push(("IPv6".into(), source6));
    pages(&mut results, "at the end");
    results.place.push((
        "this run".into(),
        format!(
            "{} rounds, {:.0} s, of these {:.0} on the CPU",
            options.rounds,
            begin.elapsed().as_secs_f64(),
            clock::cpu() as f64 * 1e-9
        ),
    ));

    let targets = targets::lines(&results.measured());
    let text = results.text();
    let all = format!("{text}\n### Targets\n\n```\n{}\n```\n", targets.join("\n"));
    write(&options.out.join("bench-lpm.txt"), &all);
    write(&options.out.join("bench-lpm.json"), &results.json());
    let svg = options.out.join("bench-lpm.svg");
    if let Err(error) = docs::chart(&results, &svg) {
        panic!("cannot draw {}: {error}", svg.display());
    }
    if options.docs {
        let folder = options.top.join("docs");
        docs::write(&folder.join("bench-lpm.md"), &all).expect("docs/bench-lpm.md");
        std::fs::copy(&svg, folder.join("bench-lpm.svg")).expect("docs/bench-lpm.svg");
    }
    println!("{text}");
    println!(
        "Written to {}/bench-lpm.txt, .json and .svg\n",
        options.out.display()
    );
    for line in targets {
        println!("{line}");
    }
    ExitCode::SUCCESS
}
