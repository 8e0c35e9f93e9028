// SPDX-License-Identifier: GPL-2.0

//! The network device notifier.

use super::bindings;
use super::net::Net;
use core::marker::PhantomData;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// The number of the loopback device in each namespace.
pub(crate) const LOOPBACK: c_int = bindings::LOOPBACK_IFINDEX as c_int;

/// Somebody who must know when a device changes.
pub(crate) trait FollowDevices {
    /// Device `ifindex` of `net` came up, went down, lost or won carrier, changed its MTU or its
    /// master, or goes for good. May be said more than once.
    ///
    /// # Context
    ///
    /// Process, RTNL held.
    fn device_changed(net: &Net, ifindex: c_int);

    /// All others have been told of a change of a device of `net`, of the above or of its name, or that
    /// it is new.
    ///
    /// # Context
    ///
    /// As above.
    fn device_settled(net: &Net);

    /// A device of `net` goes for good. Said again each second while somebody holds it.
    ///
    /// # Context
    ///
    /// As above.
    fn device_goes(net: &Net);
}

/// An end of the list of those who are told.
trait End {
    const PRIORITY: c_int;

    /// What is passed on there of an event of device `ifindex`.
    ///
    /// # Context
    ///
    /// Process, RTNL held.
    fn tell<T: FollowDevices>(event: bindings::netdev_cmd, net: &Net, ifindex: c_int);
}

/// Before the kernel's own FIB (priority 0) takes its routes down, so that what the device takes
/// along is dropped, and counted, as the device's doing.
struct First;

/// After everybody else: policy rules follow the devices' names, for instance.
struct Last;

/// Whether a device is another one for routing than before, by the kernel's own account.
fn is_change(event: bindings::netdev_cmd) -> bool {
    matches!(
        event,
        bindings::netdev_cmd_NETDEV_UP
            | bindings::netdev_cmd_NETDEV_DOWN
            | bindings::netdev_cmd_NETDEV_CHANGE
            | bindings::netdev_cmd_NETDEV_CHANGEMTU
            | bindings::netdev_cmd_NETDEV_CHANGEUPPER
            | bindings::netdev_cmd_NETDEV_UNREGISTER
    )
}

impl End for First {
    const PRIORITY: c_int = 10;

    fn tell<T: FollowDevices>(event: bindings::netdev_cmd, net: &Net, ifindex: c_int) {
        if is_change(event) {
            T::device_changed(net, ifindex);
        }
        if event == bindings::netdev_cmd_NETDEV_UNREGISTER {
            T::device_goes(net);
        }
    }
}

impl End for Last {
    const PRIORITY: c_int = c_int::MIN;

    fn tell<T: FollowDevices>(event: bindings::netdev_cmd, net: &Net, _ifindex: c_int) {
        let is_new = matches!(
            event,
            bindings::netdev_cmd_NETDEV_CHANGENAME | bindings::netdev_cmd_NETDEV_REGISTER
        );
        if is_change(event) || is_new {
            T::device_settled(net);
        }
    }
}

/// Follows the devices of all namespaces until it is dropped.
#[pin_data]
pub(crate) struct DeviceNotifier<T> {
    #[pin]
    first: Notifier<T, First>,
    #[pin]
    last: Notifier<T, Last>,
}

impl<T: FollowDevices> DeviceNotifier<T> {
    /// Registers it. Every existing device is announced.
    ///
    /// # Context
    ///
    /// Process, may sleep; takes `pernet_ops_rwsem` and RTNL.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            first <- Notifier::new(),
            last <- Notifier::new(),
        })
    }
}

/// At one end of the list.
///
/// # Invariants
///
/// `block` is registered.
#[pin_data(PinnedDrop)]
struct Notifier<T, E> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _t: PhantomData<fn(T, E)>,
}

// SAFETY: Nothing to do with it but to drop it, which any thread may.
unsafe impl<T, E> Send for Notifier<T, E> {}
// SAFETY: As above.
unsafe impl<T, E> Sync for Notifier<T, E> {}

impl<T: FollowDevices, E: End> Notifier<T, E> {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: Without an error it is registered.
            // SAFETY: `slot` is pinned and valid for writes, and `drop` unregisters it.
            block <- unsafe {
                pin_init::pin_init_from_closure(|slot: *mut Opaque<bindings::notifier_block>| {
                    let block = Opaque::cast_into(slot);
                    block.write(bindings::notifier_block {
                        notifier_call: Some(Self::call),
                        priority: E::PRIORITY,
                        ..Default::default()
                    });
                    to_result(bindings::register_netdevice_notifier(block))
                })
            },
            _t: PhantomData,
        })
    }

    /// One event.
    ///
    /// # Safety
    ///
    /// `info` carries a valid device, as every netdevice event does.
    unsafe extern "C" fn call(
        _block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let mut net = core::ptr::null_mut();
        // SAFETY: The core passes a valid device with each event.
        let ifindex = unsafe { bindings::netdev_ifindex(info, &mut net) };
        // SAFETY: A device's namespace outlives the event.
        let net = unsafe { Net::from_raw(net) };
        E::tell::<T>(event as bindings::netdev_cmd, net, ifindex);
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T, E> PinnedDrop for Notifier<T, E> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}
