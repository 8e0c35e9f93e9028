// SPDX-License-Identifier: GPL-2.0

//! `net.altfib.*`: the settings of a namespace.

use crate::cache::Strategy;
use crate::lpm::Algorithm;
use crate::netns::Namespace;
use crate::sys::flow::Limits;
use crate::sys::net::Net;
use crate::sys::sysctl::Builder;
use crate::sys::sysctl::Registration;
use crate::sys::sysctl::Setting;
use crate::sys::sysctl::Text;
use core::marker::PhantomData;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use kernel::fmt::Write;
use kernel::prelude::*;

/// Default of `memory_max_kb` in a namespace of the host.
const MEMORY_KB: u32 = 256 * 1024;
/// And in one that a container's root made.
const MEMORY_KB_GUEST: u32 = 4 * 1024;

/// Sockets whose last route is remembered with `output=socket`, and the most that may be asked for.
const SOCKET_ROUTES: u32 = 4096;
const SOCKET_ROUTES_MAX: u32 = 1 << 20;

/// Most flows in a namespace of the host, in one that a container's root made, and in any.
const MAX_SIZE: u32 = 65_536;
const MAX_SIZE_GUEST: u32 = 4096;
const MAX_SIZE_MAX: u32 = 1 << 20;

/// The other limits of flows.
const GC_THRESH: u32 = 4096;
const GC_INTERVAL_S: u32 = 60;
const GC_TIMEOUT_S: u32 = 300;
const GC_ELASTICITY: u32 = 8;
const SECONDS_MAX: u32 = 86_400;
const ELASTICITY_MAX: u32 = 1024;

/// One packet in so many is verified with `mode=on`.
const SAMPLE: u32 = 65_536;

/// `algorithm` when it is none of [`Algorithm::ALL`].
const AUTO: u32 = u32::MAX;
const AUTO_NAME: &str = "auto";

/// What altfib does in a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Mode {
    /// Nothing.
    Off,
    /// Finds next hops and attaches their routes.
    On,
    /// Finds next hops, lets the kernel decide, and compares.
    Verify,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Off, Mode::On, Mode::Verify];

    /// As written and read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::On => "on",
            Mode::Verify => "verify",
        }
    }

    /// The mode of this name.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or(EINVAL)
    }
}

/// What of the host's own lookups altfib answers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum OutputMode {
    /// Nothing.
    Off,
    /// The longest-prefix match in the main table.
    Lookup,
    /// And before that, the last route of each unconnected socket.
    Socket,
}

impl OutputMode {
    const ALL: [OutputMode; 3] = [OutputMode::Off, OutputMode::Lookup, OutputMode::Socket];

    /// As written and read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            OutputMode::Off => "off",
            OutputMode::Lookup => "lookup",
            OutputMode::Socket => "socket",
        }
    }
}

/// The settings of one namespace. Read at any time; written one at a time by the handlers below.
pub(crate) struct Settings {
    mode: AtomicU32,
    output: AtomicU32,
    socket_routes_max: AtomicU32,
    cache: AtomicU32,
    fastpath: AtomicBool,
    gc_thresh: AtomicU32,
    gc_interval: AtomicU32,
    gc_timeout: AtomicU32,
    gc_elasticity: AtomicU32,
    max_size: AtomicU32,
    verify_sample: AtomicU32,
    verify_disables: AtomicBool,
    early_demux_probe: AtomicBool,
    memory_max_kb: AtomicU32,
    algorithm: AtomicU32,
    algorithm6: AtomicU32,
}

