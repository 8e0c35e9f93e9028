// SPDX-License-Identifier: GPL-2.0

//! The mirror: the namespace's IPv4 routes as the kernel has them now.
//!
//! It follows the FIB notifier, whoever changes the routes. A change that the notifier tells is
//! in force for packets before the callback returns, and so before the system call of whoever
//! made it: a route that was deleted is not used once the deletion has returned. What keeps the
//! mirror from that promise, an allocation that fails for instance, ends its service at once;
//! packets are the kernel's until a worker has loaded it anew ([`load`]).
//!
//! Tables stay apart as in the kernel ([`tables`] says how a lookup joins local and main).

mod bulk;
mod filling;
mod filter;
pub(crate) mod ipv4;
pub(crate) mod ipv6;
mod leaves;
mod load;
mod others;
mod queue;
pub(crate) mod tables;

use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::lpm::Algorithm;
use crate::lpm::Family;
use crate::lpm::Prefix;
use crate::lpm::Value;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::fib::Events;
use crate::sys::flow::Generation;
use crate::sys::lock::BhLock;
use crate::sys::net::Net;
use crate::sys::rcu::RcuBox;
use crate::sys::rcu::ReadSide;
use crate::sys::rcu::Retired;
use crate::sys::time;
use crate::sys::work;
use bulk::Bulks;
use filling::Burst;
use filling::Filling;
pub(crate) use filling::REST_MS;
use ipv6::Unlinked;
use kernel::alloc::Flags;
use kernel::prelude::*;
use kernel::sync::rcu;
use kernel::sync::LockClassKey;
pub(crate) use load::Plan;
use queue::Keep;
use queue::Queue;
use tables::Which;

/// Why a namespace is not served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// `mode=off`.
    Off,
    /// There is nowhere for packets to come from.
    NoDevice,
    /// The routes are being read.
    Loading,
    /// Memory ran out.
    NoMemory,
    /// `memory_max_kb` is reached.
    Budget,
    /// So many routes come that they are read when they have rested.
    Filling,
    /// Routes changed faster than they could be read.
    TooBusy,
    /// The namespace refused the notifier or the hook.
    Refused,
    /// An audit found a difference.
    Different,
    /// Too many tables are empty, or nearly so.
    Littered,
    /// `output` was changed.
    Output,
    /// The kernel is not as altfib knows it.
    Unsupported,
}

impl Why {
    /// A clause for people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Why::Off => "mode is off",
            Why::NoDevice => "no device is up but lo, which needs no routes",
            Why::Loading => "reading the routes",
            Why::NoMemory => "out of memory, will try again",
            Why::Budget => "the routes need more than memory_max_kb, raise it",
            Why::Filling => "many routes come, reading them when they rest",
            Why::TooBusy => "routes change faster than they can be read, will try again",
            Why::Refused => "the kernel refused the notifier or the hook, will try again",
            Why::Different => "the mirror differed from the kernel's tables, reading them anew",
            Why::Littered => "many routes or routing tables went, reading the rest anew",
            Why::Output => "output was changed, reading the routes anew",
            Why::Unsupported => "this kernel hashes its addresses in a way unknown to altfib",
        }
    }
}

impl From<crate::lpm::Error> for Why {
    fn from(e: crate::lpm::Error) -> Self {
        match e {
            // The loader sorts: the second cannot happen.
            crate::lpm::Error::NoMemory | crate::lpm::Error::Unsorted => Why::NoMemory,
            crate::lpm::Error::Budget => Why::Budget,
        }
    }
}

/// What an event asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The mirror has just stopped serving and must be loaded again.
    Load,
    /// The same, once [`Mirror::has_rested`].
    Rest,
    /// [`Mirror::tidy`], or [`Mirror::waste`] says something, or the algorithm is another one.
    Tidy,
}

