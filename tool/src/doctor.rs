// SPDX-License-Identifier: GPL-2.0

//! "altfib doctor": what on this system keeps altfib from working, or from working well.

use crate::messages::Family;
use crate::messages::Stats;
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
use anyhow::Result;
use flate2::read::GzDecoder;
use serde::Serialize;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// The versions of Linux that the module is tested with: the first word of each line that is no comment.
const SUPPORTED: &str = include_str!("../../scripts/supported-kernels");

fn supported() -> impl Iterator<Item = &'static str> {
    SUPPORTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Note,
    Problem,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    about: &'static str,
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

fn ok(about: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        level: Level::Ok,
        about,
        text: text.into(),
        advice: None,
    }
}

fn note(about: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        level: Level::Note,
        about,
        text: text.into(),
        advice: Some(advice.into()),
    }
}

fn problem(about: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        level: Level::Problem,
        ..note(about, text, advice)
    }
}

pub fn run(out: &mut Out) -> Result<Status> {
    let all = examine();
    if out.json {
        for finding in &all {
            out.element(finding)?;
        }
        out.end()?;
    } else {
        for line in all.iter().flat_map(show) {
            out.line(&line)?;
        }
    }
    Ok(
        if all.iter().any(|finding| finding.level == Level::Problem) {
            Status::Look
        } else {
            Status::Well
        },
    )
}

fn show(finding: &Finding) -> Vec<Vec<Piece>> {
    let (word, look) = match finding.level {
        Level::Ok => ("ok", Look::Good),
        Level::Note => ("note", Look::Note),
        Level::Problem => ("problem", Look::Bad),
    };
    let mut lines = vec![vec![
        styled(format!("{word:<8}"), look),
        plain(format!("{:<10}{}", finding.about, finding.text)),
    ]];
    if let Some(advice) = &finding.advice {
        lines.push(vec![plain(format!("{:18}{advice}", ""))]);
    }
    lines
}

fn examine() -> Vec<Finding> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let loaded = Path::new("/proc/sys/net/altfib").exists();
    let mut all = vec![kernel(release)];
    let symbols = read("/proc/kallsyms").unwrap_or_default();
    let is_patched = symbols
        .lines()
        .any(|line| line.ends_with(" __fib_table_lookup"));
    let config = config(release);
    all.push(configuration(config.as_deref(), loaded));
    all.extend(configuration_for_output(config.as_deref(), is_patched));
    all.push(module(loaded));
    let mut output = None;
    if loaded {
        all.extend(service());
        output = read("/proc/sys/net/altfib/output").map(|text| text.trim().to_string());
    }
    if !is_patched {
        let functions = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
            .iter()
            .find_map(|folder| read(&format!("{folder}/enabled_functions")));
        all.push(ftrace(functions.as_deref(), output.as_deref()));
    }
    all.extend(settings(&read));
    all.push(rights(&read("/proc/self/status").unwrap_or_default()));
    all
}

fn kernel(release: &str) -> Finding {
    let is_of = |version| {
        release
            .strip_prefix(version)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if supported().any(is_of) {
        return ok("kernel", format!("Linux {release}"));
    }
    let versions = supported().collect::<Vec<_>>().join(" or ");
    problem(
        "kernel",
        format!("Linux {release}, and altfib is tested with Linux {versions} only"),
        format!("boot a kernel of Linux {versions} with CONFIG_RUST=y, or build one (make setup)"),
    )
}

/// The configuration of the running kernel, if it is told anywhere.
fn config(release: &str) -> Option<String> {
    if let Ok(file) = fs::File::open("/proc/config.gz") {
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).ok()?;
        return Some(text);
    }
    [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
        format!("/lib/modules/{release}/build/.config"),
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok())
}

/// Those of these that are on, or modules.
fn has(config: &str, name: &str) -> bool {
    config.lines().any(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| matches!(rest, "=y" | "=m"))
    })
}

