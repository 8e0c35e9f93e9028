// SPDX-License-Identifier: GPL-2.0
//! Loads full Internet routing tables fast, and sends streams over them.

mod cli;
mod inject;
mod nexthop;
mod prepare;
mod progress;
mod route;
mod stream;
mod table;

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::HumanCount;

use cli::{
    Cli, Command, KernelArgs, KeysArgs, PrepareArgs, ReplayArgs, RouteArgs, SinkArgs, StreamArgs,
};
use nexthop::Mapper;
use progress::{Progress, Report};
use route::{Action, Failures, Session, Settings, Target};
use table::{Entry, Prefix, Update};

fn if_index(dev: &str) -> Result<u32> {
    let name = CString::new(dev)?;
    // SAFETY: the name is a C string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => bail!("there is no device {dev} in this network namespace"),
        n => Ok(n),
    }
}

/// Whether all the prefixes are IPv6; an error if only some are.
fn one_family(mut prefixes: impl Iterator<Item = Prefix>) -> Result<bool> {
    let v6 = prefixes.next().is_some_and(|p| p.v6);
    if prefixes.any(|p| p.v6 != v6) {
        bail!(
            "the table mixes IPv4 and IPv6, which need different next hops: split it with prepare"
        );
    }
    Ok(v6)
}

/// Where each entry goes.
struct Routing {
    targets: Vec<Target>,
    /// None: each entry names its own gateway.
    mapper: Option<Mapper>,
    ifindex: Option<u32>,
}

impl Routing {
    fn new(k: &KernelArgs, v6: bool, entries: &[Entry]) -> Result<Self> {
        let ifindex = k.dev.as_deref().map(if_index).transpose()?;
        if let Some(gw) = k
            .via
            .iter()
            .filter_map(|v| v.gateway)
            .find(|g| g.is_ipv6() != v6)
        {
            bail!("{gw} can't be a next hop here: it is not of the table's address family");
        }
        let mut vias = k.via.clone();
        vias.truncate(k.nexthops.unwrap_or(usize::MAX));
        let named = entries
            .iter()
            .all(|e| matches!(e.origin, table::Origin::Gateway(_)));
        if vias.is_empty() && named {
            return Ok(Routing {
                targets: Vec::new(),
                mapper: None,
                ifindex,
            });
        }
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut targets = Vec::with_capacity(vias.len());
        for v in &vias {
            let ifindex = match &v.dev {
                None => ifindex,
                Some(d) => match known.get(d) {
                    Some(&i) => Some(i),
                    None => {
                        let i = if_index(d)?;
                        known.insert(d.clone(), i);
                        Some(i)
                    }
                },
            };
            targets.push(Target {
                gateway: v.gateway,
                ifindex,
            });
        }
        if targets.is_empty() && ifindex.is_some() {
            targets.push(Target {
                gateway: None,
                ifindex,
            });
        }
        let mapper = Mapper::new(k.skew, targets.len(), k.per_prefix, entries)?;
        if mapper.named_count() > targets.len() {
            eprintln!(
                "the table names {} next hops, --via gives {}: they are used in turn",
                mapper.named_count(),
                targets.len()
            );
        }
        Ok(Routing {
            targets,
            mapper: Some(mapper),
            ifindex,
        })
    }

    fn target(&self, e: &Entry, salt: u64) -> Target {
        match (&self.mapper, e.origin) {
            (Some(m), _) => self.targets[m.index(e, salt)],
            (None, table::Origin::Gateway(a)) => Target {
                gateway: Some(a),
                ifindex: self.ifindex,
            },
            (None, _) => Target {
                gateway: None,
                ifindex: self.ifindex,
            },
        }
    }
}

impl KernelArgs {
    fn settings(&self) -> Settings {
        Settings {
            table: self.table,
            metric: self.metric,
            protocol: self.proto,
            batch: self.batch.into(),
        }
    }
}

/// Prints each kind of error with the first route that met it.
fn print_failures(f: &Failures, name: impl Fn(u32) -> String) {
    for (&errno, e) in &f.by_errno {
        let text = io::Error::from_raw_os_error(errno);
        let more = e
            .text
            .as_deref()
            .map(|t| format!(", {t}"))
            .unwrap_or_default();
        eprintln!(
            "{} x {text}{more}; first at {}",
            HumanCount(e.count),
            name(e.first)
        );
    }
    if f.overruns > 0 {
        eprintln!(
            "the error queue overflowed {} times: more errors than counted; use a smaller --batch",
            f.overruns
        );
    }
}

fn report_failures(report: &mut Report, f: &Failures) {
    report.add("errors", f.total());
    for (errno, e) in &f.by_errno {
        report.add(&format!("errno_{errno}"), e.count);
    }
    report.add("overruns", f.overruns);
}