/// What an event changed, to be counted and acted upon.
#[derive(Default)]
pub(crate) struct Change {
    /// Added, replaced or deleted.
    pub(crate) kind: Option<Count>,
    /// Cached dsts dropped because their last prefix went.
    pub(crate) dropped_by_route: u64,
    /// Cached dsts dropped because a path came or went.
    pub(crate) dropped_by_path: u64,
    /// A route is gone whose dst had been handed out.
    pub(crate) outdates_served: bool,
    /// The first prefix of a next hop that is gone is left in its table.
    pub(crate) leaves: bool,
}

/// Tables, and who changes them.
type Pair<K> = (KBox<<K as Kind>::Serving>, KBox<<K as Kind>::Routes>);

/// A prefix of a table, and its value.
type Place<F> = (Which, Prefix<F>, Value);

/// What is of one address family.
pub(crate) trait Kind: Events + Sized + 'static {
    type Family: Family;
    /// An event that waits for the loader.
    type Kept: Keep<Self> + Send;
    /// What readers find.
    type Serving: Send + Sync;
    /// The writer's side of it.
    type Routes: Send;

    /// Empty tables, which nobody reads yet.
    fn empty(plan: Plan, flags: Flags) -> Result<Pair<Self>, Why>;

    /// What an event does to a table that is to be built at once; 0 takes a prefix away. `None` if
    /// that can't be said without the table.
    fn collect(
        routes: &mut Self::Routes,
        serving: &Self::Serving,
        kept: &Self::Kept,
        flags: Flags,
    ) -> Result<Option<Place<Self::Family>>, Why>;

    /// Builds the tables, which are empty, at once.
    fn build(
        routes: &mut Self::Routes,
        serving: &Self::Serving,
        bulks: Bulks<Self::Family>,
    ) -> Result<(), Why>;

    /// Applies an event that has waited.
    fn fold(
        routes: &mut Self::Routes,
        serving: &Self::Serving,
        kept: &Self::Kept,
        flags: Flags,
    ) -> Result<(), Why>;

    /// Applies an event. An error leaves the tables as they were, and so not true any more.
    fn apply(
        routes: &mut Self::Routes,
        serving: &Self::Serving,
        event: Self::Event<'_>,
        flags: Flags,
    ) -> Result<Change, Why>;

    /// The tables are complete as of now, and readers are about to come.
    fn set_loaded(routes: &mut Self::Routes);

    /// Milliseconds since boot when that was.
    fn loaded_at(routes: &Self::Routes) -> u64;

    fn sizes(routes: &Self::Routes, serving: &Self::Serving) -> Sizes;

    /// Prefixes of all tables.
    fn prefixes(routes: &Self::Routes) -> usize;

    /// The algorithm of the main table.
    fn main_algorithm(routes: &Self::Routes) -> Algorithm;

    /// Whether the tables have much more memory than they need.
    fn is_wasteful(routes: &Self::Routes) -> bool;

    /// Sets the bytes that the tables may take.
    fn set_budget(routes: &mut Self::Routes, bytes: usize);

    /// Pins the tables to an algorithm, or lets their size choose.
    fn set_algorithm(
        routes: &mut Self::Routes,
        serving: &Self::Serving,
        algorithm: Option<Algorithm>,
        flags: Flags,
    );

    /// Whoever keeps a dst must look again.
    fn outdate(net: &Net);

    /// Gives back every reference on what is the kernel's.
    fn release_all(routes: &mut Self::Routes, serving: &Self::Serving);
}

/// Milliseconds between the news of an IPv6 route and its place in the tables, at most.
const LINK_MS: i64 = 2;

/// Prefixes looked at before others may have the lock.
const BATCH: usize = 128;

/// Flags of what is allocated while nobody may sleep: charged to whoever adds the route, and
/// quiet when it fails, since that has an answer.
fn atomic_flags() -> Flags {
    GFP_ATOMIC | __GFP_NOWARN | (GFP_KERNEL_ACCOUNT & !GFP_KERNEL)
}

/// What a writer leaves behind: readers may still be there, and it may be large.
#[expect(dead_code)]
pub(crate) struct Waste<K: Kind>(Option<Retired<K::Serving>>, Option<KBox<K::Routes>>);

