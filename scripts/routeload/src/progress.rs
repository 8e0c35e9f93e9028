// SPDX-License-Identifier: GPL-2.0
//! What the user sees while it runs, and what scripts read afterwards.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Progress on standard error: a bar on a terminal, else a line now and then.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    of: u64,
    start: Instant,
    said: Instant,
}

impl Progress {
    pub fn new(what: &'static str, of: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{prefix} [{bar:40}] {human_pos} of {human_len}, {per_sec}, {eta} left",
            );
            let bar = ProgressBar::new(of).with_prefix(what);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Progress {
            bar,
            what,
            of,
            start: now,
            said: now,
        }
    }

    pub fn at(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.said.elapsed() >= Duration::from_secs(5) {
            self.said = Instant::now();
            let rate = done as f64 / self.start.elapsed().as_secs_f64();
            let left = (self.of - done) as f64 / rate.max(1.0);
            eprintln!(
                "{} {} of {} ({} %), {} a second, {left:.0} s left",
                self.what,
                HumanCount(done),
                HumanCount(self.of),
                done * 100 / self.of.max(1),
                HumanCount(rate as u64),
            );
        }
    }

    pub fn done(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.start.elapsed()
    }
}

/// Results for scripts, one key=value a line.
#[derive(Default)]
pub struct Report(String);

impl Report {
    pub fn add(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{key}={value}");
    }

    pub fn write(&self, path: Option<&str>) -> Result<()> {
        match path {
            Some(p) => std::fs::write(p, &self.0).with_context(|| format!("cannot write {p}")),
            None => Ok(()),
        }
    }
}