fn change_routes(args: &RouteArgs, action: Action, sample: Option<(&str, usize)>) -> Result<bool> {
    let (doing, done) = match action {
        Action::Delete => ("removing", "removed"),
        _ => ("loading", "loaded"),
    };
    let begin = Instant::now();
    let entries = table::read(&args.table_file, args.limit)?;
    let routing = match action {
        Action::Delete => None,
        _ => Some(Routing::new(
            &args.kernel,
            one_family(entries.iter().map(|e| e.prefix))?,
            &entries,
        )?),
    };
    let read = begin.elapsed();
    let mut session = Session::new(args.kernel.settings())?;
    let mut progress = Progress::new(doing, entries.len() as u64);
    let moment = stream::unix_time();
    for (i, e) in entries.iter().enumerate() {
        session.push(action, e.prefix, routing.as_ref().map(|r| r.target(e, 0)))?;
        if i % 4096 == 0 {
            progress.at(i as u64);
        }
    }
    session.flush()?;
    let time = progress.done();
    let f = &session.failures;
    let good = entries.len() as u64 - f.total().min(entries.len() as u64);
    let rate = good as f64 / time.as_secs_f64();
    println!(
        "{done} {} of {} routes in {:.2} s ({} a second), {} errors",
        HumanCount(good),
        HumanCount(entries.len() as u64),
        time.as_secs_f64(),
        HumanCount(rate as u64),
        HumanCount(f.total()),
    );
    print_failures(f, |seq| {
        entries[seq.saturating_sub(1) as usize].prefix.to_string()
    });
    let mut report = Report::default();
    report.add("routes", entries.len());
    report.add(done, good);
    report.add("begin", format_args!("{:.6}", moment.as_secs_f64()));
    let end = moment + time;
    report.add("end", format_args!("{:.6}", end.as_secs_f64()));
    report.add("seconds", format_args!("{:.3}", time.as_secs_f64()));
    report.add("read_seconds", format_args!("{:.3}", read.as_secs_f64()));
    report_failures(&mut report, f);
    report.write(args.kernel.report.as_deref())?;
    let failed = f.total() > 0;
    if let Some((path, size)) = sample {
        let fail = || format!("cannot write {path}");
        let mut out = io::BufWriter::new(std::fs::File::create(path).with_context(fail)?);
        prepare::write(&table::thin_out(entries, size), &mut out).with_context(fail)?;
    }
    Ok(!failed)
}

fn verify(args: &RouteArgs) -> Result<bool> {
    let entries = table::read(&args.table_file, args.limit)?;
    let with_targets = !args.kernel.via.is_empty() || args.kernel.dev.is_some();
    let routing = match with_targets {
        true => Some(Routing::new(
            &args.kernel,
            one_family(entries.iter().map(|e| e.prefix))?,
            &entries,
        )?),
        false => None,
    };
    let mut kernel: HashMap<Prefix, Option<IpAddr>> = HashMap::new();
    let mut routes = 0;
    for v6 in [false, true] {
        if entries.iter().any(|e| e.prefix.v6 == v6) {
            let dump = route::dump(&args.kernel.settings(), v6)?;
            routes += dump.len();
            kernel.extend(dump);
        }
    }
    let (mut missing, mut elsewhere) = (0usize, 0usize);
    for e in &entries {
        match kernel.get(&e.prefix) {
            None => missing += 1,
            Some(gateway) => {
                if let Some(r) = &routing {
                    elsewhere += usize::from(r.target(e, 0).gateway != *gateway);
                }
            }
        }
    }
    let present = entries.len() - missing;
    let extra = routes.saturating_sub(present);
    println!(
        "{} of {} routes are in table {}, {} with another next hop; {} others are there",
        HumanCount(present as u64),
        HumanCount(entries.len() as u64),
        args.kernel.table,
        HumanCount(elsewhere as u64),
        HumanCount(extra as u64),
    );
    let mut report = Report::default();
    report.add("routes", entries.len());
    report.add("present", present);
    report.add("missing", missing);
    report.add("elsewhere", elsewhere);
    report.add("extra", extra);
    report.write(args.kernel.report.as_deref())?;
    Ok(missing == 0 && elsewhere == 0 && extra == 0)
}

