// SPDX-License-Identifier: GPL-2.0

//! How things look: colours, aligned columns, JSON.

use crate::cli::Color;
use crate::cli::Options;
use crate::messages::Family;
use crate::messages::Path;
use crate::messages::RouteType;
use anstyle::AnsiColor;
use anstyle::Style;
use anyhow::Result;
use serde::Serialize;
use std::io;
use std::io::Write;
use std::net::IpAddr;

/// ip's colours: devices cyan, IPv4 magenta, IPv6 blue; good green, bad red.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    #[default]
    Plain,
    Head,
    Device,
    Ipv4,
    Ipv6,
    Good,
    Note,
    Bad,
}

impl Look {
    fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Head => Style::new().bold(),
            Self::Device => color(AnsiColor::Cyan),
            Self::Ipv4 => color(AnsiColor::Magenta),
            Self::Ipv6 => color(AnsiColor::Blue),
            Self::Good => color(AnsiColor::Green),
            Self::Note => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red).bold(),
        }
    }

    pub fn of(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4,
            Family::Ipv6 => Self::Ipv6,
        }
    }
}

/// A piece of text with a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub look: Look,
}

pub fn plain(text: impl ToString) -> Piece {
    styled(text, Look::Plain)
}

pub fn styled(text: impl ToString, look: Look) -> Piece {
    Piece {
        text: text.to_string(),
        look,
    }
}

pub fn address(address: IpAddr) -> Piece {
    styled(address, Look::of(Family::of(address)))
}

/// Where output goes.
pub struct Out {
    to: io::BufWriter<io::StdoutLock<'static>>,
    colors: bool,
    pub json: bool,
    pretty: bool,
    /// An array of JSON has begun.
    begun: bool,
}

impl Out {
    pub fn new(options: &Options) -> Self {
        let stdout = io::stdout();
        let colors = match options.color {
            Color::Always => true,
            Color::Never => false,
            // Knows NO_COLOR, CLICOLOR and TERM=dumb.
            Color::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        Self {
            to: io::BufWriter::new(stdout.lock()),
            colors,
            json: options.json,
            pretty: options.pretty,
            begun: false,
        }
    }

    /// A line of text.
    pub fn line(&mut self, pieces: &[Piece]) -> io::Result<()> {
        for Piece { text, look } in pieces {
            paint(&mut self.to, text, *look, self.colors)?;
        }
        writeln!(self.to)
    }

    /// Whether looks are shown.
    pub fn colors(&self) -> bool {
        self.colors
    }

    pub fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{text}")
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// One value as JSON.
    pub fn value(&mut self, value: &impl Serialize) -> Result<()> {
        self.write(value)?;
        writeln!(self.to)?;
        Ok(())
    }

    fn write(&mut self, value: &impl Serialize) -> Result<()> {
        if self.pretty {
            serde_json::to_writer_pretty(&mut self.to, value)?;
        } else {
            serde_json::to_writer(&mut self.to, value)?;
        }
        Ok(())
    }

    /// One more value of an array that is ended by [`end`](Self::end).
    pub fn element(&mut self, value: &impl Serialize) -> Result<()> {
        self.to.write_all(if self.begun { b"," } else { b"[" })?;
        if self.pretty {
            writeln!(self.to)?;
        }
        self.begun = true;
        self.write(value)
    }

    pub fn end(&mut self) -> io::Result<()> {
        if !self.begun {
            write!(self.to, "[")?;
        } else if self.pretty {
            writeln!(self.to)?;
        }
        self.begun = false;
        writeln!(self.to, "]")
    }

    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        for line in table.lines() {
            self.line(&line)?;
        }
        Ok(())
    }
}

pub fn paint(to: &mut impl Write, text: &str, look: Look, colors: bool) -> io::Result<()> {
    if !colors || look == Look::Plain {
        return write!(to, "{text}");
    }
    let style = look.style();
    write!(to, "{style}{text}{style:#}")
}

/// Rows whose columns are aligned: to the left, unless the heading begins with ">".
#[derive(Default)]
pub struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<Piece>>,
}