impl Settings {
    /// The defaults in `net`: the module parameter's mode in namespaces of the host, and off in
    /// those that a container's root made.
    pub(crate) fn new(net: &Net, mode: Mode) -> Self {
        let host = net.is_owned_by_host();
        Self {
            mode: AtomicU32::new(if host { mode as u32 } else { Mode::Off as u32 }),
            output: AtomicU32::new(OutputMode::Off as u32),
            socket_routes_max: AtomicU32::new(SOCKET_ROUTES),
            cache: AtomicU32::new(Strategy::NextHop as u32),
            fastpath: AtomicBool::new(false),
            gc_thresh: AtomicU32::new(GC_THRESH),
            gc_interval: AtomicU32::new(GC_INTERVAL_S),
            gc_timeout: AtomicU32::new(GC_TIMEOUT_S),
            gc_elasticity: AtomicU32::new(GC_ELASTICITY),
            max_size: AtomicU32::new(if host { MAX_SIZE } else { MAX_SIZE_GUEST }),
            verify_sample: AtomicU32::new(0),
            verify_disables: AtomicBool::new(true),
            early_demux_probe: AtomicBool::new(true),
            memory_max_kb: AtomicU32::new(if host { MEMORY_KB } else { MEMORY_KB_GUEST }),
            algorithm: AtomicU32::new(AUTO),
            algorithm6: AtomicU32::new(AUTO),
        }
    }

    /// Whether altfib decides anything.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.mode.load(Relaxed) != Mode::Off as u32
    }

    pub(crate) fn mode(&self) -> Mode {
        let mode = self.mode.load(Relaxed);
        Mode::ALL
            .into_iter()
            .find(|&known| known as u32 == mode)
            .unwrap_or(Mode::Off)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u32, Relaxed);
    }

    /// What of the host's own lookups is answered.
    pub(crate) fn output(&self) -> OutputMode {
        let output = self.output.load(Relaxed);
        OutputMode::ALL
            .into_iter()
            .find(|&known| known as u32 == output)
            .unwrap_or(OutputMode::Off)
    }

    /// As a power of two, the sockets whose last route is remembered.
    pub(crate) fn socket_bits(&self) -> u32 {
        self.socket_routes_max.load(Relaxed).max(2).ilog2()
    }

    pub(crate) fn set_output(&self, output: OutputMode) {
        self.output.store(output as u32, Relaxed);
    }

    /// Whether the routes of packets are found again in another way than with their next hops.
    #[inline]
    pub(crate) fn has_other_cache(&self) -> bool {
        self.cache.load(Relaxed) != Strategy::NextHop as u32
    }

    /// Whether packets that have their route may be forwarded from PRE_ROUTING, with `mode=on`.
    #[inline]
    pub(crate) fn fastpath(&self) -> bool {
        self.fastpath.load(Relaxed)
    }

    pub(crate) fn set_fastpath(&self, on: bool) {
        self.fastpath.store(on, Relaxed);
    }

    /// Whether packets keep the routes that altfib finds.
    #[inline]
    pub(crate) fn mode_is_on(&self) -> bool {
        self.mode.load(Relaxed) == Mode::On as u32
    }

    /// Where they are found again.
    pub(crate) fn cache(&self) -> Strategy {
        let cache = self.cache.load(Relaxed);
        Strategy::ALL
            .into_iter()
            .find(|&known| known as u32 == cache)
            .unwrap_or(Strategy::NextHop)
    }

    pub(crate) fn set_cache(&self, cache: Strategy) {
        self.cache.store(cache as u32, Relaxed);
    }

    /// How many flows there may be, and for how long.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            gc_thresh: self.gc_thresh.load(Relaxed),
            gc_interval: self.gc_interval.load(Relaxed),
            gc_timeout: self.gc_timeout.load(Relaxed),
            gc_elasticity: self.gc_elasticity.load(Relaxed),
            max_size: self.max_size.load(Relaxed),
        }
    }

    /// Of how many packets one is verified.
    #[inline]
    pub(crate) fn verify_every(&self) -> u32 {
        match self.verify_sample.load(Relaxed) {
            0 if self.mode.load(Relaxed) == Mode::Verify as u32 => 1,
            0 => SAMPLE,
            n => n,
        }
    }

    /// Whether a mismatch switches the namespace off.
    pub(crate) fn verify_disables(&self) -> bool {
        self.verify_disables.load(Relaxed)
    }

    /// Whether a TCP or UDP packet that a socket would claim in early demux is left to the kernel.
    #[inline]
    pub(crate) fn early_demux_probe(&self) -> bool {
        self.early_demux_probe.load(Relaxed)
    }

    /// KiB that the mirror may take.
    pub(crate) fn memory_max_kb(&self) -> u32 {
        self.memory_max_kb.load(Relaxed)
    }

    /// The algorithm that the tables are pinned to; `None` lets their size choose.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        let n = self.algorithm.load(Relaxed) as usize;
        Algorithm::ALL.get(n).copied()
    }

    /// The same for IPv6.
    pub(crate) fn algorithm6(&self) -> Option<Algorithm> {
        let n = self.algorithm6.load(Relaxed) as usize;
        Algorithm::ALL.get(n).copied()
    }

    /// The bytes that the mirror of a family may take: the initial namespace's limit caps every other.
    pub(crate) fn budget(&self) -> usize {
        let cap = match Net::initial().value::<Namespace>() {
            Some(initial) => initial.settings().memory_max_kb(),
            None => u32::MAX,
        };
        (self.memory_max_kb().min(cap) as usize).saturating_mul(1024)
    }
}

