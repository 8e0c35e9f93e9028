// SPDX-License-Identifier: GPL-2.0
//! Sends a stream from a packet socket's transmit ring: one system call for
//! thousands of packets, and no route lookup on the sender's side.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use crate::stream::{Order, Pace, Plan, Sent, unix_time};

const FRAME: usize = 256;
const FRAMES: usize = 4096;
const BLOCK: usize = 1 << 16;
/// struct tpacket2_hdr, aligned to 16; the packet's bytes follow.
const HEAD: usize = 32;
const PACKET: usize = 60;
const PACKET6: usize = 62;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac([u8; 6]);

impl FromStr for Mac {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        let bytes: Option<Vec<u8>> = s
            .split(':')
            .map(|w| u8::from_str_radix(w, 16).ok())
            .collect();
        match bytes.and_then(|b| b.try_into().ok()) {
            Some(mac) => Ok(Mac(mac)),
            None => bail!("'{s}' is not a MAC address"),
        }
    }
}

/// An Ethernet frame with a UDP packet, without its destination address and
/// checksum, and the sum over the rest of the IP header.
fn template(to: Mac, source: Ipv4Addr, port: u16) -> ([u8; PACKET], u32) {
    let mut p = [0u8; PACKET];
    p[..6].copy_from_slice(&to.0);
    p[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    p[12] = 8;
    let length = (PACKET - 14) as u16;
    p[14] = 0x45;
    p[16..18].copy_from_slice(&length.to_be_bytes());
    p[22] = 32;
    p[23] = 17;
    p[26..30].copy_from_slice(&source.octets());
    p[34..36].copy_from_slice(&9u16.to_be_bytes());
    p[36..38].copy_from_slice(&port.to_be_bytes());
    p[38..40].copy_from_slice(&(length - 20).to_be_bytes());
    let sum = p[14..34]
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]))
        .sum();
    (p, sum)
}

/// The same for IPv6, whose header has no checksum. That of UDP is left out: routers do not look.
fn template6(to: Mac, source: Ipv6Addr, port: u16) -> [u8; PACKET6] {
    let mut p = [0u8; PACKET6];
    p[..6].copy_from_slice(&to.0);
    p[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    p[12..14].copy_from_slice(&0x86ddu16.to_be_bytes());
    p[14] = 0x60;
    p[18..20].copy_from_slice(&8u16.to_be_bytes());
    p[20] = 17;
    p[21] = 32;
    p[22..38].copy_from_slice(&source.octets());
    p[54..56].copy_from_slice(&9u16.to_be_bytes());
    p[56..58].copy_from_slice(&port.to_be_bytes());
    p[58..60].copy_from_slice(&8u16.to_be_bytes());
    p
}

/// Frames of one family.
enum Frames {
    V4([u8; PACKET], u32),
    V6([u8; PACKET6]),
}

impl Frames {
    /// Writes the frame for a destination into the ring.
    fn write(&mut self, ring: &mut Ring, frame: usize, to: IpAddr) -> Result<()> {
        match (self, to) {
            (Frames::V4(packet, partial), IpAddr::V4(to)) => {
                packet[30..34].copy_from_slice(&to.octets());
                packet[24..26].copy_from_slice(&checksum(*partial, to).to_be_bytes());
                ring.write(frame, packet);
            }
            (Frames::V6(packet), IpAddr::V6(to)) => {
                packet[38..54].copy_from_slice(&to.octets());
                ring.write(frame, packet);
            }
            _ => bail!("--source is not of the table's family"),
        }
        Ok(())
    }
}

fn checksum(partial: u32, to: Ipv4Addr) -> u16 {
    let mut sum = partial + (to.to_bits() >> 16) + (to.to_bits() & 0xffff);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

struct Ring {
    socket: OwnedFd,
    memory: *mut u8,
}

impl Ring {
    fn new(dev: &str, ethertype: u16) -> Result<Self> {
        let name = CString::new(dev)?;
        // SAFETY: plain system calls on a name and structures that outlive
        // them; the descriptor is owned from here on.
        unsafe {
            let index = libc::if_nametoindex(name.as_ptr());
            if index == 0 {
                bail!("there is no device {dev}");
            }
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error()).context("cannot open a packet socket");
            }
            let socket = OwnedFd::from_raw_fd(fd);
            let set = |option, value: *const libc::c_void, len: usize| -> Result<()> {
                match libc::setsockopt(fd, libc::SOL_PACKET, option, value, len as u32) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()).context("cannot set up a packet ring"),
                }
            };
            let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
            set(libc::PACKET_VERSION, (&raw const version).cast(), 4)?;
            let one: libc::c_int = 1;
            set(libc::PACKET_QDISC_BYPASS, (&raw const one).cast(), 4)?;
            let request = libc::tpacket_req {
                tp_block_size: BLOCK as u32,
                tp_block_nr: (FRAMES * FRAME / BLOCK) as u32,
                tp_frame_size: FRAME as u32,
                tp_frame_nr: FRAMES as u32,
            };
            set(
                libc::PACKET_TX_RING,
                (&raw const request).cast(),
                size_of_val(&request),
            )?;
            let memory = libc::mmap(
                std::ptr::null_mut(),
                FRAMES * FRAME,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                0,
            );
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error()).context("cannot map a packet ring");
            }
            let ring = Ring {
                socket,
                memory: memory.cast(),
            };
            let mut to: libc::sockaddr_ll = std::mem::zeroed();
            to.sll_family = libc::AF_PACKET as u16;
            to.sll_protocol = ethertype.to_be();
            to.sll_ifindex = index as i32;
            let len = size_of_val(&to) as u32;
            if libc::bind(fd, (&raw const to).cast(), len) != 0 {
                return Err(io::Error::last_os_error()).context(format!("cannot bind to {dev}"));
            }
            Ok(ring)
        }
    }

    fn status(&self, frame: usize) -> &AtomicU32 {
        // SAFETY: inside the mapping; tp_status is the frame's first word, and
        // the kernel changes it too, hence an atomic.
        unsafe { AtomicU32::from_ptr(self.memory.add(frame * FRAME).cast()) }
    }

    /// Writes a frame's length and packet; the kernel must not own the frame.
    fn write<const N: usize>(&mut self, frame: usize, packet: &[u8; N]) {
        const { assert!(HEAD + N <= FRAME) };
        // SAFETY: inside the mapping, since frame < FRAMES and
        // HEAD + N <= FRAME.
        unsafe {
            let at = self.memory.add(frame * FRAME);
            at.add(4).cast::<u32>().write(N as u32);
            at.add(HEAD).cast::<[u8; N]>().write(*packet);
        }
    }

    fn kick(&self) -> io::Result<()> {
        // SAFETY: a send without a buffer.
        match unsafe { libc::send(self.socket.as_raw_fd(), std::ptr::null(), 0, 0) } {
            n if n < 0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size.
        unsafe { libc::munmap(self.memory.cast(), FRAMES * FRAME) };
    }
}

