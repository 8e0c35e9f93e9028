// SPDX-License-Identifier: GPL-2.0

//! altfib in one network namespace: its rooms, and what turns them on and off.
//!
//! A worker brings what is into line with what is wanted ([`Namespace::reconcile`]): it runs at
//! the namespace's start, after somebody has set the mode, and when service has ended by itself.
//! Nothing that can fail happens in the namespace's own creation.

use crate::cache::Cache;
use crate::cache::Ended;
use crate::cache::Strategy;
use crate::control::audit;
use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::control::mismatches;
use crate::control::netlink::events::Events;
use crate::control::nexthops;
use crate::control::punts;
use crate::control::routes;
use crate::control::routes6;
use crate::control::settings;
use crate::control::settings::Mode;
use crate::control::settings::OutputMode;
use crate::control::settings::Settings;
use crate::control::stat;
use crate::control::status;
use crate::control::tables;
use crate::datapath;
use crate::lpm::Algorithm;
use crate::mirror::Kind;
use crate::mirror::Mirror;
use crate::mirror::Plan;
use crate::mirror::Then;
use crate::mirror::Why;
use crate::mirror::REST_MS;
use crate::output::Output;
use crate::output::Started;
use crate::sys::compat;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibNotifier;
use crate::sys::fib::FollowFib;
use crate::sys::flow::Cached;
use crate::sys::module;
use crate::sys::net;
use crate::sys::net::Net;
use crate::sys::net::PerNet;
use crate::sys::netdev;
use crate::sys::netdev::FollowDevices;
use crate::sys::netfilter::Hook;
use crate::sys::netfilter::PreRouting;
use crate::sys::netfilter::Protocol;
use crate::sys::packet::Difference;
use crate::sys::packet::Verdict;
use crate::sys::packet6::Difference6;
use crate::sys::packet6::Verdict6;
use crate::sys::route6;
use crate::sys::route6::Fib6Event;
use crate::sys::rtnl::Rtnl;
use crate::sys::seq::Entry;
use crate::sys::time;
use crate::sys::trace;
use crate::sys::work::DelayedWork;
use crate::sys::work::HasDelayedWork;
use crate::verify::worker::Auditor;
use crate::verify::Verification;
use core::pin::Pin;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::static_lock_class;
use kernel::sync::LockClassKey;
use kernel::sync::Mutex;
use kernel::time::msecs_to_jiffies;

/// Pause before the first new attempt after a failure; it doubles up to the last.
const RETRY_FIRST_MS: u32 = 100;
const RETRY_LAST_MS: u32 = 60_000;
const RETRY_BUSY_MS: u32 = 5_000;

/// Looks at an IPv6 difference while routes keep changing, and the pause before each.
const VERIFY_TRIES: u32 = 8;
const VERIFY_PAUSE_MS: i64 = 5;

/// Pause before the next attempt to make files for which there was no memory.
const RETRY_FILES_MS: u32 = 1_000;

/// Pause before the prefixes of a device that went are taken out: it may come back at once, and
/// whoever takes it away has the tables until then.
const TIDY_MS: u32 = 50;

/// Pause after too many events.
const TELL_MS: u32 = 1_000;

/// How long the routes must have rested before a mirror with too much memory starts anew: they may
/// come back, and a load takes a gap between changes.
const SHRINK_MS: u32 = 1_000;

/// What is switched on of a family.
#[derive(Default)]
struct Switch {
    /// The FIB notifier is registered, for as long as the namespace is there.
    following: bool,
    /// The hook is registered.
    hooked: bool,
    retry_ms: u32,
    /// The mirror has too much memory for its prefixes; how many they were at the last look.
    waste: Option<usize>,
}

/// What is switched on; only [`Namespace::reconcile`] may change it.
#[derive(Default)]
struct Switches {
    ipv4: Switch,
    ipv6: Switch,
    /// The namespace goes: nothing may be switched on again.
    stopped: bool,
    settings: settings::Registrations,
    /// The kernel's own lookups are answered.
    output: Option<Started>,
    /// What was cached of flows when the namespace went.
    ended: (Ended<Ipv4>, Ended<Ipv6>),
    /// The first of [`FILES`]; they go before their folder.
    files: KVec<Entry>,
    folder: Option<Entry>,
}