/// The settings of a namespace, and those of an address family; none to begin with.
#[derive(Default)]
pub(crate) struct Registrations {
    general: Option<Registration>,
    ipv4: Option<Registration>,
    ipv6: Option<Registration>,
}

impl Registrations {
    /// Registers those settings of `ns` that are not registered yet.
    ///
    /// # Safety
    ///
    /// `ns` outlives `self`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; what was registered stays.
    pub(crate) unsafe fn complete(&mut self, net: &Net, ns: &Namespace) -> Result {
        if self.general.is_none() {
            // SAFETY: By the requirement.
            let mut table = unsafe { Builder::new(core::ptr::from_ref(ns)) };
            table.add::<ModeSetting>(true)?;
            table.add::<Available<Mode>>(false)?;
            table.add::<OutputSetting>(true)?;
            table.add::<Available<OutputMode>>(false)?;
            table.add::<SocketRoutesMax>(true)?;
            table.add::<CacheSetting>(true)?;
            table.add::<Available<Strategy>>(false)?;
            table.add::<Fastpath>(true)?;
            table.add::<GcThresh>(true)?;
            table.add::<GcInterval>(true)?;
            table.add::<GcTimeout>(true)?;
            table.add::<GcElasticity>(true)?;
            table.add::<Available<Algorithm>>(false)?;
            table.add::<EarlyDemuxProbe>(true)?;
            table.add::<AuditNow>(true)?;
            table.add::<VerifySample>(true)?;
            table.add::<VerifyAction>(true)?;
            // A container's root must not grow the host's memory.
            table.add::<MemoryMax>(net.is_owned_by_host())?;
            table.add::<MaxSize>(net.is_owned_by_host())?;
            self.general = Some(table.register(net, c"net/altfib")?);
        }
        if self.ipv4.is_none() {
            // SAFETY: By the requirement.
            let mut table = unsafe { Builder::new(core::ptr::from_ref(ns)) };
            table.add::<AlgorithmSetting>(true)?;
            self.ipv4 = Some(table.register(net, c"net/altfib/ipv4")?);
        }
        if self.ipv6.is_none() {
            // SAFETY: By the requirement.
            let mut table = unsafe { Builder::new(core::ptr::from_ref(ns)) };
            table.add::<AlgorithmSetting6>(true)?;
            self.ipv6 = Some(table.register(net, c"net/altfib/ipv6")?);
        }
        Ok(())
    }
}

/// What a setting can be set to, listed in a file of its own.
trait Choice {
    const LIST: &'static CStr;

    fn names() -> impl Iterator<Item = &'static str>;
}

struct Available<C>(PhantomData<C>);

impl<C: Choice> Setting<Namespace> for Available<C> {
    const NAME: &'static CStr = C::LIST;