pub fn send(plan: &Plan, dev: &str, to: Mac) -> Result<Sent> {
    let (mut frames, ethertype) = match plan.source {
        Some(IpAddr::V4(source)) => {
            let (packet, partial) = template(to, source, plan.port);
            (Frames::V4(packet, partial), 0x0800)
        }
        Some(IpAddr::V6(source)) => (Frames::V6(template6(to, source, plan.port)), 0x86dd),
        None => bail!("--inject needs a --source"),
    };
    let mut ring = Ring::new(dev, ethertype)?;
    let mut order = Order::new(plan.zipf, plan.destinations.len(), plan.seed);
    let pace = Pace::new(plan.rate);
    let batch = pace.batch(FRAMES / 2);
    let mut out = Sent {
        begin: unix_time(),
        packets: 0,
        errors: Default::default(),
        time: Default::default(),
    };
    let mut frame = 0;
    while out.packets < plan.count {
        let n = batch.min((plan.count - out.packets) as usize);
        for _ in 0..n {
            let to = plan.destinations[order.next(plan.destinations.len())];
            let mut waited = 0;
            while ring.status(frame).load(Ordering::Acquire) != libc::TP_STATUS_AVAILABLE {
                waited += 1;
                if waited > 1000 {
                    bail!("{dev} holds packets back: its ring did not empty");
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            frames.write(&mut ring, frame, to)?;
            ring.status(frame)
                .store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
            frame = (frame + 1) % FRAMES;
        }
        match ring.kick() {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).context(format!("cannot send through {dev}")),
        }
        out.packets += n as u64;
        pace.wait(out.packets);
    }
    out.time = pace.elapsed();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_parse() {
        assert_eq!(
            "02:00:00:00:00:ff".parse::<Mac>().unwrap(),
            Mac([2, 0, 0, 0, 0, 255])
        );
        for s in ["", "02:00", "02:00:00:00:00:fg", "1:2:3:4:5:6:7"] {
            assert!(s.parse::<Mac>().is_err(), "{s}");
        }
    }

    #[test]
    fn ip_headers_sum_to_all_ones() {
        let (mut p, partial) = template(Mac([2; 6]), "198.18.0.2".parse().unwrap(), 9);
        for to in ["1.2.3.4", "255.255.255.255", "0.0.0.0"] {
            let to: Ipv4Addr = to.parse().unwrap();
            p[30..34].copy_from_slice(&to.octets());
            p[24..26].copy_from_slice(&checksum(partial, to).to_be_bytes());
            let mut sum: u32 = p[14..34]
                .chunks(2)
                .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]))
                .sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            assert_eq!(sum, 0xffff);
        }
    }
}