/// What follows a family and sees its packets.
pub(crate) trait Family: Kind + Protocol + Cached {
    /// The algorithm of its tables, if it is not theirs to choose.
    fn algorithm(settings: &Settings) -> Option<Algorithm>;

    /// Whether the kernel is as altfib knows it.
    fn is_known(_net: &Net) -> bool {
        true
    }
}

impl Family for Ipv4 {
    fn algorithm(settings: &Settings) -> Option<Algorithm> {
        settings.algorithm()
    }

    fn is_known(net: &Net) -> bool {
        net.address_hash_holds()
    }
}

impl Family for Ipv6 {
    fn algorithm(settings: &Settings) -> Option<Algorithm> {
        settings.algorithm6()
    }
}

/// One family in one namespace.
#[pin_data]
pub(crate) struct Side<K: Kind> {
    counts: Counts,
    #[pin]
    mirror: Mirror<K>,
    #[pin]
    hook: Hook<Namespace, K>,
    #[pin]
    notifier: FibNotifier<Namespace, K>,
    /// Packets come by the hook: `hooked` of its switch, for whoever may not wait for that.
    sees: AtomicBool,
    cache: Cache<K>,
}

impl<K: Family> Side<K>
where
    Namespace: FollowFib<K> + PreRouting<K>,
{
    fn new(net: &'static Net, why: Why, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            counts: Counts::new(),
            mirror <- Mirror::new(net, why, key),
            hook <- Hook::new(),
            notifier <- FibNotifier::new(),
            sees: AtomicBool::new(false),
            cache: Cache::new(),
        })
    }

    /// Why packets are the kernel's; `None` if they are altfib's.
    pub(crate) fn why_not(&self) -> Option<Why> {
        self.mirror
            .why_not()
            .or((!self.sees.load(Relaxed)).then_some(Why::Loading))
    }

    #[inline]
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    #[inline]
    pub(crate) fn mirror(&self) -> &Mirror<K> {
        &self.mirror
    }

    #[inline]
    pub(crate) fn hook(&self) -> &Hook<Namespace, K> {
        &self.hook
    }

    #[inline]
    pub(crate) fn cache(&self) -> &Cache<K> {
        &self.cache
    }

    /// Has the routes of packets found again as this strategy does. What was cached before goes.
    fn set_cache(&self, ns: &Namespace, strategy: Strategy) -> Result<Ended<K>> {
        self.counts.allocate()?;
        // SAFETY: All of these are of the namespace, at whose end nothing is left of it but what
        // `stop` keeps until they go, too.
        unsafe {
            self.cache.start(
                strategy,
                ns.settings.limits(),
                ns.net,
                self.mirror.generation(),
                &self.counts,
            )
        }
    }

    /// Something has changed that nothing else tells of: no flow counts any more.
    fn outdate_flows(&self) {
        self.mirror.generation().skip();
    }

    /// Brings what is into line with the mode.
    ///
    /// # Errors
    ///
    /// Why that must be tried again; the pause is in `switch`.
    fn reconcile(&self, ns: &Namespace, switch: &mut Switch) -> Result<(), Why> {
        self.mirror.sweep();
        if !ns.settings.is_on() {
            self.switch_off(ns, switch, Why::Off);
            self.mirror.sweep();
            return Ok(());
        }
        if !switch.following && !ns.has_use() {
            self.mirror.stop(Why::NoDevice);
            // One that came up before this did not wake us.
            if !ns.has_use() {
                return Ok(());
            }
        }
        self.shrink(ns, switch);
        if switch.following && self.mirror.why_not().is_none() {
            return Ok(());
        }
        if switch.following && !self.mirror.has_rested() {
            ns.work.schedule(msecs_to_jiffies(REST_MS));
            return Ok(());
        }
        match self.switch_on(ns, switch) {
            Ok(()) => {
                switch.retry_ms = 0;
                Ok(())
            }
            Err(Why::Off) => {
                self.switch_off(ns, switch, Why::Off);
                Ok(())
            }
            Err(why) => {
                let most = match why {
                    // It takes a gap between changes, and each attempt holds RTNL for a dump.
                    Why::TooBusy => RETRY_BUSY_MS,
                    _ => RETRY_LAST_MS,
                };
                if switch.retry_ms == 0 {
                    pr_warn!("not serving a namespace: {}\n", why.text());
                }
                switch.retry_ms = switch
                    .retry_ms
                    .saturating_mul(2)
                    .clamp(RETRY_FIRST_MS, most);
                Err(why)
            }
        }
    }

    /// Lets a mirror that has too much memory start anew, once its routes are at rest.
    fn shrink(&self, ns: &Namespace, switch: &mut Switch) {
        let before = switch.waste.take();
        let Some(now) = self.mirror.waste() else {
            return;
        };
        if before == Some(now) {
            self.mirror.stop(Why::Littered);
            self.mirror.sweep();
        } else {
            switch.waste = Some(now);
            ns.work.schedule(msecs_to_jiffies(SHRINK_MS));
        }
    }

    fn switch_on(&self, ns: &Namespace, switch: &mut Switch) -> Result<(), Why> {
        if !K::is_known(ns.net) {
            return Err(Why::Unsupported);
        }
        self.counts.allocate().map_err(|_| Why::NoMemory)?;
        let begin = time::now_us();
        let plan = Plan {
            net: ns.net,
            budget: ns.settings.budget(),
            algorithm: K::algorithm(&ns.settings),
            leaves: ns.settings.output() != OutputMode::Off,
        };
        self.mirror
            .load(plan, || ns.settings.is_on(), || self.follow(ns, switch))?;
        self.counts.count(Count::Resync);
        trace::resync::<K>(
            ns.net,
            self.mirror.prefixes(),
            time::now_us().saturating_sub(begin),
            self.mirror.ended().map_or("", Why::text),
        );
        if !switch.hooked {
            // SAFETY: As above; a grace period passes between `stop` and the end of `ns`.
            if unsafe { self.hook.register(ns.net, core::ptr::from_ref(ns)) }.is_err() {
                self.mirror.stop(Why::Refused);
                return Err(Why::Refused);
            }
            switch.hooked = true;
            self.sees.store(true, Relaxed);
        }
        Ok(())
    }

    /// Has all routes told; from the first time on every change as well, until the namespace goes. To
    /// follow anew would take a moment in which no route of either family changes.
    fn follow(&self, ns: &Namespace, switch: &mut Switch) -> Result {
        let owner = core::ptr::from_ref(ns);
        if !switch.following {
            // SAFETY: `ns` outlives its registration: `stop` ends it before the namespace goes.
            // The switches are locked, so the calls are serialised.
            unsafe { self.notifier.register(ns.net, owner)? };
            switch.following = true;
            return Ok(());
        }
        let once = KBox::pin_init(FibNotifier::<Namespace, K>::new(), GFP_KERNEL)?;
        // SAFETY: `ns` is valid, and nobody else has this notifier.
        unsafe { once.dump(ns.net, owner) }
    }

    fn unfollow(&self, ns: &Namespace, switch: &mut Switch) {
        if !switch.following {
            return;
        }
        switch.following = false;
        if ns.net.is_dying() {
            // SAFETY: It is registered. A grace period passes before `ns` is dropped, and the core frees
            // its memory behind the end of all else in the namespace.
            unsafe { self.notifier.abandon() };
        } else {
            // SAFETY: It is registered, and the switches are locked.
            unsafe { self.notifier.unregister(ns.net) };
        }
    }

    fn switch_off(&self, ns: &Namespace, switch: &mut Switch, why: Why) {
        if switch.hooked {
            // SAFETY: It is registered, and the switches are locked.
            unsafe { self.hook.unregister(ns.net) };
            switch.hooked = false;
            self.sees.store(false, Relaxed);
        }
        self.mirror.stop(why);
        self.cache.flush();
    }

    /// What an event asks for.
    fn then(&self, ns: &Namespace, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Load => ns.work.schedule(msecs_to_jiffies(RETRY_FIRST_MS)),
            Then::Rest => ns.work.schedule(msecs_to_jiffies(REST_MS)),
            Then::Tidy => ns.work.schedule(msecs_to_jiffies(TIDY_MS)),
        }
    }
}