impl Table {
    pub fn new(heading: &[&str]) -> Self {
        let right = heading.iter().map(|word| word.starts_with('>')).collect();
        let head = heading
            .iter()
            .map(|word| styled(word.trim_start_matches('>'), Look::Head))
            .collect();
        Self {
            right,
            rows: vec![head],
        }
    }

    pub fn row(&mut self, row: Vec<Piece>) {
        self.rows.push(row);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Two blanks between columns; none at the end of a line. A row that ends early may end with
    /// words that are wider than their column.
    pub fn lines(&self) -> Vec<Vec<Piece>> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |piece: &Piece| piece.text.chars().count();
        let counts = |row: &&Vec<Piece>, i: usize| i + 1 < row.len() || row.len() == columns;
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                let rows = self.rows.iter().filter(|row| counts(row, i));
                rows.filter_map(|row| row.get(i))
                    .map(width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        self.rows
            .iter()
            .map(|row| {
                let last = row
                    .iter()
                    .rposition(|piece| !piece.text.is_empty())
                    .map_or(0, |i| i + 1);
                let mut line = Vec::new();
                for (i, piece) in row.iter().take(last).enumerate() {
                    let gap = widths[i].saturating_sub(width(piece));
                    let right = self.right.get(i) == Some(&true);
                    let between = if i == 0 { 0 } else { 2 };
                    let (before, after) = if right { (gap, 0) } else { (0, gap) };
                    line.push(plain(" ".repeat(between + before)));
                    line.push(piece.clone());
                    if i + 1 < last {
                        line.push(plain(" ".repeat(after)));
                    }
                }
                line
            })
            .collect()
    }
}

/// "via 10.0.2.2 dev r1 metric 10 paths 2", as ip writes it, with a blank before each.
pub fn path(path: &Path) -> Vec<Piece> {
    let mut line = Vec::new();
    if let Some(gateway) = path.gateway {
        line.push(plain(" via "));
        line.push(address(gateway));
    }
    if let Some(dev) = &path.dev {
        line.push(plain(" dev "));
        line.push(styled(dev, Look::Device));
    }
    line
}

/// " metric 10 paths 2", as far as they are more than nothing.
pub fn more(path: &Path) -> Vec<Piece> {
    let mut line = Vec::new();
    if let Some(metric) = path.metric.filter(|&n| n != 0) {
        line.push(plain(format!(" metric {metric}")));
    }
    if let Some(paths) = path.paths {
        line.push(plain(format!(" paths {paths}")));
    }
    line
}

/// "local " and the like; nothing for unicast.
pub fn kind(kind: Option<RouteType>) -> Piece {
    match kind {
        Some(kind) if kind != RouteType::UNICAST => plain(format!("{} ", kind.name())),
        _ => plain(""),
    }
}

/// Bytes, in the largest unit of which there is at least one.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 || unit == "GiB" {
            return if unit == "B" || value.fract() == 0.0 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    unreachable!("the last unit takes all")
}

/// A share in per cent, rounded down, so that 100 % means all of them.
pub fn share(part: u64, of: u64) -> String {
    match (u128::from(part) * 10_000).checked_div(u128::from(of)) {
        Some(n) => format!("{}.{:02} %", n / 100, n % 100),
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &Table) -> Vec<String> {
        table
            .lines()
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["NAME", ">COUNT", "WHY"]);
        table.row(vec![plain("a"), plain(10000), plain("")]);
        table.row(vec![plain("longer"), plain(7), plain("because")]);
        table.row(vec![plain("é"), plain(1), plain("x")]);
        table.row(vec![plain("b"), plain("many words")]);
        assert_eq!(
            text(&table),
            [
                "NAME    COUNT  WHY",
                "a       10000",
                "longer      7  because",
                "é           1  x",
                "b       many words",
            ]
        );
    }

    #[test]
    fn shares_are_rounded_down() {
        assert_eq!(share(1, 3), "33.33 %");
        assert_eq!(share(999_999, 1_000_000), "99.99 %");
        assert_eq!(share(5, 5), "100.00 %");
        assert_eq!(share(0, 0), "-");
        assert_eq!(share(u64::MAX, u64::MAX), "100.00 %");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1 KiB");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(256 << 20), "256 MiB");
        assert_eq!(bytes(5 << 40), "5120 GiB");
    }
}
