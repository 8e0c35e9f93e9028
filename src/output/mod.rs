// SPDX-License-Identifier: GPL-2.0

//! The host's own lookups (`net.altfib.output`).
//!
//! A packet that the host sends, an ICMP error, a tunnel's outer header, source validation, `ip route
//! get`: all of them walk the kernel's tables in `fib_table_lookup()` or `fib6_node_lookup()`. While
//! a namespace wants it, these find the prefix in altfib's table, and everything else about such a
//! lookup stays the kernel's: which rule, which of a prefix's routes, which path, which source
//! address (`output=lookup`).
//!
//! Before that, an unconnected socket that sends to where it has just sent to has its last route
//! again (`output=socket`). With a cache of flows (`net.altfib.cache`), with either, whoever sends has
//! the route of his flow. See helpers_sockets.c.

use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::control::mismatches::Colons;
use crate::control::netlink::IPV4;
use crate::control::netlink::IPV6;
use crate::mirror::ipv6::Match;
use crate::netns::Namespace;
use crate::sys::compat;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::flow::Flows;
use crate::sys::leaf::Leaf;
use crate::sys::rcu::ReadSide;
use crate::sys::redirect::redirect_owner;
use crate::sys::redirect::Answer;
use crate::sys::redirect::Armed;
use crate::sys::redirect::Redirect;
use crate::sys::redirect::Site;
use crate::sys::redirect::Sockets;
use crate::sys::route6;
use crate::sys::route6::Route6;
use crate::sys::rtnl::Rtnl;
use crate::sys::time;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use kernel::prelude::*;

/// Looks at an IPv6 difference while routes keep changing, and the pause before each.
const TRIES: u32 = 8;
const PAUSE_MS: i64 = 5;

redirect_owner!(Namespace);

impl Answer for Namespace {
    #[inline]
    fn leaf<'a>(&'a self, addr: u32, rcu: ReadSide<'a>) -> Option<&'a Leaf> {
        self.mirror().serving(rcu)?.leaf(addr)
    }

    #[inline]
    fn route6<'a>(&'a self, addr: u128, rcu: ReadSide<'a>) -> Option<&'a Route6> {
        match self.ipv6().mirror().serving(rcu)?.lookup_main(addr) {
            Match::Route(route) => Some(route),
            _ => None,
        }
    }

    #[inline]
    fn flows<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a Flows<Ipv4>> {
        self.ipv4().cache().flows(rcu)
    }

    #[inline]
    fn flows6<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a Flows<Ipv6>> {
        self.ipv6().cache().flows(rcu)
    }

    fn differs(&self) {
        self.output().suspect();
        self.look_again();
    }
}

/// The main tables of a namespace, as far as altfib answers for them.
#[pin_data]
pub(crate) struct Output {
    #[pin]
    ipv4: Redirect<Namespace>,
    #[pin]
    ipv6: Redirect<Namespace>,
    /// An answer differed, and was not looked at again yet.
    suspect: AtomicBool,
}

/// What was started, which ends with this.
pub(crate) struct Started {
    sockets: Option<Sockets>,
    flows: Option<Armed>,
    _lookups: Armed,
}

impl Started {
    /// Has the lookups of routes lead here, too.
    ///
    /// # Errors
    ///
    /// As [`Armed::new`].
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn arm_flows(&mut self) -> Result {
        if self.flows.is_none() {
            self.flows = Some(Armed::new(Site::Flow)?);
        }
        Ok(())
    }

    /// Ends that, if no socket's route is remembered.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn disarm_flows(&mut self) {
        if self.sockets.is_none() {
            self.flows = None;
        }
    }
}