enum Phase<K: Kind> {
    /// No notifier, or its events do not matter.
    Idle(Why),
    /// Events are counted.
    Filling(Filling),
    /// Events are kept for the loader.
    Loading(Queue<K::Kept>),
    /// Events are applied as they come.
    Synced(KBox<K::Routes>),
}

struct Inner<K: Kind> {
    phase: Phase<K>,
    /// Why service ended last.
    ended: Option<Why>,
    burst: Burst,
    waste: Option<Waste<K>>,
}

/// The mirror of one family in one namespace.
#[pin_data]
pub(crate) struct Mirror<K: Kind> {
    net: &'static Net,
    #[pin]
    inner: BhLock<Inner<K>>,
    serving: RcuBox<K::Serving>,
    /// Steps before and behind each change, with the lock held: what somebody has kept of an answer is
    /// worth nothing then.
    generation: Generation,
}

/// Sizes, for people.
#[derive(Default)]
pub(crate) struct Sizes {
    pub(crate) main: usize,
    pub(crate) local: usize,
    /// Other tables that have prefixes, and those.
    pub(crate) tables: usize,
    pub(crate) others: usize,
    pub(crate) nexthops: u32,
    /// Names of the algorithms of the main and the local table.
    pub(crate) algorithm: &'static str,
    pub(crate) local_algorithm: &'static str,
    /// Bytes that lookups touch.
    pub(crate) touched: usize,
    /// Bytes of what only lookups of the kernel's own need.
    pub(crate) leaves: usize,
    /// Microseconds that the tables took to sort and build when they were loaded.
    pub(crate) built_us: u64,
    pub(crate) memory: usize,
}

impl Sizes {
    /// Prefixes of all tables.
    pub(crate) fn prefixes(&self) -> usize {
        self.main
            .saturating_add(self.local)
            .saturating_add(self.others)
    }
}