/// altfib in one namespace.
#[pin_data]
#[repr(C)]
pub(crate) struct Namespace {
    #[pin]
    work: DelayedWork<Namespace>,
    /// Dropped before what it has switched on: flows count until they are gone.
    #[pin]
    switches: Mutex<Switches>,
    net: &'static Net,
    settings: Settings,
    #[pin]
    ipv4: Side<Ipv4>,
    #[pin]
    ipv6: Side<Ipv6>,
    /// A device has gone, and its routes were not looked for yet.
    device_went: AtomicBool,
    #[pin]
    output: Output,
    #[pin]
    verification: Verification<Difference>,
    #[pin]
    verification6: Verification<Difference6>,
    #[pin]
    auditor: Auditor,
    #[pin]
    events: Events,
}

impl Namespace {
    #[inline]
    pub(crate) fn net(&self) -> &Net {
        self.net
    }

    #[inline]
    pub(crate) fn counts(&self) -> &Counts {
        &self.ipv4.counts
    }

    /// As [`Side::why_not`], of IPv4.
    pub(crate) fn why_not(&self) -> Option<Why> {
        self.ipv4.why_not()
    }

    #[inline]
    pub(crate) fn ipv4(&self) -> &Side<Ipv4> {
        &self.ipv4
    }

    /// All that is of IPv6; what has no family in its name is of IPv4, or of both.
    #[inline]
    pub(crate) fn ipv6(&self) -> &Side<Ipv6> {
        &self.ipv6
    }