fn keys(args: &KeysArgs) -> Result<bool> {
    let entries = table::read(&args.table_file, args.limit)?;
    let v6 = one_family(entries.iter().map(|e| e.prefix))?;
    if args.source.is_ipv6() != v6 {
        bail!("--source is not of the table's family");
    }
    let destinations = stream::destinations(&entries, args.destinations, args.seed);
    let mut order = stream::Order::new(args.zipf, destinations.len(), args.seed);
    let fail = || format!("cannot write {}", args.output);
    let mut out = io::BufWriter::new(std::fs::File::create(&args.output).with_context(fail)?);
    let mask = args.sources.map_or(0, |bits| (1u32 << bits) - 1);
    for i in 0..args.count.unwrap_or(destinations.len()) {
        // An odd factor: each number once, in no order.
        let salt = (i as u32).wrapping_mul(0x9e37_79b1) & mask;
        match destinations[order.next(destinations.len())] {
            IpAddr::V4(a) => out.write_all(&a.octets()),
            IpAddr::V6(a) => out.write_all(&a.octets()),
        }
        .with_context(fail)?;
        match args.source {
            IpAddr::V4(a) => out.write_all(&(a.to_bits() ^ salt).to_be_bytes()),
            IpAddr::V6(a) => out.write_all(&(a.to_bits() ^ u128::from(salt)).to_be_bytes()),
        }
        .with_context(fail)?;
    }
    out.flush().with_context(fail)?;
    Ok(true)
}

fn replay(args: &ReplayArgs) -> Result<bool> {
    let mut updates = table::read_lines(&args.trace, table::parse_update)?;
    updates.truncate(args.limit.unwrap_or(usize::MAX));
    if updates.is_empty() {
        bail!("{} holds no update", args.trace);
    }
    let origins = match &args.origins {
        Some(p) => table::read(p, None)?,
        None => Vec::new(),
    };
    let routing = Routing::new(
        &args.kernel,
        one_family(updates.iter().map(Update::prefix))?,
        &origins,
    )?;
    let origins: HashMap<Prefix, table::Origin> =
        origins.iter().map(|e| (e.prefix, e.origin)).collect();
    let mut random = stream::Random::new(1);
    let mut settings = args.kernel.settings();
    let pace = stream::Pace::new(args.rate);
    settings.batch = match args.burst {
        Some(n) => n.into(),
        None => pace.batch(settings.batch),
    };
    let batch = settings.batch;
    let mut session = Session::new(settings)?;
    let mut progress = Progress::new("replaying", updates.len() as u64);
    let (mut announced, mut withdrawn) = (0u64, 0u64);
    for (i, u) in updates.iter().enumerate() {
        match *u {
            Update::Announce(prefix) => {
                let origin = origins
                    .get(&prefix)
                    .copied()
                    .unwrap_or(table::Origin::Unknown);
                let salt = match random.below(100) < args.moves.into() {
                    true => i as u64 + 1,
                    false => 0,
                };
                let target = routing.target(&Entry { prefix, origin }, salt);
                session.push(Action::Replace, prefix, Some(target))?;
                announced += 1;
            }
            Update::Withdraw(prefix) => {
                session.push(Action::Delete, prefix, None)?;
                withdrawn += 1;
            }
        }
        if (i + 1) % batch == 0 {
            pace.wait(i as u64 + 1);
            progress.at(i as u64 + 1);
        }
    }
    session.flush()?;
    let time = progress.done();
    // BGP speakers withdraw what they never announced: no fault of the kernel.
    let absent = session.failures.by_errno.remove(&libc::ESRCH);
    let absent = absent.map_or(0, |e| e.count);
    let f = &session.failures;
    println!(
        "replayed {} announcements and {} withdrawals in {:.2} s ({} a second), {} errors",
        HumanCount(announced),
        HumanCount(withdrawn),
        time.as_secs_f64(),
        HumanCount((updates.len() as f64 / time.as_secs_f64()) as u64),
        HumanCount(f.total()),
    );
    if absent > 0 {
        println!(
            "{} withdrawals of routes that were not there",
            HumanCount(absent)
        );
    }
    print_failures(f, |seq| {
        updates[seq.saturating_sub(1) as usize].prefix().to_string()
    });
    let mut report = Report::default();
    report.add("announced", announced);
    report.add("withdrawn", withdrawn);
    report.add("absent", absent);
    report.add("seconds", format_args!("{:.3}", time.as_secs_f64()));
    report_failures(&mut report, f);
    report.write(args.kernel.report.as_deref())?;
    Ok(f.total() == 0)
}