impl<K: Kind> Mirror<K> {
    /// Serves nobody, which is for this reason.
    pub(crate) fn new(
        net: &'static Net,
        why: Why,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            net,
            inner <- BhLock::new(
                Inner {
                    phase: Phase::Idle(why),
                    ended: None,
                    burst: Burst::new(),
                    waste: None,
                },
                c"altfib_mirror",
                key,
            ),
            serving: RcuBox::empty(),
            generation: Generation::new(),
        })
    }

    /// The tables, while they are true.
    #[inline]
    pub(crate) fn serving<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a K::Serving> {
        self.serving.get(rcu)
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Why packets are the kernel's now, if they are.
    pub(crate) fn why_not(&self) -> Option<Why> {
        match self.inner.lock().phase {
            Phase::Idle(why) => Some(why),
            Phase::Filling(_) => Some(Why::Filling),
            Phase::Loading(_) => Some(Why::Loading),
            Phase::Synced(_) => None,
        }
    }

    /// Why service ended last, if it ever did.
    pub(crate) fn ended(&self) -> Option<Why> {
        self.inner.lock().ended
    }

    /// Applies or keeps one event of the notifier, and says what is to be done then.
    ///
    /// # Context
    ///
    /// Atomic, RTNL held.
    pub(crate) fn event(&self, counts: &Counts, event: K::Event<'_>) -> Then {
        let mut lock = self.inner.lock();
        let inner = &mut *lock;
        let routes = match &mut inner.phase {
            Phase::Idle(_) => return Then::Nothing,
            Phase::Filling(filling) => {
                filling.changed();
                return Then::Nothing;
            }
            Phase::Loading(queue) => {
                queue.push::<K>(event);
                return Then::Nothing;
            }
            Phase::Synced(routes) => routes,
        };
        let guard = rcu::read_lock();
        let Some(serving) = self.serving.get(ReadSide::of(&guard)) else {
            return Then::Nothing;
        };
        let algorithm = K::main_algorithm(routes);
        self.generation.step();
        let result = K::apply(routes, serving, event, atomic_flags());
        self.generation.step();
        match result {
            Ok(change) => {
                self.account(counts, &change);
                if matches!(change.kind, Some(Count::RouteAdd))
                    && inner.burst.added(|| K::prefixes(routes), time::now_ms)
                {
                    let filling = Filling::new(K::prefixes(routes), time::now_ms());
                    drop(guard);
                    self.stop_locked(inner, Why::Filling);
                    inner.phase = Phase::Filling(filling);
                    return Then::Rest;
                }
                let went = matches!(change.kind, Some(Count::RouteDelete));
                let switched = algorithm != K::main_algorithm(routes);
                if change.leaves || switched || went && K::is_wasteful(routes) {
                    Then::Tidy
                } else {
                    Then::Nothing
                }
            }
            Err(why) => {
                if why != Why::Littered {
                    counts.count(Count::OutOfMemory);
                }
                drop(guard);
                self.stop_locked(inner, why);
                Then::Load
            }
        }
    }

    fn account(&self, counts: &Counts, change: &Change) {
        if let Some(kind) = change.kind {
            counts.count(kind);
        }
        counts.add(Count::DropFib, change.dropped_by_route);
        counts.add(Count::DropNexthop, change.dropped_by_path);
        if change.outdates_served {
            K::outdate(self.net);
        }
    }

    /// Ends service at once, and gives back every reference. What is left waits in `waste` for
    /// somebody who may sleep.
    fn stop_locked(&self, inner: &mut Inner<K>, why: Why) {
        let guard = rcu::read_lock();
        self.generation.step();
        let phase = core::mem::replace(&mut inner.phase, Phase::Idle(why));
        let mut left = None;
        if let Phase::Synced(mut routes) = phase {
            if let Some(serving) = self.serving.get(ReadSide::of(&guard)) {
                K::release_all(&mut routes, serving);
            }
            left = Some(routes);
            inner.ended = Some(why);
        }
        drop(guard);
        let retired = self.serving.replace(None);
        self.generation.step();
        if retired.is_some() {
            // Nobody will tell whoever keeps a dst from us when its route changes.
            K::outdate(self.net);
        }
        if retired.is_some() || left.is_some() {
            // Whoever starts again sweeps first, so this slot is empty.
            inner.waste = Some(Waste(retired, left));
        }
    }

    /// Stops serving, from process context. What is left is for [`Mirror::sweep`].
    pub(crate) fn stop(&self, why: Why) {
        let mut inner = self.inner.lock();
        // A queue may be long and holds references: let it go outside the lock.
        let queue = match core::mem::replace(&mut inner.phase, Phase::Idle(why)) {
            Phase::Loading(queue) => Some(queue),
            other => {
                inner.phase = other;
                None
            }
        };
        self.stop_locked(&mut inner, why);
        drop(inner);
        drop(queue);
    }

    /// Whether nothing keeps the routes from being read now. To be asked again in [`REST_MS`] if not.
    pub(crate) fn has_rested(&self) -> bool {
        match &mut self.inner.lock().phase {
            Phase::Filling(filling) => filling.has_rested(time::now_ms()),
            _ => true,
        }
    }

    /// Frees what an earlier stop left.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn sweep(&self) {
        let waste = self.inner.lock().waste.take();
        drop(waste);
    }

    /// Runs `f` on the routes with the lock held, if the mirror is in sync.
    pub(crate) fn with_routes<R>(
        &self,
        f: impl FnOnce(&mut K::Routes, &K::Serving) -> R,
    ) -> Option<R> {
        let mut inner = self.inner.lock();
        let Phase::Synced(routes) = &mut inner.phase else {
            return None;
        };
        let guard = rcu::read_lock();
        let serving = self.serving.get(ReadSide::of(&guard))?;
        Some(f(routes, serving))
    }

    /// The number of prefixes, if a new start would free much memory.
    pub(crate) fn waste(&self) -> Option<usize> {
        self.with_routes(|routes, _| K::is_wasteful(routes).then(|| K::prefixes(routes)))?
    }

    /// How large everything is.
    pub(crate) fn sizes(&self) -> Sizes {
        self.with_routes(|routes, serving| K::sizes(routes, serving))
            .unwrap_or_default()
    }

    /// Prefixes of all tables.
    pub(crate) fn prefixes(&self) -> usize {
        self.with_routes(|routes, _| K::prefixes(routes))
            .unwrap_or(0)
    }

    /// The algorithm of the main table, if the mirror is in sync.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.with_routes(|routes, _| K::main_algorithm(routes))
    }

    /// Sets the bytes that the tables may take, from now on.
    pub(crate) fn set_budget(&self, bytes: usize) {
        self.with_routes(|routes, _| K::set_budget(routes, bytes));
    }

    /// Sets the algorithm of the tables, from now on.
    pub(crate) fn set_algorithm(&self, algorithm: Option<Algorithm>) {
        self.with_routes(|routes, serving| {
            K::set_algorithm(routes, serving, algorithm, atomic_flags());
        });
    }

    /// Milliseconds since boot when the mirror was last loaded, and 0 if it is not in sync.
    pub(crate) fn in_sync_since(&self) -> Option<u64> {
        self.with_routes(|routes, _| time::now_ms().saturating_sub(K::loaded_at(routes)))
    }
}