    #[inline]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    #[inline]
    pub(crate) fn mirror(&self) -> &Mirror<Ipv4> {
        &self.ipv4.mirror
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) fn verification(&self) -> &Verification<Difference> {
        &self.verification
    }

    pub(crate) fn verification6(&self) -> &Verification<Difference6> {
        &self.verification6
    }

    pub(crate) fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    #[inline]
    pub(crate) fn hook(&self) -> &Hook<Namespace, Ipv4> {
        &self.ipv4.hook
    }

    /// Whether there is anything to look up. Many namespaces have nothing but `lo`, all their short life.
    fn has_use(&self) -> bool {
        self.settings.output() != OutputMode::Off || self.net.has_device()
    }

    /// Whether the first device is to wake it.
    fn is_asleep(&self) -> bool {
        self.settings.is_on()
            && (self.ipv4.mirror.why_not() == Some(Why::NoDevice)
                || self.ipv6.mirror.why_not() == Some(Why::NoDevice))
    }

    /// Sets the mode. `off` is in force for the next packet, and when this returns nothing of the
    /// mirror is left; `on` starts to load it.
    ///
    /// # Errors
    ///
    /// `EPERM` if the namespace belongs to a container and the host's own is off.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result {
        if mode != Mode::Off && !self.net.is_owned_by_host() {
            match Net::initial().value::<Namespace>() {
                Some(initial) if initial.settings.is_on() => {}
                _ => return Err(EPERM),
            }
        }
        self.settings.set_mode(mode);
        self.verify_changed();
        match mode {
            Mode::Off => self.reconcile(),
            Mode::On | Mode::Verify => {}
        }
        self.work.schedule(0);
        Ok(())
    }

    /// Sets whether packets may be forwarded from PRE_ROUTING, from the next packet on.
    ///
    /// # Errors
    ///
    /// `EPERM` in a container's namespace while the initial one does not have it.
    pub(crate) fn set_fastpath(&self, on: bool) -> Result {
        if on && !self.net.is_owned_by_host() {
            match Net::initial().value::<Namespace>() {
                Some(initial) if initial.settings.fastpath() => {}
                _ => return Err(EPERM),
            }
        }
        self.settings.set_fastpath(on);
        // It tells of that.
        self.work.schedule(0);
        Ok(())
    }

    /// Sets what of the host's own lookups is answered. `off` is in force for the next lookup; what
    /// `lookup` needs of the mirror is there when that has been loaded anew.
    ///
    /// # Errors
    ///
    /// `EPERM` in a container's namespace; `EBUSY` if a tracer has the kernel's lookup for himself;
    /// `EOPNOTSUPP` if this kernel offers no way.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn set_output(&self, output: OutputMode) -> Result {
        if output != OutputMode::Off && !self.net.is_owned_by_host() {
            return Err(EPERM);
        }
        let mut switches = self.switches.lock();
        let before = self.settings.output();
        if switches.stopped || output == before {
            return Ok(());
        }
        let result = self.switch_output(&mut switches, output);
        // What could be had, if it is less than what was wanted.
        let now = match (&result, switches.output.is_some()) {
            (Ok(()), _) => output,
            (Err(_), true) => OutputMode::Lookup,
            (Err(_), false) => OutputMode::Off,
        };
        self.settings.set_output(now);
        drop(switches);
        self.work.schedule(0);
        if let Err(e) = result {
            pr_err!("output={} is not possible: {}\n", output.name(), why_not(e));
        }
        if self.settings.is_on() && (before == OutputMode::Off) != (now == OutputMode::Off) {
            self.ipv4.mirror.stop(Why::Output);
            self.work.schedule(0);
        }
        result
    }

    fn switch_output(&self, switches: &mut Switches, output: OutputMode) -> Result {
        if output == OutputMode::Off {
            self.disarm(switches);
            return Ok(());
        }
        let started = match &mut switches.output {
            Some(started) => started,
            None => {
                // SAFETY: `disarm` stops it, in `stop` at last, and a grace period passes between that
                // and the end of `self`. The switches are locked.
                let started = unsafe { self.output.start(self) }?;
                switches.output.insert(started)
            }
        };
        let flows = self.settings.cache().keeps_flows();
        let result = if output == OutputMode::Socket {
            started.arm_flows().and_then(|()| {
                self.output
                    .start_sockets(started, self.settings.socket_bits())
            })
        } else {
            self.output.stop_sockets(started);
            if flows {
                started.arm_flows()
            } else {
                Ok(())
            }
        };
        if !flows {
            started.disarm_flows();
        }
        result
    }

    /// Sets where the routes of packets are found again, from the next packet on.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` if the host's own lookups are answered, and a tracer has those in front of
    /// them for himself. Nothing has changed.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn set_cache(&self, strategy: Strategy) -> Result {
        let mut switches = self.switches.lock();
        if switches.stopped || strategy == self.settings.cache() {
            return Ok(());
        }
        if let Some(started) = switches.output.as_mut().filter(|_| strategy.keeps_flows()) {
            started.arm_flows()?;
        }
        let result = self.switch_cache(strategy);
        if let Some(started) = switches.output.as_mut() {
            if !self.settings.cache().keeps_flows() {
                started.disarm_flows();
            }
        }
        result
    }

    fn switch_cache(&self, strategy: Strategy) -> Result {
        let ended = self.ipv4.set_cache(self, strategy)?;
        let ended6 = match self.ipv6.set_cache(self, strategy) {
            Ok(ended6) => ended6,
            Err(e) => {
                self.settings.set_cache(Strategy::NextHop);
                drop((self.ipv4.cache.end(), self.ipv6.cache.end()));
                return Err(e);
            }
        };
        self.settings.set_cache(strategy);
        self.work.schedule(0);
        drop((ended, ended6));
        Ok(())
    }

    /// A limit of what is cached of flows has changed.
    pub(crate) fn limits_changed(&self) {
        self.ipv4.cache.set_limits(self.settings.limits());
        self.ipv6.cache.set_limits(self.settings.limits());
    }

    fn disarm(&self, switches: &mut Switches) {
        if let Some(started) = switches.output.take() {
            // SAFETY: It was started, and the switches are locked.
            unsafe { self.output.stop(started) };
        }
    }

    /// `mode` or `verify_sample` has changed.
    pub(crate) fn verify_changed(&self) {
        self.output.set_every(self.settings.verify_every());
    }

    /// Something has differed from the kernel's answer.
    pub(crate) fn look_again(&self) {
        self.work.schedule(0);
    }

    /// The kernel has just decided otherwise than altfib would have.
    ///
    /// # Context
    ///
    /// Softirq.
    pub(crate) fn differs(&self, difference: Difference) {
        if self.verification.leave(difference) {
            self.work.schedule(0);
        }
    }

    /// As [`Namespace::differs`], for IPv6.
    pub(crate) fn differs6(&self, difference: Difference6) {
        if self.verification6.leave(difference) {
            self.work.schedule(0);
        }
    }

    /// Compares the whole mirror with the kernel's tables. Differences end in a new load.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the mirror is not in sync.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) fn audit(&self) -> Result {
        let differences = self.verification.audit(self.net, &self.ipv4.mirror)?;
        if differences != 0 {
            pr_err!(
                "audit: {} differences, reading the routes anew\n",
                differences
            );
            self.ipv4.mirror.stop(Why::Different);
            self.work.schedule(0);
        }
        let differences = self.verification6.audit(self.net, &self.ipv6.mirror)?;
        if differences != 0 {
            pr_err!(
                "audit: {} differences in IPv6, reading the routes anew\n",
                differences
            );
            self.ipv6.mirror.stop(Why::Different);
            self.work.schedule(0);
        }
        Ok(())
    }

    /// Starts an audit that nobody waits for; [`Namespace::auditor`] knows how far it is.
    ///
    /// # Errors
    ///
    /// `EBUSY` if one that was started so has not ended.
    pub(crate) fn audit_start(&self) -> Result {
        self.auditor.start()
    }

    /// Gives back what is cached. Says how many routes of next hops and how many flows.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn flush(&self) -> (u64, u32) {
        let flows = self.ipv4.cache.len().saturating_add(self.ipv6.cache.len());
        self.ipv4.cache.flush();
        self.ipv6.cache.flush();
        self.output.forget_sockets();
        (self.ipv4.mirror.flush(), flows)
    }

    /// Looks at differences again.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    fn examine(&self) {
        let mut disable = false;
        while let Some(difference) = self.verification.take() {
            let again = {
                // Nobody changes a route now, and every change is in both tables.
                let _rtnl = Rtnl::lock();
                difference.again(self.net, |packet, rcu| datapath::compare(self, packet, rcu))
            };
            let Some(Some(Verdict::Differs(difference))) = again else {
                self.counts().count(Count::Transient);
                continue;
            };
            self.counts().count(Count::Mismatch);
            if difference.kernels().drop_reason() != 0 {
                self.counts().count(Count::MismatchDrop);
            }
            self.verification.keep(difference);
            self.events.mismatch(self.net, &difference);
            if net::may_log() {
                pr_err!("mismatch: {}\n", mismatches::Line(&difference));
            }
            disable |= self.settings.verify_disables();
        }
        disable |= self.examine6();
        if self.output.examine(self) && self.settings.verify_disables() {
            disable = true;
            self.events.blame_mismatch_for_output();
            let _ = self.set_output(OutputMode::Off);
        }
        if disable && self.settings.is_on() {
            pr_err!(
                "mode is off in this namespace from now on: altfib disagreed with the kernel\n"
            );
            self.events.blame_mismatch();
            self.settings.set_mode(Mode::Off);
        }
    }

    /// As [`Namespace::examine`], for IPv6, whose routes nothing keeps from changing: a difference
    /// counts if it was there for a while during which none did. Says whether altfib should stop.
    fn examine6(&self) -> bool {
        let mut disable = false;
        while let Some(difference) = self.verification6.take() {
            let counts = &self.ipv6.counts;
            let mut again = None;
            for _ in 0..VERIFY_TRIES {
                let before = route6::generation(self.net);
                time::sleep_ms(VERIFY_PAUSE_MS);
                again = difference
                    .again(self.net, |packet, rcu| {
                        datapath::ipv6::compare(self, packet, rcu)
                    })
                    .flatten();
                if before == route6::generation(self.net)
                    || !matches!(again, Some(Verdict6::Differs(_)))
                {
                    break;
                }
                again = None;
            }
            let Some(Verdict6::Differs(difference)) = again else {
                counts.count(Count::Transient);
                continue;
            };
            counts.count(Count::Mismatch);
            if difference.kernels().error() != 0 {
                counts.count(Count::MismatchDrop);
            }
            self.verification6.keep(difference);
            self.events.mismatch6(self.net, &difference);
            if net::may_log() {
                pr_err!("mismatch: {}\n", mismatches::Line6(&difference));
            }
            disable |= self.settings.verify_disables();
        }
        disable
    }

    /// `memory_max_kb` has changed.
    pub(crate) fn budget_changed(&self) {
        self.ipv4.mirror.set_budget(self.settings.budget());
        self.ipv6.mirror.set_budget(self.settings.budget());
        self.work.schedule(0);
    }

    /// `ipv4.algorithm` or `ipv6.algorithm` has changed.
    pub(crate) fn algorithm_changed(&self) {
        self.ipv4.mirror.set_algorithm(self.settings.algorithm());
        self.ipv6.mirror.set_algorithm(self.settings.algorithm6());
        self.work.schedule(0);
    }

    /// Brings what is into line with the mode.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    fn reconcile(&self) {
        let mut switches = self.switches.lock();
        if switches.stopped {
            return;
        }
        if self.show(&mut switches).is_err() {
            self.work.schedule(msecs_to_jiffies(RETRY_FILES_MS));
        }
        let Switches { ipv4, ipv6, .. } = &mut *switches;
        let result = [
            self.ipv4.reconcile(self, ipv4).map_err(|_| ipv4.retry_ms),
            self.ipv6.reconcile(self, ipv6).map_err(|_| ipv6.retry_ms),
        ];
        if let Some(pause) = result.into_iter().filter_map(Result::err).min() {
            self.work.schedule(msecs_to_jiffies(pause));
        }
    }

    /// Makes the settings and files that are not there yet, in their order.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; what was made stays, and another call goes on from there.
    fn show(&self, switches: &mut Switches) -> Result {
        // SAFETY: `stop` removes the settings before the namespace goes.
        unsafe { switches.settings.complete(self.net, self) }?;
        let Switches { files, folder, .. } = switches;
        // The folder's end is the end of what is in it: it is kept before anything is made there.
        let folder = match folder {
            Some(folder) => folder,
            None => folder.insert(Entry::folder(self.net, c"altfib")?),
        };
        while let Some(make) = FILES.get(files.len()) {
            files.push(make(self.net, folder)?, GFP_KERNEL)?;
        }
        Ok(())
    }
}

