// SPDX-License-Identifier: GPL-2.0

//! A hook at PRE_ROUTING, after everybody else's.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use super::bindings;
use super::family::Ipv4;
use super::family::Ipv6;
use super::net::Net;
use super::packet::HookPacket;
use super::rcu::ReadSide;
use core::marker::PhantomData;
use core::marker::PhantomPinned;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Where the packets of a family pass.
pub(crate) trait Protocol {
    const FAMILY: u32;
    const LAST: c_int;
}

impl Protocol for Ipv4 {
    const FAMILY: u32 = bindings::NFPROTO_IPV4;
    const LAST: c_int = bindings::nf_ip_hook_priorities_NF_IP_PRI_LAST;
}

impl Protocol for Ipv6 {
    const FAMILY: u32 = bindings::NFPROTO_IPV6;
    const LAST: c_int = bindings::nf_ip6_hook_priorities_NF_IP6_PRI_LAST;
}

/// Where a packet is when a hook has seen it.
pub(crate) struct Fate(c_uint);

impl Fate {
    /// On its way through the stack.
    pub(crate) const GOES_ON: Self = Self(bindings::NF_ACCEPT);
    /// Nowhere: somebody has taken it.
    pub(super) const GONE: Self = Self(bindings::NF_STOLEN);
}

/// Somebody who wants to see each packet of a family that a namespace receives.
pub(crate) trait PreRouting<P: Protocol>: Sync {
    /// One packet.
    ///
    /// # Context
    ///
    /// Softirq, or bottom halves off.
    fn packet(&self, packet: HookPacket<'_, P>, rcu: ReadSide<'_>) -> Fate;
}

/// The hook of one owner in one namespace.
///
/// # Invariants
///
/// While the hook is registered, `ops.priv` points to the owner.
#[pin_data]
pub(crate) struct Hook<T, P> {
    #[pin]
    ops: Opaque<bindings::nf_hook_ops>,
    #[pin]
    _pin: PhantomPinned,
    _t: PhantomData<fn(T, P)>,
}

// SAFETY: The operations are changed by `register` and `unregister` only, whose callers
// serialise them.
unsafe impl<T, P> Send for Hook<T, P> {}
// SAFETY: As above.
unsafe impl<T, P> Sync for Hook<T, P> {}

impl<T: PreRouting<P>, P: Protocol> Hook<T, P> {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ops: Opaque::new(bindings::nf_hook_ops::default()),
            _pin: PhantomPinned,
            _t: PhantomData,
        })
    }

    /// Lets `owner` see the packets of `net`.
    ///
    /// # Safety
    ///
    /// `owner` stays valid until a grace period after [`Hook::unregister`]; calls of the two are
    /// serialised and alternate.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) unsafe fn register(&self, net: &Net, owner: *const T) -> Result {
        let mut ops = bindings::nf_hook_ops {
            hook: Some(Self::hook),
            priv_: owner.cast_mut().cast(),
            pf: P::FAMILY as u8,
            hooknum: bindings::nf_inet_hooks_NF_INET_PRE_ROUTING,
            priority: P::LAST,
            ..Default::default()
        };
        ops.set_hook_ops_type(bindings::nf_hook_ops_type_NF_HOOK_OP_UNDEFINED);
        // SAFETY: Not registered, so nobody looks at the operations.
        unsafe { self.ops.get().write(ops) };
        // INVARIANT: `priv` is the owner.
        // SAFETY: `ops` is pinned and filled in; `net` is valid.
        to_result(unsafe { bindings::nf_register_net_hook(net.as_ptr(), self.ops.get()) })
    }

    /// Stops it. Packets that are in the hook may stay there for a grace period.
    ///
    /// # Safety
    ///
    /// The hook is registered in `net`.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) unsafe fn unregister(&self, net: &Net) {
        // SAFETY: By the requirement.
        unsafe { bindings::nf_unregister_net_hook(net.as_ptr(), self.ops.get()) };
    }

    /// The operations, by which the hook is known in the namespace's list.
    pub(super) fn ops(&self) -> *const bindings::nf_hook_ops {
        self.ops.get()
    }

    /// One packet.
    ///
    /// # Safety
    ///
    /// `owner` is what `register` was given; `skb` and `state` are valid, and RCU is held.
    unsafe extern "C" fn hook(
        owner: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: By the type invariant, and netfilter calls hooks under RCU with a valid packet
        // and state.
        unsafe {
            let owner = &*owner.cast::<T>().cast_const();
            let Fate(verdict) = owner.packet(HookPacket::new(skb, state), ReadSide::assume());
            verdict
        }
    }
}
