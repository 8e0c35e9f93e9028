// SPDX-License-Identifier: GPL-2.0

//! The command line.

use clap::builder::styling::Styles;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// Asks the altfib kernel module what it decides, what it has, and what it does.
#[derive(Parser)]
#[command(
    name = "altfib",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    styles = Styles::plain(),
    max_term_width = 100,
    after_help = "Exit status: 0 if all is well; 1 if there is something to look at (differences, disagreement, a \
                  problem); 2 if it could not be asked."
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,

    /// Ask in this network namespace: a name of "ip netns", or a path
    #[arg(short, long, value_name = "NETNS")]
    pub netns: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub struct Options {
    /// Only IPv4
    #[arg(short = '4', global = true, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Only IPv6
    #[arg(short = '6', global = true)]
    pub ipv6: bool,

    /// JSON instead of text
    #[arg(short, long, global = true)]
    pub json: bool,

    /// Indented JSON, with -j
    #[arg(short, long, global = true)]
    pub pretty: bool,

    /// Colours; "auto" is on a terminal, unless NO_COLOR is set
    #[arg(
        short,
        long,
        global = true,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always"
    )]
    pub color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    /// One address: altfib's answer and the kernel's, side by side
    Get(Get),
    /// The routes of the mirror: of each prefix the first one
    #[command(visible_alias = "route")]
    Routes(Routes),
    /// The IPv4 next hops, and whether a route is cached for them
    #[command(visible_alias = "nexthop")]
    Nexthops,
    /// How routes are found again, and how well
    #[command(visible_alias = "cache")]
    Caches,
    /// State, sizes and counters
    Stats,
    /// Compare the mirror with the kernel's tables, for all addresses
    Audit(Audit),
    /// Give back what is cached
    Flush,
    /// Print what happens, as it happens
    Monitor(Monitor),
    /// Packets, hit rates, punts and updates a second
    Top(Top),
    /// Why packets are left to the kernel, and what would change it
    Explain(Explain),
    /// What on this system keeps altfib from working well
    Doctor,
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions { shell: Shell },
    /// Write the man pages into a folder
    #[command(hide = true)]
    Man { folder: PathBuf },
}

/// As "ip route get" has it.
#[derive(Args)]
pub struct Get {
    /// Where to
    pub address: String,

    /// from SRC, iif DEV, mark MARK, dscp DSCP (or tos TOS): a packet that comes in by DEV.
    /// Without iif: what this host sends
    #[arg(value_name = "WORD", num_args = 0..)]
    pub words: Vec<String>,
}

#[derive(Args)]
pub struct Routes {
    /// PREFIX or default, root PREFIX (all inside), table TABLE, dev DEV, via GATEWAY, type TYPE: only these
    #[arg(value_name = "WORD", num_args = 0..)]
    pub words: Vec<String>,
}

#[derive(Args)]
pub struct Audit {
    /// What the last audit found, or how far one is: start none
    #[arg(short, long)]
    pub last: bool,
}

#[derive(Args)]
pub struct Monitor {
    /// Begin each line with the time
    #[arg(short, long)]
    pub timestamp: bool,

    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    pub count: Option<u64>,
}

#[derive(Args)]
pub struct Top {
    /// For a file or a pipe: no keys, one block after the other
    #[arg(short, long)]
    pub batch: bool,

    /// End after so many blocks
    #[arg(short = 'n', long = "iterations", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Seconds between them
    #[arg(short, long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    pub delay: f64,
}

#[derive(Args)]
pub struct Explain {
    /// Only what happens in so many seconds from now, instead of since altfib was loaded
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,

    /// Reasons by name, whether they occur or not
    #[arg(value_name = "REASON")]
    pub reasons: Vec<String>,
}

/// More than nothing, and less than a day.
fn seconds(word: &str) -> Result<f64, String> {
    match word.parse::<f64>() {
        Ok(n) if (0.1..=86400.0).contains(&n) => Ok(n),
        _ => Err("give seconds, from 0.1 to 86400".into()),
    }
}

/// ip's long options have one dash, too.
const ONE_DASH: [&str; 5] = ["-netns", "-json", "-pretty", "-color", "-batch"];

pub fn arguments(from: impl Iterator<Item = OsString>) -> Vec<OsString> {
    from.map(|word| match word.to_str() {
        Some(text)
            if ONE_DASH
                .iter()
                .any(|&long| long == text.split('=').next().unwrap_or(text)) =>
        {
            OsString::from(format!("-{text}"))
        }
        _ => word,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(arguments(line.split(' ').map(OsString::from)))
    }

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn as_ip_has_it() {
        for line in [
            "altfib -n ns -j -p -4 routes",
            "altfib -netns ns -json stats",
            "altfib stats -j",
            "altfib -color=always nexthops",
            "altfib -c nexthops",
            "altfib -c=never nexthops",
            "altfib get 10.1.2.3 from 10.0.1.2 iif eth0",
            "altfib -n ns top -b -n 3 -d 0.5",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        let cli = parse("altfib -n ns top -b -n 3").unwrap();
        assert_eq!(cli.netns.unwrap().to_str(), Some("ns"));
        let Command::Top(top) = cli.command else {
            panic!()
        };
        assert_eq!(top.count, Some(3));
    }

    #[test]
    fn refused() {
        for line in [
            "altfib",
            "altfib -4 -6 routes",
            "altfib get",
            "altfib top -n 0",
            "altfib top -d 0",
            "altfib top -d nan",
            "altfib -c=red stats",
            "altfib nothing",
        ] {
            let error = parse(line)
                .err()
                .unwrap_or_else(|| panic!("{line} is taken"));
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
