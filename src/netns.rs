// SPDX-License-Identifier: GPL-2.0

//! altfib in one network namespace: its rooms, and what turns them on and off.
//!
//! A worker brings what is into line with what is wanted ([`Namespace::reconcile`]): it runs at
//! the namespace's start, after somebody has set the mode, and when service has ended by itself.
//! Nothing that can fail happens in the namespace's own creation.

use crate::control::audit;
use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::control::mismatches;
use crate::control::nexthops;
use crate::control::punts;
use crate::control::routes;
use crate::control::settings;
use crate::control::settings::Mode;
use crate::control::settings::Settings;
use crate::control::stat;
use crate::control::status;
use crate::control::tables;
use crate::datapath;
use crate::mirror::ipv4::Ipv4;
use crate::mirror::Mirror;
use crate::mirror::Plan;
use crate::mirror::Then;
use crate::mirror::Why;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibNotifier;
use crate::sys::fib::FollowFib;
use crate::sys::module;
use crate::sys::net;
use crate::sys::net::Net;
use crate::sys::net::PerNet;
use crate::sys::netdev::FollowDevices;
use crate::sys::netfilter::Hook;
use crate::sys::packet::Difference;
use crate::sys::packet::Verdict;
use crate::sys::rtnl::Rtnl;
use crate::sys::seq::Entry;
use crate::sys::work::DelayedWork;
use crate::sys::work::HasDelayedWork;
use crate::verify::Verification;
use core::pin::Pin;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::static_lock_class;
use kernel::sync::Mutex;
use kernel::time::msecs_to_jiffies;

/// Pause before the first new attempt after a failure; it doubles up to the last.
const RETRY_FIRST_MS: u32 = 100;
const RETRY_LAST_MS: u32 = 60_000;

/// Pause before the next attempt to make files for which there was no memory.
const RETRY_FILES_MS: u32 = 1_000;

/// Pause before the prefixes of a device that went are taken out: it may come back at once, and
/// whoever takes it away has the tables until then.
const TIDY_MS: u32 = 50;

/// What is switched on, and by whom only [`Namespace::reconcile`] may change it.
#[derive(Default)]
struct Switches {
    /// The FIB notifier is registered.
    following: bool,
    /// The hook is registered.
    hooked: bool,
    /// The namespace goes: nothing may be switched on again.
    stopped: bool,
    retry_ms: u32,
    settings: settings::Registrations,
    /// The first of [`FILES`]; they go before their folder.
    files: KVec<Entry>,
    folder: Option<Entry>,
}

/// altfib in one namespace.
#[pin_data]
#[repr(C)]
pub(crate) struct Namespace {
    #[pin]
    work: DelayedWork<Namespace>,
    net: &'static Net,
    counts: Counts,
    settings: Settings,
    #[pin]
    mirror: Mirror<Ipv4>,
    #[pin]
    verification: Verification,
    #[pin]
    hook: Hook<Namespace>,
    #[pin]
    notifier: FibNotifier<Namespace>,
    #[pin]
    switches: Mutex<Switches>,
}

impl Namespace {
    #[inline]
    pub(crate) fn net(&self) -> &Net {
        self.net
    }

    #[inline]
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    #[inline]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    #[inline]
    pub(crate) fn mirror(&self) -> &Mirror<Ipv4> {
        &self.mirror
    }

    pub(crate) fn verification(&self) -> &Verification {
        &self.verification
    }