fn missing(config: &str, names: &[&'static str]) -> Vec<&'static str> {
    names
        .iter()
        .copied()
        .filter(|name| !has(config, name))
        .collect()
}

fn configuration(config: Option<&str>, loaded: bool) -> Finding {
    let about = "config";
    let Some(config) = config else {
        return match loaded {
            true => ok(about, "this kernel has what the module needs: it is loaded"),
            false => note(
                about,
                "this kernel does not tell its configuration",
                "look for CONFIG_RUST=y, CONFIG_MODULES=y and CONFIG_NETFILTER=y where it was built",
            ),
        };
    };
    let needed = missing(
        config,
        &[
            "CONFIG_RUST",
            "CONFIG_MODULES",
            "CONFIG_NET",
            "CONFIG_INET",
            "CONFIG_NETFILTER",
            "CONFIG_PROC_FS",
            "CONFIG_SYSCTL",
        ],
    );
    if needed.is_empty() {
        ok(about, "this kernel is configured for the module")
    } else {
        problem(
            about,
            format!("this kernel was built without {}", needed.join(", ")),
            "build a kernel with them: the module cannot be built or loaded without",
        )
    }
}

/// For the host's own lookups.
fn configuration_for_output(config: Option<&str>, is_patched: bool) -> Option<Finding> {
    let about = "config";
    if is_patched {
        return Some(ok(about, "it has altfib's patch, for net.altfib.output"));
    }
    let config = config?;
    if !has(config, "CONFIG_X86_64") {
        return Some(note(
            about,
            "net.altfib.output needs altfib's patch on this architecture, and this kernel lacks it",
            "received packets do without; for the host's own lookups apply scripts/kernel/patches",
        ));
    }
    let needed = missing(
        config,
        &["CONFIG_DYNAMIC_FTRACE_WITH_JMP", "CONFIG_KPROBES"],
    );
    Some(if needed.is_empty() {
        ok(about, "it has ftrace and kprobes, for net.altfib.output")
    } else {
        note(
            about,
            format!("for net.altfib.output it lacks {}", needed.join(", ")),
            "received packets do without; for the host's own lookups build a kernel with them",
        )
    })
}

fn module(loaded: bool) -> Finding {
    if loaded {
        let version = fs::read_to_string("/sys/module/altfib/version").unwrap_or_default();
        ok(
            "module",
            format!("altfib {} is loaded", version.trim()).replace("  ", " "),
        )
    } else {
        problem(
            "module",
            "altfib is not loaded",
            "load it: insmod altfib.ko (dmesg says why if it refuses)",
        )
    }
}

/// What altfib itself tells.
fn service() -> Vec<Finding> {
    let all = Altfib::open().and_then(|mut altfib| {
        Family::ALL
            .iter()
            .map(|&family| stats::read(&mut altfib, family))
            .collect::<Result<Vec<_>>>()
    });
    match all {
        Ok(all) => all.iter().flat_map(family).collect(),
        Err(e) => vec![problem(
            "netlink",
            format!("altfib does not answer: {e:#}"),
            "use the tool that was built with this module",
        )],
    }
}

fn family(stats: &Stats) -> Vec<Finding> {
    let about = stats.family.name();
    let mut all = Vec::new();
    match (&stats.why_not, stats.serving) {
        (_, true) => all.push(ok(
            about,
            format!(
                "altfib serves, mode {}, {} routes",
                stats.mode, stats.routes
            ),
        )),
        (Some(why), _) if stats.mode == "off" => all.push(note(
            about,
            format!("altfib is switched off here ({why})"),
            "switch it on: sysctl net.altfib.mode=on",
        )),
        // These end by themselves.
        (Some(why), _) if why.starts_with("no device is up") => all.push(note(
            about,
            format!("altfib rests: {why}"),
            "it serves as soon as a device is up",
        )),
        (Some(why), _) if why == "reading the routes" || why.starts_with("many routes come") => all
            .push(note(
                about,
                format!("the kernel routes alone for a moment: {why}"),
                "ask again; dmesg says more if it stays",
            )),
        (why, _) => all.push(problem(
            about,
            format!(
                "the kernel routes alone: {}",
                why.as_deref().unwrap_or("no reason is told")
            ),
            match why.as_deref() {
                Some(why) if why.contains("memory_max_kb") => {
                    "raise net.altfib.memory_max_kb, here and in the initial namespace"
                }
                _ => "wait a moment and ask again; dmesg says more if it stays",
            },
        )),
    }
    let mismatches = stats.counters.get("mismatch");
    if mismatches != 0 {
        all.push(problem(
            about,
            format!("altfib and the kernel disagreed about {mismatches} packets"),
            "please report what /proc/net/altfib/mismatches shows; until then stay with net.altfib.mode=off",
        ));
    }
    let mismatches = stats.own_mismatches();
    if mismatches != 0 {
        all.push(problem(
            about,
            format!("altfib and the kernel disagreed about {mismatches} of the host's own lookups"),
            "please report what dmesg says of them; until then stay with net.altfib.output=off",
        ));
    }
    let lost = stats.counters.get("oom");
    if lost != 0 {
        all.push(note(
            about,
            format!("{lost} changes could not be followed for want of memory, and the routes were read anew"),
            "give the machine, or the cgroup, more memory",
        ));
    }
    if stats.serving && stats.memory > stats.memory_max / 10 * 9 {
        all.push(note(
            about,
            format!(
                "{} of {} for routes are in use",
                out::bytes(stats.memory),
                out::bytes(stats.memory_max)
            ),
            "raise net.altfib.memory_max_kb before the table grows",
        ));
    }
    all.extend(choices(stats));
    all
}

/// One packet in this many is worth a line.
const MANY: u64 = 100;

/// Reasons that somebody's choice is behind, if they take a share that counts.
fn choices(stats: &Stats) -> Vec<Finding> {
    let packets = stats.packets();
    stats
        .punts
        .iter()
        .filter_map(|punt| {
            let reason = reasons::of(&punt.name)?;
            (reason.verdict == Verdict::Choice && punt.packets > packets / MANY).then(|| {
                note(
                    stats.family.name(),
                    format!("{} of {packets} packets: {}", punt.packets, punt.cause),
                    reason.advice,
                )
            })
        })
        .collect()
}

/// The functions in front of which altfib gets by ftrace.
const FUNCTIONS: [&str; 5] = [
    "fib_table_lookup",
    "fib6_node_lookup",
    "ip_route_output_flow",
    "ip6_dst_lookup_flow",
    "ip6_sk_dst_lookup_flow",
];

/// Who else has them, by the letters of enabled_functions: D for a direct call, I for one that may
/// replace the function (live patches).
fn ftrace(functions: Option<&str>, output: Option<&str>) -> Finding {
    let about = "ftrace";
    let Some(functions) = functions else {
        return note(
            about,
            "who traces the kernel's lookups cannot be seen",
            "mount tracefs (mount -t tracefs nodev /sys/kernel/tracing) and ask as root, if net.altfib.output matters",
        );
    };
    // What has them while altfib wants them is altfib.
    let is_ours = output.is_some_and(|output| output != "off");
    let mut taken = Vec::new();
    let mut traced = Vec::new();
    for line in functions.lines() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next().filter(|name| FUNCTIONS.contains(name)) else {
            continue;
        };
        let letter = |letter: &str| words.clone().take(8).any(|word| word == letter);
        if letter("I") || letter("D") && !is_ours {
            taken.push(name);
        } else if !letter("D") {
            traced.push(name);
        }
    }
    if !taken.is_empty() {
        note(
            about,
            format!("a BPF program (fentry) or a live patch has {}", taken.join(", ")),
            "net.altfib.output stays off until it lets go (\"bpftool prog\" lists BPF programs); received packets do without",
        )
    } else if !traced.is_empty() {
        ok(
            about,
            format!(
                "a tracer follows {}, which altfib can live with",
                traced.join(", ")
            ),
        )
    } else {
        ok(about, "nobody else has the kernel's lookup functions")
    }
}

/// Settings beside altfib's that leave packets to the kernel.
fn settings(read: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let about = "sysctl";
    let value = |name: &str| {
        read(&format!("/proc/sys/{}", name.replace('.', "/"))).map(|text| text.trim().to_string())
    };
    let is = |name: &str, wanted: &str| value(name).as_deref() == Some(wanted);
    let mut all = Vec::new();
    let forwards = !is("net.ipv4.ip_forward", "0");
    if !forwards && !is("net.ipv6.conf.all.forwarding", "1") {
        all.push(note(
            about,
            "forwarding is off: altfib routes only what is for this host",
            "on a router: sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        ));
    }
    if forwards && is("net.ipv4.conf.all.send_redirects", "1") {
        all.push(note(
            about,
            "send_redirects is on: packets that leave where they came in are the kernel's",
            "if hosts need not be told: sysctl net.ipv4.conf.all.send_redirects=0, and of the device",
        ));
    }
    for name in [
        "net.bridge.bridge-nf-call-iptables",
        "net.bridge.bridge-nf-call-ip6tables",
    ] {
        if is(name, "1") {
            all.push(note(
                about,
                format!("{name} is on: bridged packets come by, too, and are the kernel's"),
                format!("if no rule needs to see them: sysctl {name}=0"),
            ));
        }
    }
    if all.is_empty() {
        all.push(ok(about, "no setting keeps packets from altfib"));
    }
    all
}

/// By CapEff of /proc/self/status.
fn rights(status: &str) -> Finding {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
        .unwrap_or(0);
    if effective & CAP_NET_ADMIN != 0 {
        ok("rights", "you may audit and flush")
    } else {
        note(
            "rights",
            "you may ask, but neither audit nor flush",
            "run these two as root, or with sudo",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::stats;

    #[test]
    fn kernels() {
        for release in ["7.3.4-altfib", "7.3", "7.3-rc1", "7.2.12+deb13-amd64"] {
            assert_eq!(kernel(release).level, Level::Ok, "{release}");
        }
        for release in ["6.1.0-41-amd64", "7.30.1", "7.4.0", ""] {
            assert_eq!(kernel(release).level, Level::Problem, "{release}");
        }
    }

    #[test]
    fn supported_kernels() {
        assert_eq!(supported().next(), Some("7.3"));
        assert!(supported().all(|version| version.starts_with(|c: char| c.is_ascii_digit())));
    }

    #[test]
    fn configurations() {
        let good =
            "CONFIG_RUST=y\nCONFIG_MODULES=y\nCONFIG_NET=y\nCONFIG_INET=y\nCONFIG_NETFILTER=y\n\
                    CONFIG_PROC_FS=y\nCONFIG_SYSCTL=y\nCONFIG_X86_64=y\n";
        let level = |config, loaded| configuration(config, loaded).level;
        assert_eq!(level(Some(good), false), Level::Ok);
        let without = good.replace("CONFIG_RUST=y", "# CONFIG_RUST is not set");
        assert_eq!(level(Some(&without), false), Level::Problem);
        // Not one whose name only begins so.
        let without = good.replace("CONFIG_NET=y", "CONFIG_NET_NS=y");
        assert_eq!(level(Some(&without), false), Level::Problem);
        assert_eq!(level(None, true), Level::Ok);
        assert_eq!(level(None, false), Level::Note);
        let level =
            |config, is_patched| configuration_for_output(config, is_patched).map(|it| it.level);
        assert_eq!(level(Some(good), true), Some(Level::Ok));
        assert_eq!(level(Some(good), false), Some(Level::Note));
        assert_eq!(level(None, false), None);
        let with = format!("{good}CONFIG_KPROBES=y\nCONFIG_DYNAMIC_FTRACE_WITH_JMP=y\n");
        assert_eq!(level(Some(&with), false), Some(Level::Ok));
        let elsewhere = with.replace("CONFIG_X86_64", "CONFIG_ARM64");
        assert_eq!(level(Some(&elsewhere), false), Some(Level::Note));
    }

    #[test]
    fn who_traces() {
        let others = "vfs_read (1) R   I     \ttramp: ftrace_regs_caller\n";
        assert_eq!(ftrace(Some(others), Some("off")).level, Level::Ok);
        let direct =
            "fib_table_lookup (1)           D   M \tdirect(jmp)-->bpf_trampoline_1+0x0/0x1\n";
        assert_eq!(ftrace(Some(direct), Some("off")).level, Level::Note);
        assert_eq!(ftrace(Some(direct), None).level, Level::Note);
        assert_eq!(ftrace(Some(direct), Some("lookup")).level, Level::Ok);
        let patch = "ip_route_output_flow (1) R I  tramp: x\n";
        assert_eq!(ftrace(Some(patch), Some("socket")).level, Level::Note);
        let tracer = ftrace(Some("fib6_node_lookup (1)  \n"), Some("off"));
        assert_eq!(tracer.level, Level::Ok);
        assert!(tracer.text.contains("fib6_node_lookup"));
        assert_eq!(ftrace(None, Some("off")).level, Level::Note);
    }

    #[test]
    fn families() {
        let mut one = stats(Family::Ipv4, &[("forward", 1000)], &[]);
        assert_eq!(family(&one).len(), 1);
        one.serving = false;
        one.why_not = Some("the routes need more than memory_max_kb, raise it".into());
        let all = family(&one);
        assert_eq!(all[0].level, Level::Problem);
        assert!(all[0]
            .advice
            .as_ref()
            .unwrap()
            .contains("raise net.altfib.memory_max_kb"));
        for why in [
            "no device is up but lo, which needs no routes",
            "reading the routes",
        ] {
            one.why_not = Some(why.into());
            assert_eq!(family(&one)[0].level, Level::Note, "{why}");
        }
        one.why_not =
            Some("the mirror differed from the kernel's tables, reading them anew".into());
        assert_eq!(family(&one)[0].level, Level::Problem);
        one.mode = "off".into();
        assert_eq!(family(&one)[0].level, Level::Note);
        let one = stats(
            Family::Ipv4,
            &[("forward", 1000), ("mismatch", 1)],
            &[
                ("rules", "config", 30),
                ("dscp", "route", 1),
                ("no_route", "route", 500),
            ],
        );
        let all = family(&one);
        assert_eq!(all[1].level, Level::Problem);
        assert!(all[2].text.contains("rules happened"));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn sysctls() {
        let with = |values: &'static [(&str, &str)]| {
            settings(&move |path: &str| {
                values
                    .iter()
                    .find(|(name, _)| *name == path)
                    .map(|(_, value)| format!("{value}\n"))
            })
        };
        let all = with(&[("/proc/sys/net/ipv4/ip_forward", "0")]);
        assert!(all[0].text.contains("forwarding is off"));
        let all = with(&[
            ("/proc/sys/net/ipv4/ip_forward", "1"),
            ("/proc/sys/net/ipv4/conf/all/send_redirects", "0"),
        ]);
        assert_eq!(all[0].level, Level::Ok);
        let all = with(&[
            ("/proc/sys/net/ipv4/ip_forward", "1"),
            ("/proc/sys/net/ipv4/conf/all/send_redirects", "1"),
            ("/proc/sys/net/bridge/bridge-nf-call-iptables", "1"),
        ]);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn capabilities() {
        assert_eq!(
            rights("Name:\tx\nCapEff:\t000001ffffffffff\n").level,
            Level::Ok
        );
        assert_eq!(rights("CapEff:\t0000000000000000\n").level, Level::Note);
        assert_eq!(rights("").level, Level::Note);
    }
}
