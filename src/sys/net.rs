// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and one value of ours in each of them.

use super::bindings;
use super::compat;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// A network namespace.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

// SAFETY: What this type offers may be called from any thread.
unsafe impl Sync for Net {}
// SAFETY: As above.
unsafe impl Send for Net {}

/// Whether one more message about packets may be logged: `net.core.message_burst` and
/// `message_cost` limit all of the network's.
pub(crate) fn may_log() -> bool {
    // SAFETY: No requirement.
    unsafe { bindings::may_log() }
}

impl Net {
    /// # Safety
    ///
    /// `ptr` is a valid namespace for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: By the requirement; `Net` is a transparent wrapper.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Whether its owner is the initial user namespace, that is, the host's administrator.
    pub(crate) fn is_owned_by_host(&self) -> bool {
        // SAFETY: `self` is a valid namespace, whose owner never changes.
        unsafe { bindings::net_is_init_user_ns(self.as_ptr()) }
    }

    /// Whether it goes now, and not only altfib in it.
    ///
    /// # Context
    ///
    /// [`PerNet::stop`], which does not run for a namespace that is about to be taken down later: the
    /// core marks a namespace and calls this with a lock held that unloading a module takes, too.
    pub(crate) fn is_dying(&self) -> bool {
        // SAFETY: `self` is a valid namespace.
        unsafe { bindings::net_is_dying(self.as_ptr()) }
    }

    /// Whether our copy of the kernel's address hash finds each of the namespace's addresses.
    pub(crate) fn address_hash_holds(&self) -> bool {
        // SAFETY: `self` is a valid namespace; the helper takes RCU itself.
        unsafe { bindings::ifaddr_hash_ok(self.as_ptr()) }
    }

    /// Whether a device is up, beside the loopback device.
    pub(crate) fn has_device(&self) -> bool {
        // SAFETY: `self` is a valid namespace; the helper takes RCU itself.
        unsafe { bindings::has_device(self.as_ptr()) }
    }

    /// The namespace that the machine started with.
    pub(crate) fn initial() -> &'static Self {
        // SAFETY: `init_net` is valid for ever.
        unsafe { Self::from_raw(&raw mut bindings::init_net) }
    }

    /// Makes every cached route of the namespace prove itself again (`rt_genid_bump_ipv4`).
    pub(crate) fn bump_route_generation(&self) {
        // SAFETY: `self` is a valid namespace; the generation is an atomic.
        unsafe { bindings::genid_bump(self.as_ptr()) };
    }

    /// The value of `T` for this namespace, if its type is registered.
    pub(crate) fn value<T: PerNet>(&self) -> Option<&T> {
        // SAFETY: `ID` is written once by the registration, before any namespace has a value.
        let id = unsafe { (&raw const ID).read() };
        if id == 0 {
            return None;
        }
        // SAFETY: `self` is valid, and `id` is registered for as long as callbacks that lead here
        // can run.
        let slot = unsafe { bindings::net_generic(self.as_ptr(), id) };
        // SAFETY: The slot holds a `T` that `init` built, and lives until the namespace's `exit`.
        NonNull::new(slot.cast::<T>()).map(|p| unsafe { &*p.as_ptr() })
    }
}

/// A value in each network namespace.
///
/// The kernel allocates it with the namespace, so there is nothing here that could fail and veto
/// somebody's `clone(CLONE_NEWNET)`.
pub(crate) trait PerNet: Send + Sync + Sized {
    /// Builds the value for `net`, which outlives it.
    fn new(net: &'static Net) -> impl PinInit<Self>;

    /// The namespace is there: make entries, start work. Process context, may sleep.
    fn start(self: Pin<&Self>);

    /// The namespace goes: stop everything that calls in, give back every reference. Process
    /// context, may sleep. A grace period passes before the value is dropped.
    fn stop(self: Pin<&Self>);
}

// One type per module is enough, and a static is what the callbacks can reach.
static mut ID: c_uint = 0;

/// Gives each namespace its `T`, those that exist and those to come, until it is dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct PerNetRegistration<T: PerNet> {
    #[pin]
    ops: Opaque<bindings::pernet_operations>,
    _t: PhantomData<T>,
}

// SAFETY: Registering and unregistering may happen on any thread.
unsafe impl<T: PerNet> Send for PerNetRegistration<T> {}
// SAFETY: A shared reference offers nothing.
unsafe impl<T: PerNet> Sync for PerNetRegistration<T> {}

impl<T: PerNet> PerNetRegistration<T> {
    /// Registers `T`. At most one registration may exist in the module.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: `slot` is pinned and valid for writes; the operations and `ID` stay where
            // they are until `drop` has unregistered them.
            ops <- unsafe {
                pin_init::pin_init_from_closure(
                    |slot: *mut Opaque<bindings::pernet_operations>| {
                        let ops = Opaque::cast_into(slot);
                        ops.write(bindings::pernet_operations {
                            init: Some(Self::init),
                            pre_exit: Some(Self::pre_exit),
                            exit: Some(Self::exit),
                            id: &raw mut ID,
                            size: size_of::<T>(),
                            ..Default::default()
                        });
                        to_result(bindings::register_pernet_subsys(ops))
                    },
                )
            },
            _t: PhantomData,
        })
    }

    /// A namespace comes.
    ///
    /// # Safety
    ///
    /// `net` is a namespace being set up, with a zeroed slot for a `T`.
    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        // SAFETY: The core calls this with a namespace that outlives the value.
        let net: &'static Net = unsafe { Net::from_raw(net) };
        // SAFETY: `ID` was set by the core before it calls this; the slot has `size` zeroed
        // bytes, is not used by anybody yet, and stays where it is.
        unsafe {
            let slot = bindings::net_generic(net.as_ptr(), (&raw const ID).read()).cast::<T>();
            compat::raw_init(slot, T::new(net));
            Pin::new_unchecked(&*slot).start();
        }
        0
    }

    /// A namespace goes.
    ///
    /// # Safety
    ///
    /// `init` has run for `net`, and `exit` has not.
    unsafe extern "C" fn pre_exit(net: *mut bindings::net) {
        // SAFETY: The core calls this with a namespace whose `init` has run.
        if let Some(value) = unsafe { Net::from_raw(net) }.value::<T>() {
            // SAFETY: The value never moves.
            unsafe { Pin::new_unchecked(value) }.stop();
        }
    }

    /// A namespace has gone, and a grace period with it.
    ///
    /// The core frees the memory of the slot when all others in the namespace have come to their end.
    ///
    /// # Safety
    ///
    /// `pre_exit` has run for `net`, and nobody else has its slot, but for what was abandoned.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: The core calls this once, after `pre_exit` and a grace period, and frees the
        // slot's memory itself, after every `exit`.
        unsafe {
            let slot = bindings::net_generic(net, (&raw const ID).read()).cast::<T>();
            core::ptr::drop_in_place(slot);
        }
    }
}

#[pinned_drop]
impl<T: PerNet> PinnedDrop for PerNetRegistration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The operations were registered by `new`.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
    }
}
