// SPDX-License-Identifier: GPL-2.0

//! The network device notifier.

use super::bindings;
use super::net::Net;
use core::marker::PhantomData;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

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

/// Before the kernel's own FIB (priority 0) takes its routes down, so that what the device takes
/// along is dropped, and counted, as the device's doing.
const PRIORITY: c_int = 10;

/// After everybody else: policy rules follow the devices' names, for instance.
const PRIORITY_LAST: c_int = c_int::MIN;

/// Follows the devices of all namespaces until it is dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct DeviceNotifier<T> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    #[pin]
    last: Last<T>,
    _t: PhantomData<fn(T)>,
}

// SAFETY: Nothing to do with it but to drop it, which any thread may.
unsafe impl<T> Send for DeviceNotifier<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for DeviceNotifier<T> {}

impl<T: FollowDevices> DeviceNotifier<T> {
    /// Registers it. Every existing device is announced.
    ///
    /// # Context
    ///
    /// Process, may sleep; takes `pernet_ops_rwsem` and RTNL.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: `slot` is pinned and valid for writes, and `drop` unregisters it.
            block <- unsafe {
                pin_init::pin_init_from_closure(|slot: *mut Opaque<bindings::notifier_block>| {
                    let block = Opaque::cast_into(slot);
                    block.write(bindings::notifier_block {
                        notifier_call: Some(Self::call),
                        priority: PRIORITY,
                        ..Default::default()
                    });
                    to_result(bindings::register_netdevice_notifier(block))
                })
            },
            last <- Last::new(),
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
        if matches!(
            event as c_uint,
            bindings::netdev_cmd_NETDEV_UP
                | bindings::netdev_cmd_NETDEV_DOWN
                | bindings::netdev_cmd_NETDEV_CHANGE
                | bindings::netdev_cmd_NETDEV_CHANGEMTU
                | bindings::netdev_cmd_NETDEV_CHANGEUPPER
                | bindings::netdev_cmd_NETDEV_UNREGISTER
        ) {
            let mut net = core::ptr::null_mut();
            // SAFETY: The core passes a valid device with each event.
            let ifindex = unsafe { bindings::netdev_ifindex(info, &mut net) };
            // SAFETY: A device's namespace outlives the event.
            let net = unsafe { Net::from_raw(net) };
            T::device_changed(net, ifindex);
            if event as c_uint == bindings::netdev_cmd_NETDEV_UNREGISTER {
                T::device_goes(net);
            }
        }
        bindings::NOTIFY_DONE as c_int
    }
}

/// The other end of the notifiers' list.
#[pin_data(PinnedDrop)]
struct Last<T> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _t: PhantomData<fn(T)>,
}

impl<T: FollowDevices> Last<T> {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: `slot` is pinned and valid for writes, and `drop` unregisters it.
            block <- unsafe {
                pin_init::pin_init_from_closure(|slot: *mut Opaque<bindings::notifier_block>| {
                    let block = Opaque::cast_into(slot);
                    block.write(bindings::notifier_block {
                        notifier_call: Some(Self::call),
                        priority: PRIORITY_LAST,
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
        if matches!(
            event as c_uint,
            bindings::netdev_cmd_NETDEV_UP
                | bindings::netdev_cmd_NETDEV_DOWN
                | bindings::netdev_cmd_NETDEV_CHANGE
                | bindings::netdev_cmd_NETDEV_CHANGEMTU
                | bindings::netdev_cmd_NETDEV_CHANGEUPPER
                | bindings::netdev_cmd_NETDEV_CHANGENAME
                | bindings::netdev_cmd_NETDEV_REGISTER
                | bindings::netdev_cmd_NETDEV_UNREGISTER
        ) {
            let mut net = core::ptr::null_mut();
            // SAFETY: The core passes a valid device with each event.
            unsafe { bindings::netdev_ifindex(info, &mut net) };
            // SAFETY: A device's namespace outlives the event.
            T::device_settled(unsafe { Net::from_raw(net) });
        }
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Last<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered by `new`.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

#[pinned_drop]
impl<T> PinnedDrop for DeviceNotifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered by `new`.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}
