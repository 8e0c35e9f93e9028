// SPDX-License-Identifier: GPL-2.0
//! UDP streams to many destinations of a table, and the sink that counts them.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::nexthop::mix;
use crate::table::Entry;

const MAGIC: [u8; 8] = *b"altfib\0\x01";
const PAYLOAD: usize = 32;

/// splitmix64 as a generator.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(mix(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// `count` addresses drawn evenly over the prefixes (not over the address
/// space): each prefix once, in random order, before any comes again.
pub fn destinations(entries: &[Entry], count: usize, seed: u64) -> Vec<IpAddr> {
    let mut random = Random::new(seed);
    let mut order: Vec<u32> = (0..entries.len() as u32).collect();
    let mut out = Vec::with_capacity(count);
    while out.len() < count {
        let take = order.len().min(count - out.len());
        for i in 0..take {
            let j = i + random.below(order.len() - i);
            order.swap(i, j);
            let host = u128::from(random.next()) << 64 | u128::from(random.next());
            out.push(entries[order[i] as usize].prefix.address(host));
        }
    }
    out
}

/// The order in which destinations are sent to: in turn, or by a Zipf law.
pub enum Order {
    Turn(usize),
    Zipf {
        cumulative: Vec<f64>,
        random: Random,
    },
}

impl Order {
    pub fn new(zipf: Option<f64>, count: usize, seed: u64) -> Self {
        let Some(s) = zipf else {
            return Order::Turn(0);
        };
        let mut sum = 0.0;
        let cumulative = (1..=count)
            .map(|k| {
                sum += (k as f64).powf(-s);
                sum
            })
            .collect();
        Order::Zipf {
            cumulative,
            random: Random::new(!seed),
        }
    }

    pub fn next(&mut self, count: usize) -> usize {
        match self {
            Order::Turn(i) => {
                let now = *i;
                *i = if now + 1 == count { 0 } else { now + 1 };
                now
            }
            Order::Zipf { cumulative, random } => {
                let x = random.next() as f64 / u64::MAX as f64 * cumulative[count - 1];
                cumulative.partition_point(|&c| c < x).min(count - 1)
            }
        }
    }
}

/// Holds a sender to a rate by sleeping between batches.
pub struct Pace {
    start: Instant,
    rate: Option<u64>,
}

impl Pace {
    pub fn new(rate: Option<u64>) -> Self {
        Pace {
            start: Instant::now(),
            rate,
        }
    }

    /// Batch that keeps the stream smooth: at most about 5 ms of packets.
    pub fn batch(&self, most: usize) -> usize {
        match self.rate {
            Some(r) => ((r / 200) as usize).clamp(1, most),
            None => most,
        }
    }