/// Why the kernel's lookups could not be taken over.
fn why_not(e: Error) -> &'static str {
    if e == EBUSY {
        "another tracer (a BPF fentry program, perhaps) has the lookup functions"
    } else if e == compat::eopnotsupp() {
        "this kernel has neither altfib's patch nor ftrace with direct jumps and kprobes"
    } else {
        "out of memory, or ftrace refused"
    }
}

/// Makes a file, of the namespace and in its folder.
type MakeFile = fn(&Net, &Entry) -> Result<Entry>;

const FILES: &[MakeFile] = &[
    |_, folder| Entry::page::<status::Status>(folder, c"status"),
    |_, folder| Entry::page::<punts::Punts<Ipv4>>(folder, c"punts"),
    |_, folder| Entry::page::<punts::Punts<Ipv6>>(folder, c"punts6"),
    |_, folder| Entry::page::<audit::Audit>(folder, c"audit"),
    |net, folder| Entry::lines::<routes::Routes>(net, Some(folder), c"routes"),
    |net, folder| Entry::lines::<routes6::Routes6>(net, Some(folder), c"routes6"),
    |net, folder| Entry::lines::<tables::Tables<Ipv4>>(net, Some(folder), c"tables"),
    |net, folder| Entry::lines::<tables::Tables<Ipv6>>(net, Some(folder), c"tables6"),
    |net, folder| Entry::lines::<nexthops::NextHops>(net, Some(folder), c"nexthops"),
    |net, folder| Entry::lines::<mismatches::Mismatches>(net, Some(folder), c"mismatches"),
    |net, _| Entry::lines::<stat::Stat<Ipv4>>(net, None, c"altfib"),
    |net, _| Entry::lines::<stat::Stat<Ipv6>>(net, None, c"altfib6"),
    |net, _| Entry::lines::<stat::CacheStat<Ipv4>>(net, None, c"altfib_cache"),
    |net, _| Entry::lines::<stat::CacheStat<Ipv6>>(net, None, c"altfib6_cache"),
];

