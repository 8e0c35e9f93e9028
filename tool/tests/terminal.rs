// SPDX-License-Identifier: GPL-2.0

//! Colours on a terminal, which script(1) makes. It needs no altfib: "doctor" has something to say
//! without one, too.

use std::process::Command;
use std::process::Stdio;

const TOOL: &str = env!("CARGO_BIN_EXE_altfib");
const COLORED: &str = "\x1b[";

/// What is seen on a terminal. Whoever runs this may have asked for colours, or be a CI, which
/// gets them on any terminal.
fn seen(arguments: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new("script")
        .args(["-qec", &format!("{TOOL} {arguments}"), "/dev/null"])
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("CI")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("script, of util-linux, is missing");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn colours_on_a_terminal() {
    let text = seen("doctor", &[]);
    assert!(text.contains(COLORED), "{text}");
    assert!(text.contains("kernel"), "{text}");
}

#[test]
fn none_if_not_wanted() {
    for (arguments, environment) in [
        ("doctor", &[("NO_COLOR", "1")][..]),
        ("doctor", &[("TERM", "dumb")]),
        ("-c=never doctor", &[]),
        ("-j doctor", &[]),
    ] {
        let text = seen(arguments, environment);
        assert!(text.contains("kernel"), "{text}");
        assert!(
            !text.contains(COLORED),
            "{arguments} {environment:?}: {text}"
        );
    }
}

#[test]
fn none_into_a_pipe() {
    let output = Command::new(TOOL).arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("kernel") && !text.contains(COLORED), "{text}");
}

#[test]
fn a_line_says_what_to_do() {
    let output = Command::new(TOOL)
        .args(["-n", "no such", "stats"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with("altfib: there is no network namespace"),
        "{text}"
    );
}