    #[inline]
    pub(crate) fn hook(&self) -> &Hook<Namespace> {
        &self.hook
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
        match mode {
            Mode::Off => self.reconcile(),
            Mode::On | Mode::Verify => self.work.schedule(0),
        }
        Ok(())
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
        let differences = self.verification.audit(self.net, &self.mirror)?;
        if differences != 0 {
            pr_err!(
                "audit: {} differences, reading the routes anew\n",
                differences
            );
            self.mirror.stop(Why::Different);
            self.work.schedule(0);
        }
        Ok(())
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
                self.counts.count(Count::Transient);
                continue;
            };
            self.counts.count(Count::Mismatch);
            if difference.kernels().drop_reason() != 0 {
                self.counts.count(Count::MismatchDrop);
            }
            self.verification.keep(difference);
            if net::may_log() {
                pr_err!("mismatch: {}\n", mismatches::Line(&difference));
            }
            disable |= self.settings.verify_disables();
        }
        if disable && self.settings.is_on() {
            pr_err!(
                "mode is off in this namespace from now on: altfib disagreed with the kernel\n"
            );
            self.settings.set_mode(Mode::Off);
        }
    }

    /// `memory_max_kb` has changed.
    pub(crate) fn budget_changed(&self) {
        self.mirror.set_budget(self.settings.budget());
        self.work.schedule(0);
    }

    /// `ipv4.algorithm` has changed.
    pub(crate) fn algorithm_changed(&self) {
        self.mirror.set_algorithm(self.settings.algorithm());
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
        self.mirror.sweep();
        if !self.settings.is_on() {
            self.switch_off(&mut switches, Why::Off);
            self.mirror.sweep();
            return;
        }
        if switches.following && self.mirror.why_not().is_none() {
            return;
        }
        self.unfollow(&mut switches);
        match self.switch_on(&mut switches) {
            Ok(()) => switches.retry_ms = 0,
            Err(Why::Off) => self.switch_off(&mut switches, Why::Off),
            Err(why) => {
                if switches.retry_ms == 0 {
                    pr_warn!("not serving a namespace: {}\n", why.text());
                }
                let pause = switches
                    .retry_ms
                    .saturating_mul(2)
                    .clamp(RETRY_FIRST_MS, RETRY_LAST_MS);
                switches.retry_ms = pause;
                self.work.schedule(msecs_to_jiffies(pause));
            }
        }
    }

    fn switch_on(&self, switches: &mut Switches) -> Result<(), Why> {
        if !self.net.address_hash_holds() {
            return Err(Why::Unsupported);
        }
        self.counts.allocate().map_err(|_| Why::NoMemory)?;
        // SAFETY: `self` outlives its registration: `stop` unregisters before the namespace goes.
        // The switches are locked, so the calls are serialised.
        unsafe {
            self.mirror.load(
                self.net,
                &self.notifier,
                core::ptr::from_ref(self),
                Plan {
                    budget: self.settings.budget(),
                    algorithm: self.settings.algorithm(),
                },
                || self.settings.is_on(),
            )?;
        }
        switches.following = true;
        self.counts.count(Count::Resync);
        if !switches.hooked {
            // SAFETY: As above; a grace period passes between `stop` and the end of `self`.
            if unsafe { self.hook.register(self.net, core::ptr::from_ref(self)) }.is_err() {
                self.unfollow(switches);
                self.mirror.stop(Why::Refused);
                return Err(Why::Refused);
            }
            switches.hooked = true;
        }
        Ok(())
    }

    fn unfollow(&self, switches: &mut Switches) {
        if switches.following {
            // SAFETY: It is registered, and the switches are locked.
            unsafe { self.notifier.unregister(self.net) };
            switches.following = false;
        }
    }

    fn switch_off(&self, switches: &mut Switches, why: Why) {
        if switches.hooked {
            // SAFETY: It is registered, and the switches are locked.
            unsafe { self.hook.unregister(self.net) };
            switches.hooked = false;
        }
        self.unfollow(switches);
        self.mirror.stop(why);
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

/// Makes a file, of the namespace and in its folder.
type MakeFile = fn(&Net, &Entry) -> Result<Entry>;

const FILES: &[MakeFile] = &[
    |_, folder| Entry::page::<status::Status>(folder, c"status"),
    |_, folder| Entry::page::<punts::Punts>(folder, c"punts"),
    |_, folder| Entry::page::<audit::Audit>(folder, c"audit"),
    |net, folder| Entry::lines::<routes::Routes>(net, Some(folder), c"routes"),
    |net, folder| Entry::lines::<tables::Tables>(net, Some(folder), c"tables"),
    |net, folder| Entry::lines::<nexthops::NextHops>(net, Some(folder), c"nexthops"),
    |net, folder| Entry::lines::<mismatches::Mismatches>(net, Some(folder), c"mismatches"),
    |net, _| Entry::lines::<stat::Stat>(net, None, c"altfib"),
];

impl PerNet for Namespace {
    fn new(net: &'static Net) -> impl PinInit<Self> {
        // The parameter was checked when the module was loaded.
        let mode = module::mode_parameter()
            .to_str()
            .map_err(|_| EINVAL)
            .and_then(Mode::parse)
            .unwrap_or(Mode::Off);
        pin_init!(Self {
            work <- DelayedWork::new(),
            net,
            counts: Counts::new(),
            settings: Settings::new(net, mode),
            mirror <- Mirror::new(static_lock_class!()),
            verification <- Verification::new(
                static_lock_class!(),
                static_lock_class!(),
                static_lock_class!(),
            ),
            hook <- Hook::new(),
            notifier <- FibNotifier::new(),
            switches <- new_mutex!(Switches::default(), "altfib_switches"),
        })
    }

    fn start(self: Pin<&Self>) {
        let shown = self.show(&mut self.switches.lock());
        if let Err(e) = shown {
            pr_warn!("some files of a namespace come later: {:?}\n", e);
        }
        if self.settings.is_on() || shown.is_err() {
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
        self.switch_off(&mut self.switches.lock(), Why::Off);
        // Nobody is left who could schedule it again.
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
        self.examine();
        self.reconcile();
        if !self.mirror.tidy() {
            self.work.schedule(msecs_to_jiffies(TIDY_MS));
        }
    }
}

impl FollowFib for Namespace {
    fn event(&self, event: FibEvent<'_>) {
        match self.mirror.event(self.net, &self.counts, event) {
            Then::Nothing => {}
            Then::Load => self.work.schedule(msecs_to_jiffies(RETRY_FIRST_MS)),
            Then::Tidy => self.work.schedule(msecs_to_jiffies(TIDY_MS)),
        }
    }

    fn restart(&self) {
        self.mirror.restart();
    }

    fn nexthop_object_changed(&self) {
        self.mirror.nexthop_object_changed(&self.counts);
    }
}

impl FollowDevices for Namespace {
    fn device_changed(net: &Net, ifindex: c_int) {
        if let Some(ns) = net.value::<Namespace>() {
            ns.mirror.device_changed(&ns.counts, ifindex);
        }
    }
}
