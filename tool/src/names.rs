// SPDX-License-Identifier: GPL-2.0

//! Names of devices, tables and numbers, as ip takes and gives them.

use anyhow::anyhow;
use anyhow::Context as _;
use anyhow::Result;
use rustix::net::netdevice;
use rustix::net::AddressFamily;
use rustix::net::SocketType;
use std::collections::HashMap;
use std::fs;
use std::sync::OnceLock;

/// The name of a device of this namespace, or its number if it is gone.
pub fn device(index: u32) -> String {
    rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)
        .and_then(|fd| netdevice::index_to_name(fd, index))
        .unwrap_or_else(|_| format!("if{index}"))
}

/// The number of a device of this namespace.
pub fn device_index(name: &str) -> Result<u32> {
    let fd = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    netdevice::name_to_index(fd, name)
        .map_err(|_| anyhow!("there is no device \"{name}\" here: \"ip link\" lists them"))
}

/// What iproute2 reads.
const FILES: [&str; 2] = ["/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"];

fn tables() -> &'static HashMap<u32, String> {
    static TABLES: OnceLock<HashMap<u32, String>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let text = FILES.iter().find_map(|file| fs::read_to_string(file).ok());
        parse_tables(&text.unwrap_or_default())
    })
}

fn parse_tables(text: &str) -> HashMap<u32, String> {
    let mut all: HashMap<u32, String> = [(253, "default"), (254, "main"), (255, "local")]
        .map(|(id, name)| (id, name.into()))
        .into();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        if let (Some(Ok(id)), Some(name)) = (words.next().map(number), words.next()) {
            all.insert(id, name.to_string());
        }
    }
    all
}

pub fn table_name(id: u32) -> String {
    tables().get(&id).cloned().unwrap_or_else(|| id.to_string())
}

/// A table by its name or number.
pub fn table(word: &str) -> Result<u32> {
    if let Some((&id, _)) = tables().iter().find(|(_, name)| *name == word) {
        return Ok(id);
    }
    number(word).with_context(|| {
        format!(
            "\"{word}\" is no routing table: give a number, or a name from {}",
            FILES[0]
        )
    })
}

/// A number as C has it: decimal, or hexadecimal with "0x".
pub fn number(word: &str) -> Result<u32> {
    let parsed = match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => word.parse(),
    };
    parsed.with_context(|| format!("\"{word}\" is no number from 0 to 4294967295"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("254").unwrap(), 254);
        assert_eq!(number("0xff").unwrap(), 255);
        assert_eq!(number("4294967295").unwrap(), u32::MAX);
        for word in ["", "-1", "4294967296", "x", "0x", "1 "] {
            assert!(number(word).is_err(), "{word}");
        }
    }

    #[test]
    fn table_names() {
        let all = parse_tables("# comment\n100\tisp1 # the first\n0x20 hex\n\nbad line\n");
        assert_eq!(all[&100], "isp1");
        assert_eq!(all[&32], "hex");
        assert_eq!(all[&254], "main");
        assert_eq!(all.len(), 5);
    }
}
