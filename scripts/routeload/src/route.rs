// SPDX-License-Identifier: GPL-2.0
//! Route messages, many to one send, without acknowledgements: the kernel
//! works them off before send() returns and answers only what failed.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail};
use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::table::Prefix;

/// A next hop with its device resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub gateway: Option<IpAddr>,
    pub ifindex: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub table: u32,
    pub metric: Option<u32>,
    pub protocol: u8,
    pub batch: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Add,
    Replace,
    Delete,
}

fn route_message(s: &Settings, prefix: Prefix, target: Option<Target>) -> RouteMessage {
    let mut m = RouteMessage::default();
    m.header.address_family = family(prefix.v6);
    m.header.destination_prefix_length = prefix.len;
    m.header.table = u8::try_from(s.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    m.header.protocol = RouteProtocol::from(s.protocol);
    m.header.kind = RouteType::Unicast;
    m.header.scope = match target {
        // IPv4 refuses a gateway in link scope, and a device in universe scope
        // would make later gateways inside it unreachable.
        Some(t) if t.gateway.is_none() && !prefix.v6 => RouteScope::Link,
        None if !prefix.v6 => RouteScope::NoWhere,
        _ => RouteScope::Universe,
    };
    let a = &mut m.attributes;
    if m.header.table == RouteHeader::RT_TABLE_UNSPEC {
        a.push(RouteAttribute::Table(s.table));
    }
    if prefix.len > 0 {
        a.push(RouteAttribute::Destination(prefix.network().into()));
    }
    if let Some(p) = s.metric {
        a.push(RouteAttribute::Priority(p));
    }
    if let Some(t) = target {
        if let Some(gw) = t.gateway {
            a.push(RouteAttribute::Gateway(gw.into()));
        }
        if let Some(i) = t.ifindex {
            a.push(RouteAttribute::Oif(i));
        }
    }
    m
}

fn family(v6: bool) -> AddressFamily {
    if v6 {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    }
}

/// Messages of one send, each aligned to four bytes.
#[derive(Default)]
pub struct Packer {
    buf: Vec<u8>,
    pub count: usize,
}

impl Packer {
    pub fn push(
        &mut self,
        s: &Settings,
        action: Action,
        prefix: Prefix,
        target: Option<Target>,
        seq: u32,
    ) {
        let (inner, flags) = match action {
            Action::Delete => (RouteNetlinkMessage::DelRoute as fn(_) -> _, 0),
            Action::Add => (
                RouteNetlinkMessage::NewRoute as fn(_) -> _,
                NLM_F_CREATE | NLM_F_EXCL,
            ),
            Action::Replace => (
                RouteNetlinkMessage::NewRoute as fn(_) -> _,
                NLM_F_CREATE | NLM_F_REPLACE,
            ),
        };
        // A route is deleted wherever it points now, whoever set it.
        let (target, protocol) = match action {
            Action::Delete => (None, 0),
            _ => (target, s.protocol),
        };
        let mut route = route_message(s, prefix, target);
        route.header.protocol = RouteProtocol::from(protocol);
        if action == Action::Delete {
            route.header.kind = RouteType::Unspec;
        }
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = seq;
        let mut m = NetlinkMessage::new(header, NetlinkPayload::from(inner(route)));
        m.finalize();
        let start = self.buf.len();
        self.buf
            .resize(start + m.buffer_len().next_multiple_of(4), 0);
        m.serialize(&mut self.buf[start..]);
        self.count += 1;
    }

    fn clear(&mut self) {
        self.buf.clear();
        self.count = 0;
    }
}

/// One kind of error that the kernel reported.
#[derive(Debug, Default)]
pub struct Failure {
    pub count: u64,
    /// The kernel's own explanation, if it gave one, and the first message's
    /// sequence number.
    pub text: Option<String>,
    pub first: u32,
}

#[derive(Debug, Default)]
pub struct Failures {
    pub by_errno: BTreeMap<i32, Failure>,
    /// Times that the receive queue overflowed: errors were lost then.
    pub overruns: u64,
}

impl Failures {
    pub fn total(&self) -> u64 {
        self.by_errno.values().map(|f| f.count).sum::<u64>() + self.overruns
    }

    fn note(&mut self, errno: i32, seq: u32, text: Option<String>) {
        let f = self.by_errno.entry(errno).or_insert_with(|| Failure {
            first: seq,
            ..Failure::default()
        });
        f.count += 1;
        if f.text.is_none() {
            f.text = text;
        }
    }

    /// Takes all messages of one datagram; only errors are expected.
    fn take(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let buf = NetlinkBuffer::new_checked(data)
                .map_err(|e| anyhow::anyhow!("the kernel's answer makes no sense: {e}"))?;
            let len = buf.length() as usize;
            if buf.message_type() == libc::NLMSG_ERROR as u16 {
                let (errno, seq) = (parse_errno(buf.payload())?, buf.sequence_number());
                if errno != 0 {
                    let text = match buf.flags() & NLM_F_ACK_TLVS {
                        0 => None,
                        _ => ext_ack_text(buf.payload()),
                    };
                    self.note(errno, seq, text);
                }
            }
            data = data.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Ok(())
    }
}

fn parse_errno(payload: &[u8]) -> Result<i32> {
    let code = payload
        .first_chunk()
        .context("the kernel sent a cut-off error")?;
    Ok(-i32::from_ne_bytes(*code))
}

/// The text behind an error whose request was cut off (NETLINK_CAP_ACK):
/// error code, header of the request, attributes.
fn ext_ack_text(payload: &[u8]) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    let mut rest = payload.get(4 + 16..)?;
    while let Some(head) = rest.first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & 0x3fff;
        let value = rest.get(4..len)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = value.split(|&b| b == 0).next()?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        rest = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

pub struct Session {
    socket: Socket,
    settings: Settings,
    packer: Packer,
    seq: u32,
    inbox: Vec<u8>,
    pub failures: Failures,
}

impl Session {
    pub fn new(settings: Settings) -> Result<Self> {
        let socket = open_socket()?;
        Ok(Session {
            socket,
            settings,
            packer: Packer::default(),
            seq: 0,
            inbox: Vec::with_capacity(1 << 16),
            failures: Failures::default(),
        })
    }

    /// Queues one message; its number in this session starts at 1 and stands
    /// in the errors.
    pub fn push(&mut self, action: Action, prefix: Prefix, target: Option<Target>) -> Result<()> {
        self.seq += 1;
        self.packer
            .push(&self.settings, action, prefix, target, self.seq);
        if self.packer.count >= self.settings.batch {
            self.flush()?;
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Result<()> {
        if self.packer.count == 0 {
            return Ok(());
        }
        loop {
            match self.socket.send(&self.packer.buf, 0) {
                Ok(n) if n == self.packer.buf.len() => break,
                Ok(n) => bail!(
                    "the kernel took only {n} bytes of {}",
                    self.packer.buf.len()
                ),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let kind = match e.raw_os_error() {
                        Some(libc::EMSGSIZE) => "; use a smaller --batch",
                        _ => "",
                    };
                    return Err(e).context(format!(
                        "cannot send {} routes to the kernel{kind}",
                        self.packer.count
                    ));
                }
            }
        }
        self.packer.clear();
        self.drain()
    }

    fn drain(&mut self) -> Result<()> {
        loop {
            self.inbox.clear();
            match self.socket.recv(&mut self.inbox, libc::MSG_DONTWAIT) {
                Ok(_) => self.failures.take(&self.inbox)?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => self.failures.overruns += 1,
                Err(e) => return Err(e).context("cannot read the kernel's answers"),
            }
        }
    }
}

fn open_socket() -> Result<Socket> {
    let open = || -> io::Result<Socket> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(socket)
    };
    let socket = open().context("cannot open a route netlink socket")?;
    // Room for one error to each message of a send. Without the right to
    // force it the kernel's limit applies, and overruns are counted.
    let size: libc::c_int = 8 << 20;
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: the option value is a c_int that outlives the call.
        let rc = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const size).cast(),
                size_of_val(&size) as libc::socklen_t,
            )
        };
        if rc == 0 {
            break;
        }
    }
    Ok(socket)
}

