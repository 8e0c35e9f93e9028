// SPDX-License-Identifier: GPL-2.0

//! A generic netlink socket that speaks with altfib.

use crate::uapi;
use anyhow::anyhow;
use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use netlink_packet_core::DecodeError;
use netlink_packet_core::Emitable;
use netlink_packet_core::NetlinkBuffer;
use netlink_packet_core::NetlinkMessage;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_core::NlasIterator;
use netlink_packet_core::ParseableParametrized;
use netlink_packet_core::NLM_F_ACK;
use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::nlas::McastGrpAttrs;
use netlink_packet_generic::ctrl::GenlCtrl;
use netlink_packet_generic::ctrl::GenlCtrlCmd;
use netlink_packet_generic::GenlFamily;
use netlink_packet_generic::GenlHeader;
use netlink_packet_generic::GenlMessage;
use netlink_sys::constants::NETLINK_GENERIC;
use netlink_sys::Socket;
use netlink_sys::SocketAddr;
use rustix::io::Errno;
use std::fmt;
use std::io;

const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSG_ERROR: u16 = 2;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A message of altfib's: the command, and its attributes as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub command: u8,
    pub attributes: Vec<u8>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        uapi::ALTFIB_FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        uapi::ALTFIB_FAMILY_VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..self.attributes.len()].copy_from_slice(&self.attributes);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self {
            command: header.cmd,
            attributes: bytes.to_vec(),
        })
    }
}

/// The kernel's refusal.
#[derive(Debug)]
pub struct Refused {
    pub errno: Errno,
    /// What it says about it, if anything.
    pub text: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text, self.errno) {
            (Some(text), _) => f.write_str(text),
            (None, Errno::PERM) => f.write_str(
                "this needs CAP_NET_ADMIN over the network namespace: run it as root, or with sudo",
            ),
            (None, errno) => write!(f, "the kernel refused: {}", strerror(errno)),
        }
    }
}

impl std::error::Error for Refused {}

/// An error number in words, without its number.
pub fn strerror(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_string(),
        None => text,
    }
}

/// There is no altfib here.
#[derive(Debug)]
pub struct Absent;

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the altfib module is not loaded: load it (insmod altfib.ko), or ask \"altfib doctor\" what keeps it away",
        )
    }
}

impl std::error::Error for Absent {}

/// A socket of the network namespace in which it was opened.
pub struct Altfib {
    socket: Socket,
    family: u16,
    events: Option<u32>,
    sequence: u32,
    buffer: Vec<u8>,
    /// What of the last datagram has not been read.
    unread: std::ops::Range<usize>,
}

/// How a conversation went on.
enum Part<T> {
    Message(T, u16),
    End,
}

impl Altfib {
    pub fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC).context("no netlink socket could be had")?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        let mut this = Self {
            socket,
            family: 0,
            events: None,
            sequence: 0,
            buffer: Vec::with_capacity(1 << 17),
            unread: 0..0,
        };
        this.resolve()?;
        Ok(this)
    }

    /// Asks for the number of the family, and of its group.
    fn resolve(&mut self) -> Result<()> {
        let mut message = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(
                uapi::ALTFIB_FAMILY_NAME.to_string(),
            )],
        });
        message.finalize();
        self.send(NetlinkMessage::from(message), NLM_F_ACK)?;
        loop {
            let part = self
                .next::<GenlCtrl>()
                .map_err(|e| match e.downcast_ref::<Refused>() {
                    Some(refused) if refused.errno == Errno::NOENT => anyhow!(Absent),
                    _ => e,
                })?;
            let Part::Message(reply, _) = part else { break };
            for nla in reply.payload.nlas {
                match nla {
                    GenlCtrlAttrs::FamilyId(id) => self.family = id,
                    GenlCtrlAttrs::McastGroups(groups) => self.events = events_of(&groups),
                    _ => {}
                }
            }
        }
        if self.family == 0 {
            bail!(Absent);
        }
        Ok(())
    }

    fn send<F>(&mut self, mut message: NetlinkMessage<GenlMessage<F>>, flags: u16) -> Result<()>
    where
        F: GenlFamily + Emitable + fmt::Debug,
    {
        self.sequence += 1;
        self.unread = 0..0;
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket
            .send(&bytes, 0)
            .context("nothing could be sent")?;
        Ok(())
    }

    fn ask(&mut self, command: u8, attributes: Vec<u8>, flags: u16) -> Result<()> {
        let mut message = GenlMessage::from_payload(Message {
            command,
            attributes,
        });
        message.set_resolved_family_id(self.family);
        self.send(NetlinkMessage::from(message), flags)
    }

    /// The next part of the answer to what was sent last.
    fn next<F>(&mut self) -> Result<Part<GenlMessage<F>>>
    where
        F: ParseableParametrized<[u8], GenlHeader> + fmt::Debug,
    {
        loop {
            let (sequence, flags, payload) = self.receive::<F>()?;
            // Something of a conversation before, or an event.
            if sequence != self.sequence {
                continue;
            }
            match payload {
                NetlinkPayload::InnerMessage(message) => return Ok(Part::Message(message, flags)),
                NetlinkPayload::Error(_) => return Ok(Part::End),
                NetlinkPayload::Done(done) if done.code < 0 => bail!(Refused {
                    errno: Errno::from_raw_os_error(-done.code),
                    text: None,
                }),
                NetlinkPayload::Done(_) => return Ok(Part::End),
                _ => {}
            }
        }
    }

    /// The next message, whatever it belongs to; an error if it is one.
    fn receive<F>(&mut self) -> Result<(u32, u16, NetlinkPayload<GenlMessage<F>>)>
    where
        F: ParseableParametrized<[u8], GenlHeader> + fmt::Debug,
    {
        if self.unread.is_empty() {
            self.buffer.clear();
            let len = loop {
                match self.socket.recv(&mut self.buffer, 0) {
                    Ok(len) => break len,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e).context("nothing could be received"),
                }
            };
            self.unread = 0..len;
        }
        let rest = &self.buffer[self.unread.clone()];
        let (len, sequence, flags, payload) = message(rest)?;
        self.unread.start = (self.unread.start + len.next_multiple_of(4)).min(self.unread.end);
        Ok((sequence, flags, payload))
    }

    /// A question with one answer, or none.
    pub fn do_one(&mut self, command: u8, attributes: Vec<u8>) -> Result<Option<Message>> {
        self.ask(command, attributes, NLM_F_ACK)?;
        let mut answer = None;
        while let Part::Message(message, _) = self.next::<Message>()? {
            answer = Some(message.payload);
        }
        Ok(answer)
    }

    /// A question with many answers. Returns whether what they tell of changed meanwhile.
    pub fn dump(
        &mut self,
        command: u8,
        attributes: Vec<u8>,
        mut each: impl FnMut(Message) -> Result<()>,
    ) -> Result<bool> {
        self.ask(command, attributes, NLM_F_DUMP)?;
        let mut changed = false;
        while let Part::Message(message, flags) = self.next::<Message>()? {
            changed |= flags & NLM_F_DUMP_INTR != 0;
            each(message.payload)?;
        }
        Ok(changed)
    }

    /// From now on this socket hears events.
    pub fn listen(&mut self) -> Result<()> {
        let group = self
            .events
            .ok_or_else(|| anyhow!("this altfib tells no events: it is older than this program"))?;
        self.socket.add_membership(group)?;
        Ok(())
    }

    /// The next event. `None`: some were lost, since they came faster than they were read.
    pub fn event(&mut self) -> Result<Option<Message>> {
        loop {
            match self.receive::<Message>() {
                Ok((_, _, NetlinkPayload::InnerMessage(message))) => {
                    return Ok(Some(message.payload))
                }
                Ok(_) => {}
                Err(e) => match e.downcast_ref::<io::Error>() {
                    Some(e) if e.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                        return Ok(None)
                    }
                    _ => return Err(e),
                },
            }
        }
    }
}

