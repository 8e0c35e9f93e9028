// SPDX-License-Identifier: GPL-2.0

//! altfib: asks the kernel module of that name, as ip and ss ask the kernel.

mod attributes;
mod audit;
mod cli;
mod doctor;
mod explain;
mod flush;
mod get;
mod list;
mod messages;
mod monitor;
mod names;
mod netlink;
mod netns;
mod out;
mod reasons;
mod stats;
mod top;
mod uapi;

use anyhow::Context as _;
use anyhow::Result;
use clap::CommandFactory as _;
use clap::Parser as _;
use cli::Cli;
use cli::Command;
use cli::Options;
use messages::Family;
use out::Out;
use std::io;
use std::io::Write as _;
use std::process::ExitCode;

/// How it ended, when it could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Well,
    /// There is something to look at.
    Look,
}

/// Of what could not be asked or told.
const FAILED: u8 = 2;

impl Options {
    /// Of which families is to be told.
    pub fn families(&self) -> &'static [Family] {
        match (self.ipv4, self.ipv6) {
            (true, _) => &[Family::Ipv4],
            (_, true) => &[Family::Ipv6],
            _ => &Family::ALL,
        }
    }
}

/// A line on standard error.
pub fn warn(text: &str) {
    // There is no other place to say that it cannot be said.
    let _ = writeln!(io::stderr(), "altfib: {text}");
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(cli::arguments(std::env::args_os()));
    match run(&cli) {
        Ok(Status::Well) => ExitCode::SUCCESS,
        Ok(Status::Look) => ExitCode::from(1),
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            warn(&format!("{e:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Whoever reads has had enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = match cause.downcast_ref::<io::Error>() {
            Some(e) => Some(e.kind()),
            None => cause
                .downcast_ref::<serde_json::Error>()
                .and_then(serde_json::Error::io_error_kind),
        };
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}

fn run(cli: &Cli) -> Result<Status> {
    if let Some(netns) = &cli.netns {
        netns::enter(netns)?;
    }
    let options = &cli.options;
    let mut out = Out::new(options);
    let status = match &cli.command {
        Command::Get(args) => get::run(&mut out, args)?,
        Command::Routes(args) => list::routes(&mut out, options, args)?,
        Command::Nexthops => list::nexthops(&mut out, options)?,
        Command::Caches => list::caches(&mut out, options)?,
        Command::Stats => stats::run(&mut out, options)?,
        Command::Audit(args) => audit::run(&mut out, options, args)?,
        Command::Flush => flush::run(&mut out)?,
        Command::Monitor(args) => monitor::run(&mut out, args)?,
        Command::Top(args) => top::run(&mut out, options, args)?,
        Command::Explain(args) => explain::run(&mut out, options, args)?,
        Command::Doctor => doctor::run(&mut out)?,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "altfib", &mut text);
            out.text(String::from_utf8(text)?.trim_end())?;
            Status::Well
        }
        Command::Man { folder } => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
            clap_mangen::generate_to(Cli::command(), folder)
                .with_context(|| format!("man pages cannot be written to {}", folder.display()))?;
            Status::Well
        }
    };
    out.flush()?;
    Ok(status)
}