    fn read(_ns: &Namespace, out: &mut Text) {
        let mut gap = "";
        for name in C::names() {
            out.push(gap);
            out.push(name);
            gap = " ";
        }
    }

    fn write(_ns: &Namespace, _value: &str) -> Result {
        Err(EPERM)
    }
}

struct ModeSetting;

impl Setting<Namespace> for ModeSetting {
    const NAME: &'static CStr = c"mode";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(ns.settings().mode().name());
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.set_mode(Mode::parse(value)?)
    }
}

impl Choice for Mode {
    const LIST: &'static CStr = c"available_modes";

    fn names() -> impl Iterator<Item = &'static str> {
        Mode::ALL.into_iter().map(Self::name)
    }
}

struct OutputSetting;

impl Setting<Namespace> for OutputSetting {
    const NAME: &'static CStr = c"output";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(ns.settings().output().name());
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        let output = OutputMode::ALL
            .into_iter()
            .find(|output| output.name() == value)
            .ok_or(EINVAL)?;
        ns.set_output(output)
    }
}

impl Choice for OutputMode {
    const LIST: &'static CStr = c"available_outputs";

    fn names() -> impl Iterator<Item = &'static str> {
        OutputMode::ALL.into_iter().map(Self::name)
    }
}

struct SocketRoutesMax;

impl Setting<Namespace> for SocketRoutesMax {
    const NAME: &'static CStr = c"socket_routes_max";

    fn read(ns: &Namespace, out: &mut Text) {
        let n = ns.settings().socket_routes_max.load(Relaxed);
        let _ = out.write_fmt(kernel::prelude::fmt!("{}", n));
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        let n = value.parse::<u32>().map_err(|_| EINVAL)?;
        if !n.is_power_of_two() || !(2..=SOCKET_ROUTES_MAX).contains(&n) {
            return Err(EINVAL);
        }
        ns.settings().socket_routes_max.store(n, Relaxed);
        Ok(())
    }
}

struct CacheSetting;

impl Setting<Namespace> for CacheSetting {
    const NAME: &'static CStr = c"cache";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(ns.settings().cache().name());
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.set_cache(Strategy::parse(value)?)
    }
}

impl Choice for Strategy {
    const LIST: &'static CStr = c"available_caches";

    fn names() -> impl Iterator<Item = &'static str> {
        Strategy::ALL.into_iter().map(Self::name)
    }
}

/// A limit of flows: its setting, its file, and the range of its values.
macro_rules! limits {
    ($($name:ident $field:ident $file:literal $range:expr;)*) => {
        $(
            struct $name;

            impl Setting<Namespace> for $name {
                const NAME: &'static CStr = $file;

                fn read(ns: &Namespace, out: &mut Text) {
                    let n = ns.settings().$field.load(Relaxed);
                    let _ = out.write_fmt(kernel::prelude::fmt!("{}", n));
                }

                fn write(ns: &Namespace, value: &str) -> Result {
                    let n = value.parse::<u32>().map_err(|_| EINVAL)?;
                    if !$range.contains(&n) {
                        return Err(EINVAL);
                    }
                    ns.settings().$field.store(n, Relaxed);
                    ns.limits_changed();
                    Ok(())
                }
            }
        )*
    };
}

limits! {
    GcThresh gc_thresh c"gc_thresh" (0..=MAX_SIZE_MAX);
    GcInterval gc_interval c"gc_interval" (1..=SECONDS_MAX);
    GcTimeout gc_timeout c"gc_timeout" (1..=SECONDS_MAX);
    GcElasticity gc_elasticity c"gc_elasticity" (1..=ELASTICITY_MAX);
    MaxSize max_size c"max_size" (1..=MAX_SIZE_MAX);
}

impl Choice for Algorithm {
    const LIST: &'static CStr = c"available_algorithms";

    fn names() -> impl Iterator<Item = &'static str> {
        let names = Algorithm::ALL.into_iter().map(Self::name);
        Iterator::chain(core::iter::once(AUTO_NAME), names)
    }
}

struct AlgorithmSetting;