fn send_stream(args: &StreamArgs) -> Result<bool> {
    if args.destinations == 0 {
        bail!("--destinations must be at least 1");
    }
    let entries = table::read(&args.table_file, args.limit)?;
    let plan = stream::Plan {
        destinations: stream::destinations(&entries, args.destinations, args.seed),
        count: args.count.unwrap_or(args.destinations as u64),
        port: args.port,
        source: args.source,
        rate: args.rate,
        batch: args.batch.into(),
        zipf: args.zipf,
        seed: args.seed,
    };
    drop(entries);
    let sent = match (&args.inject, args.dst_mac) {
        (Some(dev), Some(mac)) => inject::send(&plan, dev, mac)?,
        _ => stream::send(&plan)?,
    };
    let errors: u64 = sent.errors.values().sum();
    println!(
        "sent {} packets to {} destinations in {:.2} s ({} a second), {} errors",
        HumanCount(sent.packets),
        HumanCount(plan.destinations.len() as u64),
        sent.time.as_secs_f64(),
        HumanCount((sent.packets as f64 / sent.time.as_secs_f64()) as u64),
        HumanCount(errors),
    );
    for (&errno, &n) in &sent.errors {
        eprintln!(
            "{} x {}",
            HumanCount(n),
            io::Error::from_raw_os_error(errno)
        );
    }
    let mut report = Report::default();
    report.add("sent", sent.packets);
    report.add("destinations", plan.destinations.len());
    let end = sent.begin + sent.time;
    report.add("begin", format_args!("{:.6}", sent.begin.as_secs_f64()));
    report.add("end", format_args!("{:.6}", end.as_secs_f64()));
    report.add("seconds", format_args!("{:.6}", sent.time.as_secs_f64()));
    report.add("errors", errors);
    report.write(args.report.as_deref())?;
    Ok(errors == 0)
}

fn sink(args: &SinkArgs) -> Result<bool> {
    let seconds = |s| Duration::try_from_secs_f64(s).context("a time must be positive");
    let plan = stream::SinkPlan {
        address: args.address,
        port: args.port,
        first: seconds(args.first)?,
        idle: seconds(args.idle)?,
        expect: args.expect,
    };
    let r = stream::sink(&plan, || {
        if let Some(p) = &args.ready {
            if let Err(e) = std::fs::write(p, "") {
                eprintln!("cannot create {p}: {e}");
            }
        }
    })?;
    println!(
        "received {} packets for {} destinations in {:.2} s, longest silence {} ms, \
         {} under another address, {} dropped here",
        HumanCount(r.packets),
        HumanCount(r.destinations as u64),
        r.time.as_secs_f64(),
        r.silence.as_millis(),
        HumanCount(r.misdirected),
        HumanCount(r.overflow),
    );
    let mut report = Report::default();
    report.add("received", r.packets);
    report.add("destinations", r.destinations);
    report.add("misdirected", r.misdirected);
    report.add("foreign", r.foreign);
    report.add("overflow", r.overflow);
    report.add("silence_ms", r.silence.as_millis());
    report.add("seconds", format_args!("{:.3}", r.time.as_secs_f64()));
    for (i, n) in &r.by_interface {
        report.add(&format!("if_{i}"), n);
    }
    report.write(args.report.as_deref())?;
    Ok(r.packets > 0 && r.misdirected == 0)
}

fn prepare_table(args: &PrepareArgs) -> Result<bool> {
    let mut counts = prepare::Counts::default();
    let mut entries = match args.table_in {
        true => table::read(&args.input, None)?,
        false => prepare::read_location(&args.input, &mut counts)?,
    };
    if let Some(p) = &args.origins {
        prepare::add_origins(&mut entries, &table::read(p, None)?);
    }
    let family = match (args.v4, args.v6) {
        (true, _) => prepare::Family::V4,
        (_, true) => prepare::Family::V6,
        _ => prepare::Family::Both,
    };
    let entries = prepare::clean(entries, family, &mut counts);
    if entries.is_empty() {
        bail!(
            "{} holds no prefix that a global table could have",
            args.input
        );
    }
    let fail = || format!("cannot write {}", args.output);
    let part = format!("{}.part", args.output);
    let mut out = io::BufWriter::new(std::fs::File::create(&part).with_context(fail)?);
    prepare::write(&entries, &mut out).with_context(fail)?;
    std::fs::rename(&part, &args.output).with_context(fail)?;
    println!(
        "{} prefixes; dropped: {} without origin AS, {} special, {} doubles, {} of the other family",
        HumanCount(counts.kept as u64),
        HumanCount(counts.no_origin as u64),
        HumanCount(counts.special as u64),
        HumanCount(counts.duplicate as u64),
        HumanCount(counts.other_family as u64),
    );
    Ok(true)
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Load {
            routes,
            replace,
            sample,
            sample_size,
        } => {
            let action = match replace {
                true => Action::Replace,
                false => Action::Add,
            };
            change_routes(&routes, action, sample.as_deref().map(|p| (p, sample_size)))
        }
        Command::Unload { routes } => change_routes(&routes, Action::Delete, None),
        Command::Verify { routes } => verify(&routes),
        Command::Replay(args) => replay(&args),
        Command::Stream(args) => send_stream(&args),
        Command::Keys(args) => keys(&args),
        Command::Sink(args) => sink(&args),
        Command::Prepare(args) => prepare_table(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("altfib-routeload: {e:#}");
            ExitCode::FAILURE
        }
    }
}
