// SPDX-License-Identifier: GPL-2.0

//! "altfib audit": starts one, shows how far it is, and tells what it found.

use crate::attributes::FromAttributes as _;
use crate::cli;
use crate::cli::Options;
use crate::messages::Audit;
use crate::messages::AuditResult;
use crate::messages::AuditState;
use crate::netlink::Altfib;
use crate::netlink::Refused;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::uapi;
use crate::warn;
use crate::Status;
use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use rustix::io::Errno;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at how far it is.
const STEP: Duration = Duration::from_millis(50);

fn state(altfib: &mut Altfib) -> Result<Audit> {
    let reply = altfib
        .do_one(uapi::ALTFIB_CMD_AUDIT_GET, Vec::new())?
        .context("altfib gave no answer")?;
    Audit::read(&reply.attributes)
}

pub fn run(out: &mut Out, options: &Options, args: &cli::Audit) -> Result<Status> {
    let mut altfib = Altfib::open()?;
    let audit = if args.last {
        state(&mut altfib)?
    } else {
        start(&mut altfib)?;
        wait(&mut altfib)?
    };
    tell(out, options, &audit)
}

fn start(altfib: &mut Altfib) -> Result<()> {
    match altfib.do_one(uapi::ALTFIB_CMD_AUDIT_START, Vec::new()) {
        Ok(_) => Ok(()),
        Err(e) => match e.downcast_ref::<Refused>() {
            Some(refused) if refused.errno == Errno::BUSY => {
                warn("an audit is running already: this is how it goes on");
                Ok(())
            }
            _ => Err(e),
        },
    }
}

/// Watches it until it has ended. The bar is for terminals only.
fn wait(altfib: &mut Altfib) -> Result<Audit> {
    let style = |template| ProgressStyle::with_template(template).expect("it is well-formed");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style("{spinner} reading the routes"));
    loop {
        let audit = state(altfib)?;
        if audit.state != AuditState::Running {
            bar.finish_and_clear();
            return Ok(audit);
        }
        if let (Some(checked), Some(total)) = (audit.checked, audit.total) {
            if bar.length().is_none() {
                bar.set_style(style(
                    "{wide_bar} {human_pos} of {human_len} addresses compared, {eta} left",
                ));
            }
            bar.set_length(total);
            bar.set_position(checked);
        }
        bar.tick();
        sleep(STEP);
    }
}

fn tell(out: &mut Out, options: &Options, audit: &Audit) -> Result<Status> {
    let results = || {
        audit
            .results
            .iter()
            .filter(|result| options.families().contains(&result.family))
    };
    if out.json {
        let mut audit = audit.clone();
        audit.results = results().cloned().collect();
        out.element(&audit)?;
        out.end()?;
    } else {
        match audit.state {
            AuditState::None => {
                out.text("no audit yet: \"altfib audit\" makes one")?;
                return Ok(Status::Well);
            }
            AuditState::Running => {
                let line = match (audit.checked, audit.total) {
                    (Some(checked), Some(total)) => {
                        format!("an audit is running: {checked} of {total} addresses compared")
                    }
                    _ => "an audit is running: reading the routes".to_string(),
                };
                out.text(&line)?;
            }
            AuditState::Done => {}
        }
        for result in results() {
            for line in show(result) {
                out.line(&line)?;
            }
        }
    }
    if let Some(error) = audit.error {
        out.flush()?;
        match Errno::from_raw_os_error(error.0 as i32) {
            Errno::BUSY => bail!(
                "the audit could not be made, since altfib has no routes now: \"altfib stats\" says why"
            ),
            _ => bail!("the audit ended early: {}", error.words()),
        }
    }
    Ok(if results().any(|result| result.differences != 0) {
        Status::Look
    } else {
        Status::Well
    })
}

fn show(result: &AuditResult) -> Vec<Vec<Piece>> {
    let mut head = vec![
        styled(result.family.name(), Look::Head),
        plain(": "),
        match result.differences {
            0 => styled("no differences", Look::Good),
            1 => styled("1 difference", Look::Bad),
            n => styled(format!("{n} differences"), Look::Bad),
        },
    ];
    if let Some(first) = result.first {
        head.push(plain(", the first one at "));
        head.push(out::address(first));
    }
    vec![
        head,
        vec![plain(format!(
            "  {} routes of the kernel, {} mirrored",
            result.routes_kernel, result.routes_mirrored
        ))],
        vec![plain(format!(
            "  {} addresses compared ({} are the kernel's anyway, {} differed for a moment)",
            result.addresses, result.left, result.transient
        ))],
        vec![plain(format!(
            "  took {} ms, {} ms of it with RTNL held",
            milliseconds(result.took_us),
            milliseconds(result.held_us)
        ))],
    ]
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Family;

    fn text(result: &AuditResult) -> Vec<String> {
        show(result)
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn what_was_found() {
        let mut result = AuditResult {
            family: Family::Ipv4,
            routes_kernel: 14,
            routes_mirrored: 14,
            addresses: 33,
            left: 2,
            took_us: 1234,
            held_us: 56,
            ..AuditResult::default()
        };
        assert_eq!(
            text(&result),
            [
                "IPv4: no differences",
                "  14 routes of the kernel, 14 mirrored",
                "  33 addresses compared (2 are the kernel's anyway, 0 differed for a moment)",
                "  took 1.234 ms, 0.056 ms of it with RTNL held",
            ]
        );
        result.differences = 2;
        result.first = Some("198.51.100.0".parse().unwrap());
        assert_eq!(
            text(&result)[0],
            "IPv4: 2 differences, the first one at 198.51.100.0"
        );
    }
}