impl Setting<Namespace> for AlgorithmSetting {
    const NAME: &'static CStr = c"algorithm";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(ns.settings().algorithm().map_or(AUTO_NAME, Algorithm::name));
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.settings().algorithm.store(algorithm(value)?, Relaxed);
        ns.algorithm_changed();
        Ok(())
    }
}

/// The number of an algorithm's name.
fn algorithm(value: &str) -> Result<u32> {
    match Algorithm::ALL
        .iter()
        .position(|algorithm| algorithm.name() == value)
    {
        Some(n) => Ok(n as u32),
        None if value == AUTO_NAME => Ok(AUTO),
        None => Err(EINVAL),
    }
}

struct AlgorithmSetting6;

impl Setting<Namespace> for AlgorithmSetting6 {
    const NAME: &'static CStr = c"algorithm";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(
            ns.settings()
                .algorithm6()
                .map_or(AUTO_NAME, Algorithm::name),
        );
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.settings().algorithm6.store(algorithm(value)?, Relaxed);
        ns.algorithm_changed();
        Ok(())
    }
}

/// The value of a setting that is 0 or 1.
fn switch(value: &str) -> Result<bool> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(EINVAL),
    }
}

struct Fastpath;

impl Setting<Namespace> for Fastpath {
    const NAME: &'static CStr = c"fastpath";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(if ns.settings().fastpath() { "1" } else { "0" });
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.set_fastpath(switch(value)?)
    }
}

struct EarlyDemuxProbe;

impl Setting<Namespace> for EarlyDemuxProbe {
    const NAME: &'static CStr = c"early_demux_probe";

    fn read(ns: &Namespace, out: &mut Text) {
        out.push(if ns.settings().early_demux_probe() {
            "1"
        } else {
            "0"
        });
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        ns.settings()
            .early_demux_probe
            .store(switch(value)?, Relaxed);
        Ok(())
    }
}

struct MemoryMax;

impl Setting<Namespace> for MemoryMax {
    const NAME: &'static CStr = c"memory_max_kb";

    fn read(ns: &Namespace, out: &mut Text) {
        let _ = out.write_fmt(kernel::prelude::fmt!("{}", ns.settings().memory_max_kb()));
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        let kb = value.parse::<u32>().map_err(|_| EINVAL)?;
        ns.settings().memory_max_kb.store(kb, Relaxed);
        ns.budget_changed();
        Ok(())
    }
}

struct AuditNow;

impl Setting<Namespace> for AuditNow {
    const NAME: &'static CStr = c"audit";

    fn read(_ns: &Namespace, out: &mut Text) {
        out.push("0");
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        match value {
            "1" => ns.audit(),
            _ => Err(EINVAL),
        }
    }
}

struct VerifySample;

impl Setting<Namespace> for VerifySample {
    const NAME: &'static CStr = c"verify_sample";

    fn read(ns: &Namespace, out: &mut Text) {
        let n = ns.settings().verify_sample.load(Relaxed);
        let _ = out.write_fmt(kernel::prelude::fmt!("{}", n));
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        let n = value.parse::<u32>().map_err(|_| EINVAL)?;
        ns.settings().verify_sample.store(n, Relaxed);
        ns.verify_changed();
        Ok(())
    }
}

struct VerifyAction;

const ACTIONS: [(&str, bool); 2] = [("log", false), ("disable", true)];

impl Setting<Namespace> for VerifyAction {
    const NAME: &'static CStr = c"verify_action";

    fn read(ns: &Namespace, out: &mut Text) {
        let disables = ns.settings().verify_disables();
        for (name, value) in ACTIONS {
            if value == disables {
                out.push(name);
            }
        }
    }

    fn write(ns: &Namespace, value: &str) -> Result {
        let (_, disables) = ACTIONS
            .into_iter()
            .find(|(name, _)| *name == value)
            .ok_or(EINVAL)?;
        ns.settings().verify_disables.store(disables, Relaxed);
        Ok(())
    }
}
