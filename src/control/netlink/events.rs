// SPDX-License-Identifier: GPL-2.0

//! Events: what whoever listens to the group `events` hears.
//!
//! Of what has a state, the worker tells what it is now if that is not what was told last. So what
//! moves to and fro is told as often as somebody can follow, and the last word is always true. Of
//! mismatches, which have none, so many are told in a second; of the rest, how many they were.

use super::audit;
use super::stats::algorithm;
use super::IPV4;
use super::IPV6;
use crate::cache::Strategy;
use crate::control::settings::Mode;
use crate::control::settings::OutputMode;
use crate::lpm::Algorithm;
use crate::mirror::Why;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::netlink;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Message;
use crate::sys::packet::Answer;
use crate::sys::packet::Difference;
use crate::sys::packet6::Answer6;
use crate::sys::packet6::Difference6;
use crate::sys::time;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Mutex;

/// Events in one second.
const BURST: u32 = 64;
const SECOND_MS: u64 = 1000;

/// What was told last.
struct Told {
    mode: Mode,
    cache: Strategy,
    output: OutputMode,
    fastpath: bool,
    families: [Family; 2],
    /// Events since `since`, and mismatches that were not told.
    since: u64,
    sent: u32,
    missed: u32,
    /// A mismatch has switched the mode off, and the output.
    mode_blamed: bool,
    output_blamed: bool,
}

const BLAMED: &str = "altfib disagreed with the kernel";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Family {
    serving: bool,
    algorithm: Option<Algorithm>,
}

/// The events of one namespace.
#[pin_data]
pub(crate) struct Events {
    #[pin]
    told: Mutex<Told>,
}

impl Told {
    /// Whether one more event may be sent now.
    fn may_send(&mut self) -> bool {
        let now = time::now_ms();
        if now.wrapping_sub(self.since) >= SECOND_MS {
            self.since = now;
            self.sent = 0;
        }
        if self.sent >= BURST {
            return false;
        }
        self.sent = self.sent.saturating_add(1);
        true
    }

    /// Sends an event, if somebody listens. `false`: not now, there were too many.
    fn send(
        &mut self,
        net: &Net,
        command: u32,
        write: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> bool {
        if !netlink::has_listeners(net) {
            return true;
        }
        if !self.may_send() {
            return false;
        }
        let missed = core::mem::take(&mut self.missed);
        netlink::tell(net, command, |out| {
            write(out)?;
            if missed != 0 {
                out.u32(uapi::ALTFIB_A_EVENT_MISSED, missed)?;
            }
            Ok(())
        });
        true
    }

    /// That a setting is another one now.
    fn switched(
        &mut self,
        net: &Net,
        setting: &str,
        family: Option<u8>,
        value: &str,
        before: &str,
        reason: Option<&str>,
    ) -> bool {
        self.send(net, uapi::ALTFIB_CMD_SWITCHED, |out| {
            out.text(uapi::ALTFIB_A_EVENT_SETTING, setting)?;
            if let Some(family) = family {
                out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
            }
            out.text(uapi::ALTFIB_A_EVENT_VALUE, value)?;
            out.text(uapi::ALTFIB_A_EVENT_BEFORE, before)?;
            match reason {
                Some(reason) => out.text(uapi::ALTFIB_A_EVENT_REASON, reason),
                None => Ok(()),
            }
        })
    }

    /// What is new about a family.
    fn family(
        &mut self,
        net: &Net,
        at: usize,
        family: u8,
        why_not: Option<Why>,
        routes: usize,
        algorithm_now: Option<Algorithm>,
    ) -> bool {
        let Some(&told) = self.families.get(at) else {
            return true;
        };
        let mut now = told;
        let mut all = true;
        let serving = why_not.is_none();
        if serving != told.serving {
            let sent = match why_not {
                Some(why) => self.send(net, uapi::ALTFIB_CMD_OUT_OF_SYNC, |out| {
                    out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
                    out.text(uapi::ALTFIB_A_EVENT_REASON, why.text())
                }),
                None => self.send(net, uapi::ALTFIB_CMD_RESYNC, |out| {
                    out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
                    out.u32(
                        uapi::ALTFIB_A_EVENT_ROUTES,
                        routes.try_into().unwrap_or(u32::MAX),
                    )
                }),
            };
            if sent {
                now.serving = serving;
            }
            all &= sent;
        }
        // Without a mirror there is none, and the next one may have the same.
        if algorithm_now.is_some() && algorithm_now != told.algorithm {
            let setting = match family {
                IPV4 => "ipv4.algorithm",
                _ => "ipv6.algorithm",
            };
            let sent = self.switched(
                net,
                setting,
                Some(family),
                algorithm(algorithm_now),
                algorithm(told.algorithm),
                None,
            );
            if sent {
                now.algorithm = algorithm_now;
            }
            all &= sent;
        }
        if let Some(told) = self.families.get_mut(at) {
            *told = now;
        }
        all
    }
}

impl Events {
    /// Of a namespace that starts in this mode.
    pub(crate) fn new(mode: Mode) -> impl PinInit<Self> {
        pin_init!(Self {
            told <- new_mutex!(
                Told {
                    mode,
                    cache: Strategy::NextHop,
                    output: OutputMode::Off,
                    fastpath: false,
                    families: [Family::default(); 2],
                    since: 0,
                    sent: 0,
                    missed: 0,
                    mode_blamed: false,
                    output_blamed: false,
                },
                "altfib_told"
            ),
        })
    }