/// All unicast routes of one family in a table of the kernel, with their
/// first gateway. `protocol` 0 takes every protocol.
pub fn dump(s: &Settings, v6: bool) -> Result<Vec<(Prefix, Option<IpAddr>)>> {
    let socket = open_socket()?;
    // Only with strict checking does the kernel filter the dump by table.
    socket
        .set_netlink_get_strict_chk(true)
        .context("this kernel is too old")?;
    let mut request = RouteMessage::default();
    request.header.address_family = family(v6);
    request.header.protocol = RouteProtocol::from(s.protocol);
    request.attributes.push(RouteAttribute::Table(s.table));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = 1;
    let payload = NetlinkPayload::from(RouteNetlinkMessage::GetRoute(request));
    let mut m = NetlinkMessage::new(header, payload);
    m.finalize();
    let mut out = vec![0; m.buffer_len()];
    m.serialize(&mut out);
    socket
        .send(&out, 0)
        .context("cannot ask the kernel for its routes")?;

    let mut routes = Vec::new();
    let mut inbox = Vec::with_capacity(1 << 17);
    loop {
        inbox.clear();
        socket
            .recv(&mut inbox, 0)
            .context("cannot read the kernel's routes")?;
        let mut data = &inbox[..];
        while !data.is_empty() {
            let m = NetlinkMessage::<RouteNetlinkMessage>::deserialize(data)
                .map_err(|e| anyhow::anyhow!("cannot read the kernel's routes: {e}"))?;
            if m.header.flags & NLM_F_DUMP_INTR != 0 {
                bail!("routes changed while they were read: try again");
            }
            let len = m.header.length as usize;
            match m.payload {
                NetlinkPayload::Done(_) => return Ok(routes),
                // An empty table that does not exist yet.
                NetlinkPayload::Error(e) if e.raw_code() == -libc::ENOENT => return Ok(routes),
                NetlinkPayload::Error(e) => {
                    return Err(e.to_io()).context("the kernel's dump failed");
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(r)) => {
                    routes.extend(parse_route(&r)?);
                }
                _ => {}
            }
            data = data.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

fn parse_route(r: &RouteMessage) -> Result<Option<(Prefix, Option<IpAddr>)>> {
    if r.header.kind != RouteType::Unicast {
        return Ok(None);
    }
    let mut dst = match r.header.address_family {
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => IpAddr::from([0; 4]),
    };
    let mut gateway = None;
    let ip = |a: &RouteAddress| match a {
        RouteAddress::Inet(a) => Some(IpAddr::V4(*a)),
        RouteAddress::Inet6(a) => Some(IpAddr::V6(*a)),
        _ => None,
    };
    for a in &r.attributes {
        match a {
            RouteAttribute::Destination(a) => dst = ip(a).unwrap_or(dst),
            RouteAttribute::Gateway(a) => gateway = ip(a),
            _ => {}
        }
    }
    Ok(Some((
        Prefix::new(dst, r.header.destination_prefix_length)?,
        gateway,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::ErrorBuffer;

    fn settings() -> Settings {
        Settings {
            table: 254,
            metric: Some(20),
            protocol: 186,
            batch: 400,
        }
    }

    fn target() -> Option<Target> {
        Some(Target {
            gateway: Some("198.18.0.2".parse().unwrap()),
            ifindex: Some(7),
        })
    }

    #[test]
    fn packed_messages_parse_back() {
        let mut packer = Packer::default();
        let prefixes = ["1.0.0.0/24", "0.0.0.0/0", "192.0.2.0/25", "8.8.8.8/32"];
        for (i, p) in prefixes.iter().enumerate() {
            packer.push(
                &settings(),
                Action::Add,
                p.parse().unwrap(),
                target(),
                i as u32,
            );
        }
        assert_eq!(packer.count, 4);
        let mut data = &packer.buf[..];
        for (i, p) in prefixes.iter().enumerate() {
            let m = NetlinkMessage::<RouteNetlinkMessage>::deserialize(data).unwrap();
            assert_eq!(m.header.sequence_number, i as u32);
            assert_eq!(m.header.flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
            data = &data[m.header.length.next_multiple_of(4) as usize..];
            let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(r)) = m.payload else {
                panic!("not a NEWROUTE");
            };
            assert_eq!(r.header.table, 254);
            assert_eq!(u8::from(r.header.protocol), 186);
            assert!(r.attributes.contains(&RouteAttribute::Priority(20)));
            assert!(r.attributes.contains(&RouteAttribute::Oif(7)));
            let (prefix, gateway) = parse_route(&r).unwrap().unwrap();
            assert_eq!(&prefix.to_string(), p);
            assert_eq!(gateway, target().unwrap().gateway);
        }
        assert!(data.is_empty());
    }

    #[test]
    fn one_message_is_as_small_as_iproute2_makes_it() {
        let mut packer = Packer::default();
        packer.push(
            &settings(),
            Action::Add,
            "1.0.0.0/24".parse().unwrap(),
            target(),
            1,
        );
        // nlmsghdr 16, rtmsg 12, destination, priority, gateway, device 8 each
        assert_eq!(packer.buf.len(), 16 + 12 + 4 * 8);
        packer.clear();
        assert_eq!((packer.count, packer.buf.len()), (0, 0));
    }

    #[test]
    fn deletes_name_no_next_hop_and_big_tables_an_attribute() {
        let mut packer = Packer::default();
        let s = Settings {
            table: 1000,
            ..settings()
        };
        packer.push(
            &s,
            Action::Delete,
            "1.0.0.0/24".parse().unwrap(),
            target(),
            1,
        );
        let m = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&packer.buf).unwrap();
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(r)) = m.payload else {
            panic!("not a DELROUTE");
        };
        assert_eq!(r.header.table, 0);
        assert_eq!(u8::from(r.header.protocol), 0);
        assert_eq!(r.header.scope, RouteScope::NoWhere);
        assert!(r.attributes.contains(&RouteAttribute::Table(1000)));
        assert!(
            !r.attributes
                .iter()
                .any(|a| matches!(a, RouteAttribute::Gateway(_)))
        );
    }

    fn error_datagram(errno: i32, seq: u32, text: &str) -> Vec<u8> {
        let mut body = vec![0u8; 4 + 16];
        ErrorBuffer::new(&mut body[..]).set_code(-errno);
        let mut flags = 0;
        if !text.is_empty() {
            flags = NLM_F_ACK_TLVS;
            body.extend((text.len() as u16 + 5).to_ne_bytes());
            body.extend(1u16.to_ne_bytes());
            body.extend(text.bytes());
            body.push(0);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut out = vec![0u8; 16];
        let mut b = NetlinkBuffer::new(&mut out[..]);
        b.set_length(16 + body.len() as u32);
        b.set_message_type(libc::NLMSG_ERROR as u16);
        b.set_flags(flags);
        b.set_sequence_number(seq);
        out.extend(body);
        out
    }

    #[test]
    fn errors_are_counted_by_errno() {
        let mut f = Failures::default();
        f.take(&error_datagram(libc::EEXIST, 5, "")).unwrap();
        f.take(&error_datagram(libc::EEXIST, 6, "")).unwrap();
        let text = "Nexthop has invalid gateway";
        let mut both = error_datagram(libc::ENETUNREACH, 7, text);
        both.extend(error_datagram(0, 8, ""));
        f.take(&both).unwrap();
        assert_eq!(f.total(), 3);
        let e = &f.by_errno[&libc::EEXIST];
        assert_eq!((e.count, e.first, &e.text), (2, 5, &None));
        let e = &f.by_errno[&libc::ENETUNREACH];
        assert_eq!((e.count, e.first, e.text.as_deref()), (1, 7, Some(text)));
        assert!(f.take(&[1, 2, 3]).is_err());
    }
}
