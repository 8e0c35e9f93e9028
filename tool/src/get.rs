// SPDX-License-Identifier: GPL-2.0

//! "altfib get": one address, both answers.

use crate::attributes::FromAttributes as _;
use crate::attributes::Writer;
use crate::cli;
use crate::messages::Answer;
use crate::messages::DstState;
use crate::messages::Family;
use crate::messages::Lookup;
use crate::names;
use crate::netlink::Altfib;
use crate::out;
use crate::out::plain;
use crate::out::styled;
use crate::out::Look;
use crate::out::Out;
use crate::out::Piece;
use crate::out::Table;
use crate::uapi;
use crate::Status;
use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use std::net::IpAddr;

/// A question as it was typed.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    dst: IpAddr,
    src: Option<IpAddr>,
    iif: Option<String>,
    mark: Option<u32>,
    dscp: Option<u8>,
}

fn address(word: &str) -> Result<IpAddr> {
    match word.parse() {
        Ok(address) => Ok(address),
        Err(_) if word.contains('/') => {
            bail!("\"{word}\" is a prefix: ask for one address, or for \"altfib routes {word}\"")
        }
        Err(_) => bail!("\"{word}\" is no address: write 192.0.2.1 or 2001:db8::1"),
    }
}

impl Question {
    fn parse(args: &cli::Get) -> Result<Self> {
        let mut question = Self {
            dst: address(&args.address)?,
            src: None,
            iif: None,
            mark: None,
            dscp: None,
        };
        let mut words = args.words.iter();
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("\"{word}\" needs a value behind it"))?;
            match word.as_str() {
                "from" => question.src = Some(address(value)?),
                "iif" => question.iif = Some(value.clone()),
                "mark" => question.mark = Some(names::number(value)?),
                "dscp" => question.dscp = Some(below(value, 63)?),
                // The old octet, whose upper six bits are the DSCP.
                "tos" | "dsfield" => question.dscp = Some(below(value, 255)? >> 2),
                _ => bail!("\"{word}\" is unknown here: from, iif, mark, dscp and tos are known"),
            }
        }
        if question
            .src
            .is_some_and(|src| Family::of(src) != Family::of(question.dst))
        {
            bail!("source and destination are of two families: give both in one");
        }
        if question.iif.is_some() && question.src.is_none() && question.dst.is_ipv4() {
            bail!("an IPv4 packet that comes in has a source: say from which, \"from SRC\"");
        }
        Ok(question)
    }

    fn write(&self) -> Result<Vec<u8>> {
        let mut to = Writer::default();
        to.address(uapi::ALTFIB_A_LOOKUP_DST, self.dst);
        if let Some(src) = self.src {
            to.address(uapi::ALTFIB_A_LOOKUP_SRC, src);
        }
        if let Some(iif) = &self.iif {
            to.u32(uapi::ALTFIB_A_LOOKUP_IIF, names::device_index(iif)?);
        }
        if let Some(mark) = self.mark {
            to.u32(uapi::ALTFIB_A_LOOKUP_MARK, mark);
        }
        if let Some(dscp) = self.dscp {
            to.u8(uapi::ALTFIB_A_LOOKUP_DSCP, dscp);
        }
        Ok(to.finish())
    }
}

fn below(word: &str, most: u8) -> Result<u8> {
    match u8::try_from(names::number(word)?) {
        Ok(n) if n <= most => Ok(n),
        _ => bail!("\"{word}\" is too large: at most {most}"),
    }
}

pub fn run(out: &mut Out, args: &cli::Get) -> Result<Status> {
    let question = Question::parse(args)?;
    let attributes = question.write()?;
    let reply = Altfib::open()?
        .do_one(uapi::ALTFIB_CMD_GET, attributes)?
        .context("altfib gave no answer")?;
    let lookup = Lookup::read(&reply.attributes)?;
    if out.json {
        out.element(&lookup)?;
        out.end()?;
    } else {
        for line in show(&lookup) {
            out.line(&line)?;
        }
    }
    Ok(match lookup.agree {
        Some(false) => Status::Look,
        _ => Status::Well,
    })
}

fn show(lookup: &Lookup) -> Vec<Vec<Piece>> {
    let mut head = Vec::new();
    if let Some(dst) = lookup.dst {
        head.push(out::address(dst));
    }
    if let Some(src) = lookup.src {
        head.push(plain(" from "));
        head.push(out::address(src));
    }
    if let Some(iif) = &lookup.iif {
        head.push(plain(" iif "));
        head.push(styled(iif, Look::Device));
    }
    for (name, value) in [
        ("mark", lookup.mark.map(|n| format!("{n:#x}"))),
        ("dscp", lookup.dscp.map(|n| n.to_string())),
    ] {
        if let Some(value) = value {
            head.push(plain(format!(" {name} {value}")));
        }
    }
    let mut lines = vec![head];
    let mut table = Table::new(&[
        "", "TYPE", "PREFIX", "VIA", "DEV", "TABLE", "METRIC", "PATHS", "DST",
    ]);
    let sides = [("altfib", &lookup.altfib), ("kernel", &lookup.kernel)];
    for (name, answer) in sides {
        table.row(side(name, answer));
    }
    lines.extend(table.lines());
    let (words, look) = match lookup.agree {
        Some(true) if lookup.kernel.prefix.is_some() => ("both found the same route", Look::Good),
        Some(true) => ("both found no route", Look::Good),
        Some(false) => ("they do not agree: the kernel's answer counts where it is asked; altfib audit compares all", Look::Bad),
        None => ("altfib has no say here", Look::Note),
    };
    lines.push(vec![styled(words, look)]);
    if let Some(output) = &lookup.output {
        lines.push(vec![plain(match output.as_str() {
            "off" => "the host's own lookups are the kernel's (net.altfib.output=off)".into(),
            _ => format!("the host's own lookups are altfib's (net.altfib.output={output})"),
        })]);
    }
    if lookup.altfib.flow_state == Some(DstState::Cached) {
        lines.push(vec![plain(
            "its flow is known: altfib attaches the flow's route",
        )]);
    } else if let Some(punt) = &lookup.altfib.punt {
        let cause = lookup.altfib.cause.as_deref().unwrap_or("");
        lines.push(vec![
            plain("left to the kernel: "),
            styled(punt, Look::Note),
            plain(format!(", {cause}")),
        ]);
    } else if lookup.iif.is_some() {
        lines.push(vec![plain("altfib would attach its route")]);
    }
    lines
}

