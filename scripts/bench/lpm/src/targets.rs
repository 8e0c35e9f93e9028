// SPDX-License-Identifier: GPL-2.0

//! What is wanted, from `targets.txt`, beside what was measured.

use std::collections::BTreeMap;

const FILE: &str = include_str!("../targets.txt");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    AtLeast,
    AtMost,
    Below,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    want: Want,
    value: f64,
    /// As it stands in the file.
    text: String,
    unit: String,
}

fn parse(file: &str) -> Vec<Target> {
    file.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, want, value, unit] = words[..] else {
                panic!("targets.txt: {line}");
            };
            Target {
                name: name.into(),
                want: match want {
                    ">=" => Want::AtLeast,
                    "<=" => Want::AtMost,
                    "<" => Want::Below,
                    _ => panic!("targets.txt: {line}"),
                },
                value: value.parse().expect("targets.txt: a number"),
                text: format!("{want} {value} {unit}"),
                unit: unit.into(),
            }
        })
        .collect()
}

pub fn read() -> Vec<Target> {
    parse(FILE)
}

impl Target {
    fn reached(&self, measured: f64) -> bool {
        match self.want {
            Want::AtLeast => measured >= self.value,
            Want::AtMost => measured <= self.value,
            Want::Below => measured < self.value,
        }
    }

    fn line(&self, measured: Option<f64>) -> String {
        let (measured, end) = match measured {
            Some(m) if self.reached(m) => (format!("{m:.3} {}", self.unit), "reached"),
            Some(m) => (format!("{m:.3} {}", self.unit), "missed"),
            None => ("nothing".into(), "missed (not measured)"),
        };
        format!(
            "target {}: wanted {}, measured {measured}, {end}",
            self.name, self.text
        )
    }
}

/// One line for each target.
///
/// # Panics
///
/// If something was measured for a target that is not in the file: a name is wrong.
pub fn lines(measured: &BTreeMap<String, f64>) -> Vec<String> {
    let targets = read();
    for name in measured.keys() {
        assert!(
            targets.iter().any(|target| target.name == *name),
            "no target is called {name}"
        );
    }
    targets
        .iter()
        .map(|target| target.line(measured.get(&target.name).copied()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_reached() {
        let targets = parse("# x\n\na >= 2.0 times\nb < 4 s\nc <= 7 B\n");
        let line = |i: usize, m| targets[i].line(m);
        assert_eq!(
            line(0, Some(2.0)),
            "target a: wanted >= 2.0 times, measured 2.000 times, reached"
        );
        assert!(line(0, Some(1.99)).ends_with(", missed"));
        assert!(line(0, Some(f64::NAN)).ends_with(", missed"));
        assert!(line(1, Some(4.0)).ends_with(", missed"));
        assert!(line(1, Some(3.9)).ends_with(", reached"));
        assert!(line(2, Some(7.0)).ends_with(", reached"));
        assert_eq!(
            line(2, None),
            "target c: wanted <= 7 B, measured nothing, missed (not measured)"
        );
    }

    #[test]
    fn the_file_is_well_formed() {
        let mut names: Vec<_> = read().into_iter().map(|target| target.name).collect();
        assert_eq!(names.len(), 23);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 23, "a name stands twice");
    }
}