    /// Tells what is not as it was told last. `false`: not all of it, call again in a second.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn tell(&self, ns: &Namespace) -> bool {
        let mut told = self.told.lock();
        let net = ns.net();
        let mut all = true;
        let mode = ns.settings().mode();
        if mode != told.mode {
            let reason = (mode == Mode::Off && told.mode_blamed).then_some(BLAMED);
            let before = told.mode.name();
            if told.switched(net, "mode", None, mode.name(), before, reason) {
                told.mode = mode;
                told.mode_blamed = false;
            } else {
                all = false;
            }
        }
        let cache = ns.settings().cache();
        if cache != told.cache {
            let before = told.cache.name();
            if told.switched(net, "cache", None, cache.name(), before, None) {
                told.cache = cache;
            } else {
                all = false;
            }
        }
        let output = ns.settings().output();
        if output != told.output {
            let reason = (output == OutputMode::Off && told.output_blamed).then_some(BLAMED);
            let before = told.output.name();
            if told.switched(net, "output", None, output.name(), before, reason) {
                told.output = output;
                told.output_blamed = false;
            } else {
                all = false;
            }
        }
        let fastpath = ns.settings().fastpath();
        if fastpath != told.fastpath {
            let (now, before) = (switch(fastpath), switch(told.fastpath));
            if told.switched(net, "fastpath", None, now, before, None) {
                told.fastpath = fastpath;
            } else {
                all = false;
            }
        }
        let (mirror, side) = (ns.mirror(), ns.ipv6());
        all &= told.family(
            net,
            0,
            IPV4,
            ns.why_not(),
            mirror.prefixes(),
            mirror.algorithm(),
        );
        all &= told.family(
            net,
            1,
            IPV6,
            side.why_not(),
            side.mirror().prefixes(),
            side.mirror().algorithm(),
        );
        all
    }

    /// A mismatch is about to switch the mode off.
    pub(crate) fn blame_mismatch(&self) {
        self.told.lock().mode_blamed = true;
    }

    /// A mismatch is about to switch the output off.
    pub(crate) fn blame_mismatch_for_output(&self) {
        self.told.lock().output_blamed = true;
    }