    pub fn wait(&self, sent: u64) {
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            if let Some(ahead) = due.checked_sub(self.start.elapsed()) {
                sleep(ahead);
            }
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

pub struct Sent {
    /// Unix time of the first packet.
    pub begin: Duration,
    pub packets: u64,
    pub errors: BTreeMap<i32, u64>,
    pub time: Duration,
}

pub fn unix_time() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

pub struct Plan {
    pub destinations: Vec<IpAddr>,
    pub count: u64,
    pub port: u16,
    pub source: Option<IpAddr>,
    pub rate: Option<u64>,
    pub batch: usize,
    pub zipf: Option<f64>,
    pub seed: u64,
}

fn payload(seq: u64, to: IpAddr) -> [u8; PAYLOAD] {
    let mut p = [0; PAYLOAD];
    let to = match to {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    };
    p[..8].copy_from_slice(&MAGIC);
    p[8..16].copy_from_slice(&seq.to_be_bytes());
    p[16..].copy_from_slice(&to.octets());
    p
}

fn parse_payload(p: &[u8]) -> Option<(u64, IpAddr)> {
    let p: &[u8; PAYLOAD] = p.try_into().ok()?;
    if p[..8] != MAGIC {
        return None;
    }
    let seq = u64::from_be_bytes(p[8..16].try_into().ok()?);
    let to: [u8; 16] = p[16..].try_into().ok()?;
    Some((seq, IpAddr::from(to).to_canonical()))
}

fn raw_address(a: IpAddr, port: u16) -> libc::sockaddr_storage {
    // SAFETY: all-zero bytes are a valid sockaddr_storage.
    let mut s: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let at = &raw mut s;
    // SAFETY: sockaddr_storage is large enough and aligned for both kinds.
    unsafe {
        match a {
            IpAddr::V4(a) => {
                let s = &mut *at.cast::<libc::sockaddr_in>();
                s.sin_family = libc::AF_INET as u16;
                s.sin_port = port.to_be();
                s.sin_addr.s_addr = u32::from_ne_bytes(a.octets());
            }
            IpAddr::V6(a) => {
                let s = &mut *at.cast::<libc::sockaddr_in6>();
                s.sin6_family = libc::AF_INET6 as u16;
                s.sin6_port = port.to_be();
                s.sin6_addr.s6_addr = a.octets();
            }
        }
    }
    s
}

/// Sends the planned packets with sendmmsg from one UDP socket.
pub fn send(plan: &Plan) -> Result<Sent> {
    let v6 = plan.destinations[0].is_ipv6();
    if plan.destinations.iter().any(|a| a.is_ipv6() != v6) {
        bail!("the table mixes IPv4 and IPv6: stream over one of them at a time");
    }
    let any: IpAddr = match v6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    };
    let from = plan.source.unwrap_or(any);
    let socket = UdpSocket::bind(SocketAddr::new(from, 0))
        .with_context(|| format!("cannot send from {from}"))?;

    let mut order = Order::new(plan.zipf, plan.destinations.len(), plan.seed);
    let pace = Pace::new(plan.rate);
    let batch = pace.batch(plan.batch);
    let mut out = Sent {
        begin: unix_time(),
        packets: 0,
        errors: BTreeMap::new(),
        time: Duration::ZERO,
    };
    let mut queued = 0u64;
    let mut data = vec![[0u8; PAYLOAD]; batch];
    let mut names = vec![raw_address(any, 0); batch];
    while queued < plan.count {
        let n = batch.min((plan.count - queued) as usize);
        for i in 0..n {
            let to = plan.destinations[order.next(plan.destinations.len())];
            names[i] = raw_address(to, plan.port);
            data[i] = payload(queued + i as u64, to);
        }
        send_batch(&socket, &mut names[..n], &mut data[..n], &mut out)?;
        queued += n as u64;
        pace.wait(queued);
    }
    out.time = pace.elapsed();
    Ok(out)
}

fn send_batch(
    socket: &UdpSocket,
    names: &mut [libc::sockaddr_storage],
    data: &mut [[u8; PAYLOAD]],
    out: &mut Sent,
) -> Result<()> {
    let name_len = match names.first().map(|n| i32::from(n.ss_family)) {
        Some(libc::AF_INET6) => size_of::<libc::sockaddr_in6>(),
        _ => size_of::<libc::sockaddr_in>(),
    };
    let mut vectors: Vec<libc::iovec> = data
        .iter_mut()
        .map(|d| libc::iovec {
            iov_base: d.as_mut_ptr().cast(),
            iov_len: PAYLOAD,
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = names
        .iter_mut()
        .zip(&mut vectors)
        .map(|(name, vector)| {
            // SAFETY: all-zero bytes are a valid mmsghdr.
            let mut m: libc::mmsghdr = unsafe { std::mem::zeroed() };
            m.msg_hdr.msg_name = (&raw mut *name).cast();
            m.msg_hdr.msg_namelen = name_len as u32;
            m.msg_hdr.msg_iov = vector;
            m.msg_hdr.msg_iovlen = 1;
            m
        })
        .collect();
    let mut at = 0;
    while at < messages.len() {
        let rest = &mut messages[at..];
        // SAFETY: each header points to a name and a vector that live in this
        // function, and the count is that of the slice.
        let n =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
        if n >= 0 {
            at += n as usize;
            out.packets += n as u64;
            continue;
        }
        // The error belongs to the first message: count it and go on behind it.
        match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => {}
            e => {
                let errno = e.raw_os_error().context("sendmmsg failed")?;
                *out.errors.entry(errno).or_default() += 1;
                at += 1;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
pub struct Received {
    pub packets: u64,
    pub destinations: usize,
    /// Packets that arrived under another address than they were sent to.
    pub misdirected: u64,
    pub foreign: u64,
    pub by_interface: BTreeMap<u32, u64>,
    /// Longest time without a packet between the first and the last one.
    pub silence: Duration,
    pub time: Duration,
    /// Packets that the kernel dropped since this socket was too slow.
    pub overflow: u64,
}

pub struct SinkPlan {
    pub address: IpAddr,
    pub port: u16,
    pub first: Duration,
    pub idle: Duration,
    pub expect: Option<u64>,
}

/// Room for an IP_PKTINFO or IPV6_PKTINFO and an SO_RXQ_OVFL control message.
const CONTROL: usize = 64;
const SINK_BATCH: usize = 256;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

fn set_option(socket: &UdpSocket, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option value is a c_int that outlives the call.
    let rc = unsafe {
        let len = size_of::<libc::c_int>() as u32;
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            len,
        )
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Binds, tells that it is ready, and counts until nothing comes any more.
pub fn sink(plan: &SinkPlan, ready: impl FnOnce()) -> Result<Received> {
    let socket = UdpSocket::bind((plan.address, plan.port))
        .with_context(|| format!("cannot listen on {} port {}", plan.address, plan.port))?;
    if plan.address.is_ipv6() {
        set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    } else {
        set_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    }
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    // Best effort: what does not fit is counted as overflow.
    if set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 64 << 20).is_err() {
        let _ = set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, 8 << 20);
    }
    ready();

    let mut r = Received::default();
    let mut seen = HashSet::new();
    let (mut first, mut last): (Option<Instant>, _) = (None, Instant::now());
    loop {
        let patience = if first.is_some() {
            plan.idle
        } else {
            plan.first
        };
        let waited = last.elapsed();
        if waited >= patience || plan.expect.is_some_and(|n| r.packets >= n) {
            break;
        }
        let n = receive_batch(&socket, patience - waited, |data, control| {
            note(&mut r, &mut seen, data, control);
        })?;
        if n > 0 {
            let now = Instant::now();
            match first {
                Some(_) => r.silence = r.silence.max(now - last),
                None => first = Some(now),
            }
            last = now;
        }
    }
    r.time = first.map_or(Duration::ZERO, |f| last - f);
    r.destinations = seen.len();
    Ok(r)
}

fn receive_batch(
    socket: &UdpSocket,
    patience: Duration,
    mut each: impl FnMut(&[u8], &libc::msghdr),
) -> Result<usize> {
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, which outlives the call.
    if unsafe { libc::poll(&raw mut poll, 1, patience.as_millis().max(1) as i32) } <= 0 {
        return Ok(0);
    }
    let mut data = [[0u8; 2 * PAYLOAD]; SINK_BATCH];
    let mut controls = [Control([0; CONTROL]); SINK_BATCH];
    let mut vectors: Vec<libc::iovec> = data
        .iter_mut()
        .map(|d| libc::iovec {
            iov_base: d.as_mut_ptr().cast(),
            iov_len: d.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = controls
        .iter_mut()
        .zip(&mut vectors)
        .map(|(control, vector)| {
            // SAFETY: all-zero bytes are a valid mmsghdr.
            let mut m: libc::mmsghdr = unsafe { std::mem::zeroed() };
            m.msg_hdr.msg_iov = vector;
            m.msg_hdr.msg_iovlen = 1;
            m.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            m.msg_hdr.msg_controllen = CONTROL;
            m
        })
        .collect();
    // SAFETY: the headers point to buffers of this function, with their sizes.
    let n = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            SINK_BATCH as u32,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    if n < 0 {
        return match io::Error::last_os_error() {
            e if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
            {
                Ok(0)
            }
            e => Err(e).context("cannot receive"),
        };
    }
    for (m, d) in messages.iter().zip(&data).take(n as usize) {
        each(&d[..m.msg_len as usize], &m.msg_hdr);
    }
    Ok(n as usize)
}

fn note(r: &mut Received, seen: &mut HashSet<IpAddr>, data: &[u8], header: &libc::msghdr) {
    let Some((_, sent_to)) = parse_payload(data) else {
        r.foreign += 1;
        return;
    };
    r.packets += 1;
    // SAFETY: the kernel filled the control buffer and its length; the CMSG
    // functions stay inside them, and the data is read unaligned.
    unsafe {
        let mut c = libc::CMSG_FIRSTHDR(header);
        while !c.is_null() {
            let body = libc::CMSG_DATA(c);
            match ((*c).cmsg_level, (*c).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = std::ptr::read_unaligned(body.cast());
                    let to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
                    *r.by_interface.entry(info.ipi_ifindex as u32).or_default() += 1;
                    r.misdirected += u64::from(to != sent_to);
                    seen.insert(to);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = std::ptr::read_unaligned(body.cast());
                    let to = Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
                    *r.by_interface.entry(info.ipi6_ifindex as u32).or_default() += 1;
                    r.misdirected += u64::from(to != sent_to);
                    seen.insert(to);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    r.overflow = u64::from(std::ptr::read_unaligned(body.cast::<u32>()));
                }
                _ => {}
            }
            c = libc::CMSG_NXTHDR(header, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::parse_line;

    fn table(n: u32) -> Vec<Entry> {
        let line = |i| format!("1.{}.{}.0/24", i / 256, i % 256);
        (0..n)
            .map(|i| parse_line(&line(i)).unwrap().unwrap())
            .collect()
    }

    #[test]
    fn each_prefix_is_drawn_before_any_comes_again() {
        let t = table(500);
        let d = destinations(&t, 1250, 1);
        assert_eq!(d.len(), 1250);
        let prefixes = |part: &[IpAddr]| {
            part.iter()
                .map(|&a| crate::table::Prefix::new(a, 32).unwrap().truncate(24))
                .collect::<HashSet<_>>()
                .len()
        };
        assert_eq!(prefixes(&d[..500]), 500);
        assert_eq!(prefixes(&d[500..1000]), 500);
        assert_eq!(prefixes(&d[1000..]), 250);
        assert_eq!(d, destinations(&t, 1250, 1));
        assert_ne!(d, destinations(&t, 1250, 2));
    }

    #[test]
    fn orders() {
        let mut turn = Order::new(None, 3, 0);
        assert_eq!([0; 5].map(|_| turn.next(3)), [0, 1, 2, 0, 1]);
        let mut zipf = Order::new(Some(1.0), 1000, 7);
        let mut hits = [0u32; 1000];
        for _ in 0..100_000 {
            hits[zipf.next(1000)] += 1;
        }
        // 1 / H(1000) = 13.4 %
        assert!((12_900..13_900).contains(&hits[0]), "{}", hits[0]);
        assert!(hits[0] > hits[1] && hits[1] > hits[9]);
    }

    #[test]
    fn payloads_parse_back() {
        for to in ["1.2.3.4", "2001:db8::1"] {
            let to = to.parse().unwrap();
            assert_eq!(parse_payload(&payload(77, to)), Some((77, to)));
        }
        assert_eq!(parse_payload(&[0; PAYLOAD]), None);
        assert_eq!(parse_payload(&MAGIC), None);
    }

    #[test]
    fn a_stream_reaches_its_sink() {
        let plan = SinkPlan {
            address: "127.0.0.1".parse().unwrap(),
            port: 39_127,
            first: Duration::from_secs(10),
            idle: Duration::from_secs(2),
            expect: Some(1000),
        };
        let (tx, rx) = std::sync::mpsc::channel();
        let sink = std::thread::spawn(move || sink(&plan, || tx.send(()).unwrap()));
        rx.recv().unwrap();
        let sent = send(&Plan {
            destinations: vec!["127.0.0.1".parse().unwrap()],
            count: 1000,
            port: 39_127,
            source: None,
            rate: Some(100_000),
            batch: 64,
            zipf: None,
            seed: 1,
        })
        .unwrap();
        let r = sink.join().unwrap().unwrap();
        assert_eq!((sent.packets, sent.errors.len()), (1000, 0));
        assert_eq!((r.packets, r.destinations, r.misdirected), (1000, 1, 0));
    }
}