/// What the kernel says instead of a route, or beside it.
fn refusal(answer: &Answer) -> Option<String> {
    match (answer.error, answer.drop_reason) {
        (Some(error), _) => Some(error.words()),
        (None, Some(reason)) => Some(format!("dropped (reason {reason})")),
        (None, None) if answer.prefix.is_none() => Some("no route".into()),
        (None, None) => None,
    }
}

fn side(name: &str, answer: &Answer) -> Vec<Piece> {
    let path = &answer.path;
    let text = |text: Option<String>| plain(text.unwrap_or_default());
    let mut row = vec![
        styled(name, Look::Head),
        plain(answer.kind.map_or("-", |kind| kind.name())),
    ];
    let refusal = refusal(answer).map(|words| styled(words, Look::Note));
    let Some(prefix) = answer.prefix else {
        row.extend(refusal);
        return row;
    };
    row.push(styled(prefix, Look::of(Family::of(prefix.address))));
    row.push(path.gateway.map_or(plain(""), out::address));
    row.push(styled(path.dev.as_deref().unwrap_or(""), Look::Device));
    row.push(text(answer.table.map(|table| table.to_string())));
    row.push(text(path.metric.filter(|&n| n != 0).map(|n| n.to_string())));
    row.push(text(path.paths.map(|n| n.to_string())));
    row.push(plain(answer.dst_state.map_or("", |state| state.name())));
    if let Some(refusal) = refusal {
        // Behind all columns, of which the last one is altfib's only.
        row.pop();
        row.push(refusal);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::ErrorNumber;
    use crate::messages::Path;
    use crate::messages::Prefix;
    use crate::messages::RouteType;

    fn parse(line: &str) -> Result<Question> {
        let mut words = line.split(' ').map(String::from);
        Question::parse(&cli::Get {
            address: words.next().unwrap(),
            words: words.collect(),
        })
    }

    #[test]
    fn questions() {
        let question = parse("10.1.2.3 from 10.0.1.2 iif rc mark 0x9 tos 0x28").unwrap();
        assert_eq!(question.mark, Some(9));
        assert_eq!(question.dscp, Some(10));
        assert_eq!(question.iif.as_deref(), Some("rc"));
        assert_eq!(parse("::1").unwrap().src, None);
        for (line, says) in [
            ("10.1.2", "no address"),
            ("10.1.0.0/16", "is a prefix"),
            ("10.1.2.3 from", "needs a value"),
            ("10.1.2.3 from 2001:db8::1", "two families"),
            ("10.1.2.3 iif rc", "has a source"),
            ("10.1.2.3 dscp 64", "at most 63"),
            ("10.1.2.3 tos 256", "at most 255"),
            ("10.1.2.3 colour red", "unknown here"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    fn text(lookup: &Lookup) -> Vec<String> {
        show(lookup)
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect()
    }

    fn route() -> Answer {
        Answer {
            kind: Some(RouteType::UNICAST),
            prefix: Some(Prefix {
                address: "10.1.0.0".parse().unwrap(),
                len: 16,
            }),
            table: Some(crate::messages::Table::MAIN),
            path: Path {
                gateway: Some("10.0.2.2".parse().unwrap()),
                dev: Some("r1".into()),
                ..Path::default()
            },
            ..Answer::default()
        }
    }

    #[test]
    fn side_by_side() {
        let mut lookup = Lookup {
            dst: Some("10.1.2.3".parse().unwrap()),
            altfib: route(),
            kernel: route(),
            agree: Some(true),
            ..Lookup::default()
        };
        lookup.altfib.dst_state = Some(DstState::Cached);
        assert_eq!(
            text(&lookup),
            [
                "10.1.2.3",
                "        TYPE     PREFIX       VIA       DEV  TABLE  METRIC  PATHS  DST",
                "altfib  unicast  10.1.0.0/16  10.0.2.2  r1   main                  cached",
                "kernel  unicast  10.1.0.0/16  10.0.2.2  r1   main",
                "both found the same route",
            ]
        );
    }

    #[test]
    fn no_route() {
        let lookup = Lookup {
            dst: Some("10.9.9.9".parse().unwrap()),
            kernel: Answer {
                error: Some(ErrorNumber(101)),
                ..Answer::default()
            },
            agree: Some(true),
            ..Lookup::default()
        };
        let text = text(&lookup);
        assert_eq!(text[2], "altfib  -     no route");
        assert_eq!(text[3], "kernel  -     Network is unreachable");
        assert_eq!(text[4], "both found no route");
    }
}