impl PerNet for Namespace {
    fn new(net: &'static Net) -> impl PinInit<Self> {
        // The parameter was checked when the module was loaded.
        let mode = module::mode_parameter()
            .to_str()
            .map_err(|_| EINVAL)
            .and_then(Mode::parse)
            .unwrap_or(Mode::Off);
        let settings = Settings::new(net, mode);
        let why = if settings.is_on() {
            Why::NoDevice
        } else {
            Why::Off
        };
        pin_init!(Self {
            work <- DelayedWork::new(),
            switches <- new_mutex!(Switches::default(), "altfib_switches"),
            net,
            settings,
            ipv4 <- Side::new(net, why, static_lock_class!()),
            ipv6 <- Side::new(net, why, static_lock_class!()),
            device_went: AtomicBool::new(false),
            output <- Output::new(),
            verification <- Verification::new(
                static_lock_class!(),
                static_lock_class!(),
                static_lock_class!(),
            ),
            verification6 <- Verification::new(
                static_lock_class!(),
                static_lock_class!(),
                static_lock_class!(),
            ),
            auditor <- Auditor::new(net),
            events <- Events::new(if net.is_owned_by_host() { mode } else { Mode::Off }),
        })
    }

    fn start(self: Pin<&Self>) {
        let shown = self.show(&mut self.switches.lock());
        if let Err(e) = shown {
            pr_warn!("some files of a namespace come later: {:?}\n", e);
        }
        if self.settings.is_on() && self.has_use() || shown.is_err() {
            self.work.schedule(0);
        }
    }

