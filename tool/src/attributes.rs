// SPDX-License-Identifier: GPL-2.0

//! Attributes of netlink messages, read and written.

use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use netlink_packet_core::DefaultNla;
use netlink_packet_core::Emitable as _;
use netlink_packet_core::NlasIterator;
use std::net::IpAddr;

/// What is read from a message's attributes, one at a time. Attributes that it does not know are of
/// a later altfib, and are passed over.
pub trait FromAttributes: Default {
    fn set(&mut self, kind: u16, value: Value<'_>) -> Result<()>;

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut all = Self::default();
        for nla in NlasIterator::new(bytes) {
            let nla = nla.context("altfib sent a message that is cut off")?;
            let kind = nla.kind();
            all.set(kind, Value(nla.value()))
                .with_context(|| format!("altfib sent attribute {kind} in an unknown form"))?;
        }
        Ok(all)
    }
}

/// The bytes of one attribute.
#[derive(Clone, Copy)]
pub struct Value<'a>(pub &'a [u8]);

impl Value<'_> {
    /// Any unsigned number: "uint" has 4 or 8 bytes.
    pub fn number(self) -> Result<u64> {
        Ok(match *self.0 {
            [a] => a.into(),
            [a, b] => u16::from_ne_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            _ => bail!("{} bytes are no number", self.0.len()),
        })
    }

    pub fn u32(self) -> Result<u32> {
        self.number()?.try_into().context("too large a number")
    }

    pub fn u8(self) -> Result<u8> {
        self.number()?.try_into().context("too large a number")
    }

    pub fn flag(self) -> Result<bool> {
        Ok(self.number()? != 0)
    }

    pub fn text(self) -> Result<String> {
        let bytes = self.0.strip_suffix(&[0]).unwrap_or(self.0);
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The length says of which family it is.
    pub fn address(self) -> Result<IpAddr> {
        if let Ok(bytes) = <[u8; 4]>::try_from(self.0) {
            return Ok(bytes.into());
        }
        match <[u8; 16]>::try_from(self.0) {
            Ok(bytes) => Ok(bytes.into()),
            Err(_) => bail!("{} bytes are no address", self.0.len()),
        }
    }

    pub fn nested<T: FromAttributes>(self) -> Result<T> {
        T::read(self.0)
    }
}

/// Attributes to be sent.
#[derive(Default)]
pub struct Writer(Vec<DefaultNla>);

impl Writer {
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.0.push(DefaultNla::new(kind, value.to_vec()));
    }

    pub fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    pub fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    pub fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(a) => self.bytes(kind, &a.octets()),
            IpAddr::V6(a) => self.bytes(kind, &a.octets()),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        let all = self.0.as_slice();
        let mut bytes = vec![0; all.buffer_len()];
        all.emit(&mut bytes);
        bytes
    }
}
