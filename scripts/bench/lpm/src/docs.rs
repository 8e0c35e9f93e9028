// SPDX-License-Identifier: GPL-2.0

//! The chart, and the part of a document that a run writes.

use crate::{
    harness::{summary, Mode},
    peers::Kind,
    report::{Results, FULL},
    tables::Draw,
};
use plotters::prelude::*;
use std::{error::Error, fs, path::Path};

const BEGIN: &str =
    "<!-- From here on written by \"make bench-lpm ARGS=--docs\": edit above. -->\n";

/// Replaces what a run wrote into `file` before.
pub fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let old = fs::read_to_string(file)?;
    let head = old.find(BEGIN).map_or(&old[..], |at| &old[..at]);
    fs::write(file, format!("{head}{BEGIN}\n{text}"))
}

struct Bar {
    peer: &'static str,
    dependent: f64,
    independent: f64,
}

fn bars(results: &Results, family: &str) -> Vec<Bar> {
    let rate = |peer: &str, dependent: bool| {
        results
            .series
            .iter()
            .find(|s| {
                (s.family, s.table, s.draw, s.peer) == (family, FULL, Draw::Prefix, peer)
                    && s.mode
                        == Mode {
                            batch: false,
                            dependent,
                        }
            })
            .map(|s| 1000.0 / summary(&s.ns).median)
    };
    let mut all: Vec<Bar> = Vec::new();
    for s in &results.series {
        if s.family == family && s.kind != Kind::Nothing && !all.iter().any(|b| b.peer == s.peer) {
            if let (Some(dependent), Some(independent)) = (rate(s.peer, true), rate(s.peer, false))
            {
                all.push(Bar {
                    peer: s.peer,
                    dependent,
                    independent,
                });
            }
        }
    }
    all
}

/// Single lookups in the full tables, keys drawn per prefix.
pub fn chart(results: &Results, file: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (1000, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = "Full tables, per-prefix keys, single lookups: millions a second on one core";
    let root = root.titled(title, ("sans-serif", 20))?;
    for (area, family) in root.split_evenly((2, 1)).iter().zip(["v4", "v6"]) {
        let bars = bars(results, family);
        if bars.is_empty() {
            continue;
        }
        let most = bars
            .iter()
            .map(|b| b.dependent.max(b.independent))
            .fold(1.0, f64::max);
        let count = bars.len();
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(format!("IP{family}"), ("sans-serif", 18))
            .x_label_area_size(34)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..count as f64, 0.0..most * 1.15)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(6)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 13))
            .draw()?;
        let dependent = RGBColor(31, 90, 160);
        let independent = RGBColor(160, 190, 225);
        for (kind, color) in [("dependent", dependent), ("independent", independent)] {
            let right = kind == "independent";
            chart
                .draw_series(bars.iter().enumerate().map(|(i, bar)| {
                    let left = i as f64 + if right { 0.5 } else { 0.12 };
                    let value = if right {
                        bar.independent
                    } else {
                        bar.dependent
                    };
                    Rectangle::new([(left, 0.0), (left + 0.38, value)], color.filled())
                }))?
                .label(kind)
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled())
                });
            chart.draw_series(bars.iter().enumerate().map(|(i, bar)| {
                let value = if right {
                    bar.independent
                } else {
                    bar.dependent
                };
                let x = i as f64 + if right { 0.56 } else { 0.18 };
                Text::new(
                    format!("{value:.1}"),
                    (x, value + most * 0.055),
                    ("sans-serif", 12),
                )
            }))?;
        }
        chart.draw_series(bars.iter().enumerate().map(|(i, bar)| {
            EmptyElement::at((i as f64 + 0.12, 0.0))
                + Text::new(bar.peer.to_string(), (0, 8), ("sans-serif", 13))
        }))?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(BLACK)
            .label_font(("sans-serif", 13))
            .draw()?;
    }
    root.present()?;
    Ok(())
}