    fn stop(self: Pin<&Self>) {
        let mut switches = self.switches.lock();
        switches.stopped = true;
        let settings = core::mem::take(&mut switches.settings);
        let files = core::mem::take(&mut switches.files);
        let folder = switches.folder.take();
        drop(switches);
        // These wait for who is inside, and a writer of the mode waits for the switches.
        drop((settings, files, folder));
        // What readers may still look at is freed when the namespace is dropped, which is after a
        // grace period for all namespaces that go together: no waiting for one of our own.
        let mut switches = self.switches.lock();
        self.disarm(&mut switches);
        switches.ended = (self.ipv4.cache.end(), self.ipv6.cache.end());
        self.ipv4.switch_off(&self, &mut switches.ipv4, Why::Off);
        self.ipv4.unfollow(&self, &mut switches.ipv4);
        self.ipv6.switch_off(&self, &mut switches.ipv6, Why::Off);
        self.ipv6.unfollow(&self, &mut switches.ipv6);
        drop(switches);
        // A packet or a lookup under way may still ask for it, in vain.
        self.auditor.cancel();
        self.work.cancel();
    }
}

// SAFETY: `work` is the first field of a `repr(C)` structure.
unsafe impl HasDelayedWork for Namespace {
    unsafe fn from_work(work: *mut DelayedWork<Self>) -> *const Self {
        // CAST: It is the first field.
        work.cast::<Self>().cast_const()
    }