    /// Tells of a mismatch.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn mismatch(&self, net: &Net, difference: &Difference) {
        self.one(net, |out| {
            let (dst, src) = difference.addresses();
            decision(out, uapi::altfib_decision_ALTFIB_DECISION_PACKET)?;
            head(out, IPV4, &dst, &src, difference.iif(), difference.mark())?;
            out.nest(uapi::ALTFIB_A_EVENT_ALTFIB, |out| {
                answer(out, difference.ours())
            })?;
            out.nest(uapi::ALTFIB_A_EVENT_KERNEL, |out| {
                answer(out, difference.kernels())
            })
        });
    }

    /// The same for IPv6.
    pub(crate) fn mismatch6(&self, net: &Net, difference: &Difference6) {
        self.one(net, |out| {
            let (dst, src) = difference.addresses();
            decision(out, uapi::altfib_decision_ALTFIB_DECISION_PACKET)?;
            head(
                out,
                IPV6,
                &dst.to_be_bytes(),
                &src.to_be_bytes(),
                difference.iif(),
                difference.mark(),
            )?;
            out.nest(uapi::ALTFIB_A_EVENT_ALTFIB, |out| {
                answer6(out, difference.ours())
            })?;
            out.nest(uapi::ALTFIB_A_EVENT_KERNEL, |out| {
                answer6(out, difference.kernels())
            })
        });
    }

    /// Tells that a lookup of the host's own in the main table has differed.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn wrong_lookup(&self, net: &Net, family: u8, dst: &[u8]) {
        self.one(net, |out| {
            decision(out, uapi::altfib_decision_ALTFIB_DECISION_LOOKUP)?;
            out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
            out.bytes(uapi::ALTFIB_A_EVENT_DST, dst)
        });
    }

    /// Tells that so many flows of the host's own have differed, if any.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn wrong_flows(&self, net: &Net, family: u8, count: u32) {
        if count != 0 {
            self.one(net, |out| {
                decision(out, uapi::altfib_decision_ALTFIB_DECISION_FLOW)?;
                out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
                out.u32(uapi::ALTFIB_A_EVENT_COUNT, count)
            });
        }
    }

    /// Tells that the last routes of so many sockets, of either family, have differed.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn wrong_sockets(&self, net: &Net, count: u32) {
        self.one(net, |out| {
            decision(out, uapi::altfib_decision_ALTFIB_DECISION_SOCKET)?;
            out.u32(uapi::ALTFIB_A_EVENT_COUNT, count)
        });
    }

    fn one(&self, net: &Net, write: impl FnOnce(&mut Message<'_>) -> Result) {
        let mut told = self.told.lock();
        if !told.send(net, uapi::ALTFIB_CMD_MISMATCH, write) {
            told.missed = told.missed.saturating_add(1);
        }
    }

    /// Tells that an audit has ended.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn audited(&self, ns: &Namespace) {
        if netlink::has_listeners(ns.net()) {
            netlink::tell(ns.net(), uapi::ALTFIB_CMD_AUDIT_NTF, |out| {
                audit::write_ended(ns, out)
            });
        }
    }
}

/// What a mismatch is about.
fn decision(out: &mut Message<'_>, decision: u32) -> Result {
    out.u32(uapi::ALTFIB_A_EVENT_DECISION, decision)
}

/// As a setting has it.
fn switch(on: bool) -> &'static str {
    if on {
        "1"
    } else {
        "0"
    }
}

fn head(
    out: &mut Message<'_>,
    family: u8,
    dst: &[u8],
    src: &[u8],
    iif: c_int,
    mark: u32,
) -> Result {
    out.u8(uapi::ALTFIB_A_EVENT_FAMILY, family)?;
    out.bytes(uapi::ALTFIB_A_EVENT_DST, dst)?;
    out.bytes(uapi::ALTFIB_A_EVENT_SRC, src)?;
    out.u32(uapi::ALTFIB_A_EVENT_IIF, iif.unsigned_abs())?;
    if mark != 0 {
        out.u32(uapi::ALTFIB_A_EVENT_MARK, mark)?;
    }
    Ok(())
}

fn answer(out: &mut Message<'_>, answer: Answer<'_>) -> Result {
    if answer.drop_reason() != 0 {
        return out.u32(uapi::ALTFIB_A_ANSWER_DROP_REASON, answer.drop_reason());
    }
    out.u8(uapi::ALTFIB_A_ANSWER_TYPE, answer.route_type())?;
    if answer.gateway() != [0; 4] {
        out.bytes(uapi::ALTFIB_A_ANSWER_GATEWAY, &answer.gateway())?;
    }
    out.u32(uapi::ALTFIB_A_ANSWER_OIF, answer.ifindex().unsigned_abs())
}

fn answer6(out: &mut Message<'_>, answer: Answer6<'_>) -> Result {
    if answer.error() != 0 {
        out.u32(uapi::ALTFIB_A_ANSWER_ERROR, answer.error().unsigned_abs())?;
    }
    if answer.gateway() != 0 {
        out.bytes(
            uapi::ALTFIB_A_ANSWER_GATEWAY,
            &answer.gateway().to_be_bytes(),
        )?;
    }
    out.u32(uapi::ALTFIB_A_ANSWER_OIF, answer.ifindex().unsigned_abs())
}