impl Mirror<Ipv6> {
    /// Whether a route is held that the kernel does not have any more.
    ///
    /// The notifier does not tell when all siblings are deleted by the device of one that is not the
    /// first (`ip -6 route del PREFIX dev DEVICE`; see `__ip6_del_rt_siblings()`). Packets to such a
    /// prefix are the kernel's, but the reference holds up the end of the device.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn has_lost_an_end(&self) -> bool {
        let look = |id, many| {
            self.with_routes(|routes, serving| routes.unlinked(serving, id, many))
                .unwrap_or(Unlinked::None)
        };
        let mut id = 1;
        loop {
            match look(id, BATCH as u32) {
                Unlinked::None => return false,
                Unlinked::More { id: next } => id = next,
                Unlinked::Found { id: found, route } => {
                    // A route is told before it is linked, but not for so long.
                    time::sleep_ms(LINK_MS);
                    if look(found, 1) == (Unlinked::Found { id: found, route }) {
                        return true;
                    }
                    id = found.saturating_add(1);
                }
            }
            work::reschedule();
        }
    }
}

impl Mirror<Ipv4> {
    /// Gives all cached routes back; says how many there were.
    pub(crate) fn flush(&self) -> u64 {
        self.with_routes(|routes, serving| routes.nexthops().drop_all(serving.nexthops()))
            .unwrap_or(0)
    }

    /// Takes out what is left of next hops that are gone. `false`: there is more to come.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn tidy(&self) -> bool {
        let mut after = None;
        if self.with_routes(|routes, _| routes.left()).unwrap_or(0) == 0 {
            return true;
        }
        loop {
            let swept = self
                .with_routes(|routes, serving| routes.sweep(serving, after, BATCH, atomic_flags()));
            match swept {
                Some(Ok(Some(prefix))) => after = Some(prefix),
                // Not in sync, at the end, or short of memory.
                _ => break,
            }
            work::reschedule();
        }
        self.with_routes(|routes, _| routes.left()).unwrap_or(0) == 0
    }

    /// Drops the cached routes of a device that changed, or goes.
    pub(crate) fn device_changed(&self, counts: &Counts, ifindex: c_int) {
        self.with_routes(|routes, serving| {
            let dropped = routes.nexthops().drop_device(serving.nexthops(), ifindex);
            counts.add(Count::DropDevice, dropped);
        });
    }

    /// Drops the cached routes that go through next-hop objects, one of which has changed.
    pub(crate) fn nexthop_object_changed(&self, counts: &Counts) {
        self.with_routes(|routes, serving| {
            let dropped = routes.nexthops().drop_objects(serving.nexthops());
            counts.add(Count::DropNexthop, dropped);
        });
    }
}