    fn work(&self) {
        // What has ended service, before it begins anew.
        self.events.tell(self);
        self.examine();
        let tidy = self.ipv4.mirror.tidy();
        if self.device_went.swap(false, Relaxed) && self.ipv6.mirror.has_lost_an_end() {
            // That gives all references back.
            self.ipv6.mirror.stop(Why::Different);
        }
        self.reconcile();
        if !tidy {
            self.work.schedule(msecs_to_jiffies(TIDY_MS));
        }
        if !self.events.tell(self) {
            self.work.schedule(msecs_to_jiffies(TELL_MS));
        }
    }
}

impl FollowFib<Ipv4> for Namespace {
    fn event(&self, event: FibEvent<'_>) {
        let then = self.ipv4.mirror.event(&self.ipv4.counts, event);
        self.ipv4.then(self, then);
    }

    fn nexthop_object_changed(&self) {
        self.ipv4.mirror.nexthop_object_changed(&self.ipv4.counts);
        self.ipv4.outdate_flows();
    }
}

impl FollowFib<Ipv6> for Namespace {
    fn event(&self, event: Fib6Event<'_>) {
        let then = self.ipv6.mirror.event(&self.ipv6.counts, event);
        self.ipv6.then(self, then);
    }

    // Whose dst is attached is looked at packet by packet.
    fn nexthop_object_changed(&self) {}
}

impl FollowDevices for Namespace {
    fn device_changed(net: &Net, ifindex: c_int) {
        if let Some(ns) = net.value::<Namespace>() {
            ns.ipv4.mirror.device_changed(&ns.ipv4.counts, ifindex);
            ns.output.forget_sockets();
            ns.ipv4.outdate_flows();
            ns.ipv6.outdate_flows();
            ns.ipv4.cache.flush();
            ns.ipv6.cache.flush();
            if ifindex != netdev::LOOPBACK && ns.is_asleep() {
                // The first device.
                ns.work.schedule(0);
            }
        }
    }

    fn device_settled(net: &Net) {
        if let Some(ns) = net.value::<Namespace>() {
            ns.ipv4.outdate_flows();
            ns.ipv6.outdate_flows();
        }
    }

    fn device_goes(net: &Net) {
        let Some(ns) = net.value::<Namespace>() else {
            return;
        };
        // Not when nothing is held. And with the mirror locked: `stop` ends its service before it
        // cancels the work, and devices still go after that.
        ns.ipv6.mirror.with_routes(|_, _| {
            ns.device_went.store(true, Relaxed);
            ns.work.schedule(0);
        });
    }
}
