// SPDX-License-Identifier: GPL-2.0

//! "altfib monitor": events, a line each.

use crate::attributes::FromAttributes as _;
use crate::cli;
use crate::messages::Answer;
use crate::messages::Audit;
use crate::messages::Decision;
use crate::messages::Event;
use crate::netlink::Altfib;
use crate::netlink::Message;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::uapi;
use crate::warn;
use crate::Status;
use anyhow::Result;
use serde::Serialize;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// One of altfib's events, as JSON has it.
#[derive(Serialize)]
struct Told<T> {
    event: &'static str,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
    #[serde(flatten)]
    content: T,
}

pub fn run(out: &mut Out, args: &cli::Monitor) -> Result<Status> {
    let mut altfib = Altfib::open()?;
    altfib.listen()?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left != 0 {
        let Some(message) = altfib.event()? else {
            warn("some events were lost: they came faster than they could be written");
            continue;
        };
        let time = args.timestamp.then(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |time| time.as_millis() as f64 / 1000.0)
        });
        if write(out, &message, time)? {
            // Each one when it comes, into a pipe, too.
            out.flush()?;
            left -= 1;
        }
    }
    Ok(Status::Well)
}

/// `false`: it is of a later altfib.
fn write(out: &mut Out, message: &Message, time: Option<f64>) -> Result<bool> {
    let event = match message.command {
        uapi::ALTFIB_CMD_AUDIT_NTF => "audit",
        uapi::ALTFIB_CMD_OUT_OF_SYNC => "out_of_sync",
        uapi::ALTFIB_CMD_RESYNC => "resync",
        uapi::ALTFIB_CMD_MISMATCH => "mismatch",
        uapi::ALTFIB_CMD_SWITCHED => "switched",
        _ => return Ok(false),
    };
    let line = if event == "audit" {
        let content = Audit::read(&message.attributes)?;
        if out.json {
            out.value(&Told {
                event,
                time,
                content,
            })?;
            return Ok(true);
        }
        audit(&content)
    } else {
        let content = Event::read(&message.attributes)?;
        if out.json {
            out.value(&Told {
                event,
                time,
                content,
            })?;
            return Ok(true);
        }
        show(event, &content)
    };
    let mut all = Vec::new();
    if let Some(time) = time {
        all.push(plain(format!("[{time:.3}] ")));
    }
    all.extend(line);
    out.line(&all)?;
    Ok(true)
}

fn audit(audit: &Audit) -> Vec<Piece> {
    let mut line = vec![styled("audit", Look::Head)];
    for result in &audit.results {
        let look = if result.differences == 0 {
            Look::Good
        } else {
            Look::Bad
        };
        line.push(plain(format!(" {} ", result.family.name())));
        line.push(styled(format!("{} differences", result.differences), look));
    }
    if let Some(error) = audit.error {
        line.push(styled(
            format!(" ended early: {}", error.words()),
            Look::Bad,
        ));
    }
    line
}

fn show(name: &str, event: &Event) -> Vec<Piece> {
    let look = if name == "mismatch" {
        Look::Bad
    } else {
        Look::Head
    };
    let mut line = vec![styled(name, look)];
    // A setting's name has its family.
    if let (Some(family), None) = (event.family, &event.setting) {
        line.push(plain(format!(" {}", family.name())));
    }
    match (event.decision, event.count) {
        (Some(decision), Some(count)) => line.push(plain(format!(" {count} {}", decision.name()))),
        // Packets are what it mostly is about.
        (Some(Decision::Lookup), None) => line.push(plain(" of the host's own lookup")),
        _ => {}
    }
    if let Some(setting) = &event.setting {
        line.push(plain(format!(" net.altfib.{setting}")));
        for (word, value) in [("=", &event.value), (" was ", &event.before)] {
            if let Some(value) = value {
                line.push(plain(format!("{word}{value}")));
            }
        }
    }
    if let Some(routes) = event.routes {
        line.push(plain(format!(" {routes} routes")));
    }
    if let Some(dst) = event.dst {
        line.push(plain(" "));
        line.push(out::address(dst));
    }
    if let Some(src) = event.src {
        line.push(plain(" from "));
        line.push(out::address(src));
    }
    if let Some(iif) = &event.iif {
        line.push(plain(" iif "));
        line.push(styled(iif, Look::Device));
    }
    if let Some(mark) = event.mark {
        line.push(plain(format!(" mark {mark:#x}")));
    }
    for (side, answer) in [("altfib", &event.altfib), ("kernel", &event.kernel)] {
        if let Some(answer) = answer {
            line.push(plain(format!(" {side}:")));
            line.extend(self::answer(answer));
        }
    }
    if let Some(reason) = &event.reason {
        line.push(styled(format!(" ({reason})"), Look::Note));
    }
    if let Some(missed) = event.missed {
        line.push(styled(
            format!(" ({missed} mismatches before it were not told)"),
            Look::Note,
        ));
    }
    line
}

fn answer(answer: &Answer) -> Vec<Piece> {
    let refusal = match (answer.error, answer.drop_reason) {
        (Some(error), _) => error.words(),
        (None, Some(reason)) => format!("dropped (reason {reason})"),
        (None, None) => {
            let mut line = vec![plain(" "), out::kind(answer.kind)];
            let path = out::path(&answer.path);
            // What kind leaves is a blank of its own.
            line.extend(path.into_iter().enumerate().map(|(i, piece)| match i {
                0 => plain(piece.text.trim_start()),
                _ => piece,
            }));
            return line;
        }
    };
    vec![plain(format!(" {refusal}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Family;
    use crate::messages::Path;
    use crate::messages::RouteType;

    fn text(line: Vec<Piece>) -> String {
        line.iter().map(|piece| piece.text.as_str()).collect()
    }

    #[test]
    fn a_line_each() {
        let event = Event {
            setting: Some("mode".into()),
            value: Some("off".into()),
            before: Some("verify".into()),
            reason: Some("altfib disagreed with the kernel".into()),
            missed: Some(3),
            ..Event::default()
        };
        assert_eq!(
            text(show("switched", &event)),
            "switched net.altfib.mode=off was verify (altfib disagreed with the kernel) \
             (3 mismatches before it were not told)"
        );
        let event = Event {
            family: Some(Family::Ipv6),
            routes: Some(14),
            ..Event::default()
        };
        assert_eq!(text(show("resync", &event)), "resync IPv6 14 routes");
        let side = |gateway: &str, dev: &str| {
            Some(Answer {
                kind: Some(RouteType::UNICAST),
                path: Path {
                    gateway: Some(gateway.parse().unwrap()),
                    dev: Some(dev.into()),
                    ..Path::default()
                },
                ..Answer::default()
            })
        };
        let event = Event {
            family: Some(Family::Ipv4),
            decision: Some(Decision::Socket),
            count: Some(2),
            ..Event::default()
        };
        assert_eq!(text(show("mismatch", &event)), "mismatch IPv4 2 sockets");
        let event = Event {
            family: Some(Family::Ipv4),
            decision: Some(Decision::Packet),
            dst: Some("198.51.100.1".parse().unwrap()),
            src: Some("10.0.1.2".parse().unwrap()),
            iif: Some("rc".into()),
            altfib: side("10.0.3.2", "r2"),
            kernel: side("10.0.2.2", "r1"),
            ..Event::default()
        };
        assert_eq!(
            text(show("mismatch", &event)),
            "mismatch IPv4 198.51.100.1 from 10.0.1.2 iif rc altfib: via 10.0.3.2 dev r2 kernel: via 10.0.2.2 dev r1"
        );
    }
}