impl Output {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ipv4 <- Redirect::new(false),
            ipv6 <- Redirect::new(true),
            suspect: AtomicBool::new(false),
        })
    }

    /// Answers lookups in the main tables of `ns`, until [`Output::stop`].
    ///
    /// # Errors
    ///
    /// As [`Armed::new`], and `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `ns` stays valid until a grace period after [`Output::stop`]; calls of the two are serialised
    /// and alternate.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) unsafe fn start(&self, ns: &Namespace) -> Result<Started> {
        ns.counts().allocate()?;
        ns.ipv6().counts().allocate()?;
        let lookups = Armed::new(Site::Lookup)?;
        // Whoever found the two before they were last taken back has left: with another namespace
        // armed nobody has waited for that.
        compat::synchronize_rcu();
        let first = Count::LookupAnswered;
        let every = ns.settings().verify_every();
        let owner = core::ptr::from_ref(ns);
        // SAFETY: By the requirement; the counters are the namespace's.
        unsafe {
            self.ipv4
                .add(ns.net(), owner, ns.counts().raw(), first.number(), every)?;
            // Of the two only the first can fail.
            self.ipv6.add(
                ns.net(),
                owner,
                ns.ipv6().counts().raw(),
                first.number(),
                every,
            )?;
        }
        Ok(Started {
            sockets: None,
            flows: None,
            _lookups: lookups,
        })
    }

    /// The kernel answers again, for lookups that begin after this.
    ///
    /// # Safety
    ///
    /// [`Output::start`] has succeeded, and this was not called since.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) unsafe fn stop(&self, started: Started) {
        let mut started = started;
        self.stop_sockets(&mut started);
        // SAFETY: By the requirement.
        unsafe {
            self.ipv4.remove();
            self.ipv6.remove();
        }
    }

    /// Remembers the last route of each socket, until [`Output::stop_sockets`]; of those, who ask
    /// where [`Started::arm_flows`] leads.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn start_sockets(&self, started: &mut Started, bits: u32) -> Result {
        let sockets = Sockets::new(bits)?;
        // SAFETY: `stop_sockets` takes them back, and their end waits for a grace period.
        unsafe {
            self.ipv4.set_sockets(Some(&sockets));
            self.ipv6.set_sockets(Some(&sockets));
        }
        started.sockets = Some(sockets);
        Ok(())
    }

    /// Ends that.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn stop_sockets(&self, started: &mut Started) {
        // SAFETY: None is valid for ever.
        unsafe {
            self.ipv4.set_sockets(None);
            self.ipv6.set_sockets(None);
        }
        started.sockets = None;
    }

    /// Forgets the route of each socket: a device has changed.
    pub(crate) fn forget_sockets(&self) {
        self.ipv4.forget_sockets();
    }

    /// One lookup in `every` is compared from now on.
    pub(crate) fn set_every(&self, every: u32) {
        self.ipv4.set_every(every);
        self.ipv6.set_every(every);
    }

    /// Notes that an answer has differed.
    fn suspect(&self) {
        self.suspect.store(true, Relaxed);
    }

    /// Looks at differences again; says whether one is none of a change that was under way.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) fn examine(&self, ns: &Namespace) -> bool {
        if !self.suspect.swap(false, Relaxed) {
            return false;
        }
        let (again, wrong, flows) = {
            // Nobody changes a route now, and every change is in both tables.
            let rtnl = Rtnl::lock();
            let flows = [
                ns.ipv4().cache().wrong(&rtnl),
                ns.ipv6().cache().wrong(&rtnl),
            ];
            (self.ipv4.again(), self.ipv4.wrong_sockets(&rtnl), flows)
        };
        let mut differs = wrong != 0;
        if flows != [0, 0] {
            differs = true;
            ns.counts().add(Count::LookupMismatch, u64::from(flows[0]));
            ns.ipv6()
                .counts()
                .add(Count::LookupMismatch, u64::from(flows[1]));
            pr_err!(
                "the flows of {} of the host's own packets, {} of IPv6, differed from the kernel's\n",
                flows[0],
                flows[1]
            );
            ns.events().wrong_flows(ns.net(), IPV4, flows[0]);
            ns.events().wrong_flows(ns.net(), IPV6, flows[1]);
            ns.ipv4().cache().flush();
            ns.ipv6().cache().flush();
        }
        if wrong != 0 {
            ns.counts().add(Count::SocketMismatch, u64::from(wrong));
            pr_err!(
                "the last routes of {} sockets differed from the kernel's\n",
                wrong
            );
            ns.events().wrong_sockets(ns.net(), wrong);
            self.ipv4.forget_sockets();
        }
        if let Some(again) = again {
            let addr = self.ipv4.destination();
            differs |= again;
            count(ns.counts(), again);
            if again {
                pr_err!(
                    "a lookup of {}.{}.{}.{} in the main table differed from the kernel's\n",
                    addr[0],
                    addr[1],
                    addr[2],
                    addr[3]
                );
                ns.events().wrong_lookup(ns.net(), IPV4, &addr[..4]);
            }
            self.ipv4.seen();
        }
        if let Some(again) = self.again6(ns) {
            differs |= again;
            count(ns.ipv6().counts(), again);
            if again {
                let addr = u128::from_be_bytes(self.ipv6.destination());
                pr_err!(
                    "a lookup of {} in the main table differed from the kernel's\n",
                    Colons(addr)
                );
                ns.events()
                    .wrong_lookup(ns.net(), IPV6, &addr.to_be_bytes());
            }
            self.ipv6.seen();
        }
        differs
    }

    /// IPv6 routes change without RTNL: what differs counts if none did meanwhile.
    fn again6(&self, ns: &Namespace) -> Option<bool> {
        self.ipv6.again()?;
        for _ in 0..TRIES {
            let before = route6::generation(ns.net());
            time::sleep_ms(PAUSE_MS);
            let again = self.ipv6.again()?;
            if !again || before == route6::generation(ns.net()) {
                return Some(again);
            }
        }
        Some(false)
    }
}

fn count(counts: &Counts, differs: bool) {
    counts.count(if differs {
        Count::LookupMismatch
    } else {
        Count::LookupTransient
    });
}