fn events_of(groups: &[Vec<McastGrpAttrs>]) -> Option<u32> {
    groups.iter().find_map(|group| {
        let mut id = None;
        let mut named = false;
        for nla in group {
            match nla {
                McastGrpAttrs::Name(name) => named = name == uapi::ALTFIB_MCGRP_EVENTS,
                McastGrpAttrs::Id(n) => id = Some(*n),
            }
        }
        id.filter(|_| named)
    })
}

/// The first message in these bytes: its length, sequence number, flags and content.
fn message<F>(bytes: &[u8]) -> Result<(usize, u32, u16, NetlinkPayload<GenlMessage<F>>)>
where
    F: ParseableParametrized<[u8], GenlHeader> + fmt::Debug,
{
    let malformed = "the kernel sent a message that is cut off";
    let buffer = NetlinkBuffer::new_checked(&bytes).context(malformed)?;
    let len = buffer.length() as usize;
    if buffer.message_type() == NLMSG_ERROR {
        // The error number, and the header of what was asked; then attributes.
        let payload = buffer.payload();
        let code = payload.first_chunk::<4>().context(malformed)?;
        let code = i32::from_ne_bytes(*code);
        if code != 0 {
            let text = (buffer.flags() & NLM_F_ACK_TLVS != 0)
                .then(|| payload.get(20..).and_then(explanation))
                .flatten();
            bail!(Refused {
                errno: Errno::from_raw_os_error(-code),
                text,
            });
        }
    }
    let message = NetlinkMessage::<GenlMessage<F>>::deserialize(bytes).context(malformed)?;
    Ok((
        len,
        message.header.sequence_number,
        message.header.flags,
        message.payload,
    ))
}

/// The kernel's words in an error's attributes.
fn explanation(attributes: &[u8]) -> Option<String> {
    NlasIterator::new(attributes)
        .filter_map(|nla| nla.ok())
        .find(|nla| nla.kind() == NLMSGERR_ATTR_MSG)
        .and_then(|nla| crate::attributes::Value(nla.value()).text().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error as the kernel sends one: EINVAL, capped, with these attributes.
    fn error(attributes: &[u8]) -> Vec<u8> {
        let len = 36 + attributes.len() as u32;
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(NLMSG_ERROR.to_ne_bytes());
        bytes.extend((0x100 | NLM_F_ACK_TLVS).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend((-22i32).to_ne_bytes());
        bytes.extend([0; 16]);
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn kernels_words_are_told() {
        let mut attributes = vec![12, 0, 1, 0];
        attributes.extend(b"nothing\0");
        let refused = message::<Message>(&error(&attributes)).unwrap_err();
        let refused = refused.downcast_ref::<Refused>().unwrap();
        assert_eq!(refused.errno, Errno::INVAL);
        assert_eq!(refused.to_string(), "nothing");
    }

    #[test]
    fn without_words_the_number_is_told() {
        let refused = message::<Message>(&error(&[])).unwrap_err();
        assert_eq!(refused.to_string(), "the kernel refused: Invalid argument");
    }

    #[test]
    fn cut_off() {
        for len in 0..36 {
            assert!(message::<Message>(&error(&[])[..len]).is_err(), "{len}");
        }
    }
}
