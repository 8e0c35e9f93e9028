// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family: its registration, what is asked, and the messages that answer.
//!
//! Operations and policies are generated from `Documentation/netlink/specs/altfib.yaml`; the
//! attributes that come are read in helpers_netlink.c. What is answered is a [`Family`]'s.

use super::bindings;
use super::net::Net;
use super::nexthop::NextHop;
use super::packet::Plan;
use super::rcu::ReadSide;
use super::route6::Route6;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;

/// The numbers of commands and attributes.
pub(crate) use super::bindings as uapi;

/// What the family says. Process context, may sleep; several may ask at once.
pub(crate) trait Family {
    /// Answers command `command`.
    fn reply(
        net: &Net,
        command: u32,
        request: &Request,
        out: &mut Message<'_>,
    ) -> Result<(), Refusal>;

    /// Writes the message at `cursor` of a dump, and moves that to the next. `false`, having
    /// written nothing, at the end.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it does not fit; it will be asked for again, with the same cursor.
    fn list(
        net: &Net,
        command: u32,
        request: &Request,
        cursor: &mut Cursor,
        out: &mut Message<'_>,
    ) -> Result<bool>;

    /// A number that each change of what is dumped moves.
    fn generation(net: &Net) -> u32;

    /// Starts an audit.
    ///
    /// # Errors
    ///
    /// `EBUSY` if one runs.
    fn audit_start(net: &Net) -> Result;
}

/// Why a command is refused: the error, and a sentence for people.
pub(crate) struct Refusal(pub(crate) Error, pub(crate) Option<&'static CStr>);

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self(e, None)
    }
}

/// What somebody asks.
#[repr(transparent)]
pub(crate) struct Request(bindings::altfib_nl_request);

/// The first four of sixteen bytes.
fn first4(bytes: &[u8; 16]) -> [u8; 4] {
    let [a, b, c, d, ..] = *bytes;
    [a, b, c, d]
}

impl Request {
    /// `AF_*`, or 0.
    pub(crate) fn family(&self) -> u32 {
        self.0.family.into()
    }

    /// Destination, host order.
    pub(crate) fn dst4(&self) -> u32 {
        u32::from_be_bytes(first4(&self.0.dst))
    }

    /// Destination.
    pub(crate) fn dst6(&self) -> u128 {
        u128::from_be_bytes(self.0.dst)
    }

    /// Source, host order.
    pub(crate) fn src4(&self) -> u32 {
        u32::from_be_bytes(first4(&self.0.src))
    }

    /// Source.
    pub(crate) fn src6(&self) -> u128 {
        u128::from_be_bytes(self.0.src)
    }

    pub(crate) fn has_src(&self) -> bool {
        self.0.has_src
    }

    /// Input device; `None` asks for the host's own packets.
    pub(crate) fn iif(&self) -> Option<u32> {
        (self.0.iif != 0).then_some(self.0.iif)
    }

    pub(crate) fn mark(&self) -> Option<u32> {
        self.0.has_mark.then_some(self.0.mark)
    }

    pub(crate) fn dscp(&self) -> Option<u8> {
        self.0.has_dscp.then_some(self.0.dscp)
    }

    pub(crate) fn table(&self) -> Option<u32> {
        self.0.has_table.then_some(self.0.table)
    }

    /// The tables that policy rules name for such a packet of the host's own; `None` if there are no
    /// rules.
    pub(crate) fn output_plan(&self, net: &Net, _rcu: ReadSide<'_>) -> Option<Plan> {
        let mut plan = MaybeUninit::uninit();
        // SAFETY: The namespace is valid, RCU is held, and there is room for the plan.
        if !unsafe { bindings::output_plan(net.as_ptr(), &self.0, plan.as_mut_ptr()) } {
            return None;
        }
        // INVARIANT: The helper has said that it has written it.
        Some(Plan(plan))
    }

    /// Where the kernel sends a packet of the host's own; compared with `found`, which is what altfib
    /// found, if it was asked.
    pub(crate) fn ask_kernel(
        &self,
        net: &Net,
        found: Option<Option<&NextHop>>,
        _rcu: ReadSide<'_>,
    ) -> Kernels {
        let nh = found
            .flatten()
            .map_or(core::ptr::null_mut(), NextHop::as_ptr);
        let mut kernels = bindings::altfib_kernels::default();
        // SAFETY: All are valid, and RCU is held.
        unsafe { bindings::ask_output(net.as_ptr(), &self.0, nh, found.is_some(), &mut kernels) };
        Kernels(kernels)
    }

    /// The same for IPv6.
    pub(crate) fn ask_kernel6(
        &self,
        net: &Net,
        found: Option<Option<&Route6>>,
        _rcu: ReadSide<'_>,
    ) -> Kernels {
        let route = found
            .flatten()
            .map_or(core::ptr::null_mut(), Route6::as_ptr);
        let mut kernels = bindings::altfib_kernels::default();
        // SAFETY: All are valid, and RCU is held.
        unsafe {
            bindings::ask_output6(net.as_ptr(), &self.0, route, found.is_some(), &mut kernels)
        };
        Kernels(kernels)
    }
}

/// Where a dump is; all zero is the start.
#[repr(transparent)]
pub(crate) struct Cursor(bindings::altfib_nl_cursor);

impl Cursor {
    /// `AF_*`, 0 at the start.
    pub(crate) fn family(&self) -> u32 {
        self.0.family.into()
    }

    /// The table, and the address and length of the last prefix in it.
    pub(crate) fn place(&self) -> (u32, Option<([u8; 16], u8)>) {
        let after = self.0.inside.then_some((self.0.addr, self.0.len));
        (self.0.table, after)
    }

    pub(crate) fn set_family(&mut self, family: u32) {
        self.0 = bindings::altfib_nl_cursor::default();
        self.0.family = family as u8;
    }

    /// Goes to the start of a table.
    pub(crate) fn set_table(&mut self, table: u32) {
        self.0.table = table;
        self.0.inside = false;
    }

    /// Goes behind a prefix.
    pub(crate) fn set_prefix(&mut self, addr: [u8; 16], len: u8) {
        self.0.addr = addr;
        self.0.len = len;
        self.0.inside = true;
    }

    /// A number, 0 at the start.
    pub(crate) fn id(&self) -> u32 {
        self.0.id
    }

    pub(crate) fn set_id(&mut self, id: u32) {
        self.0.id = id;
    }
}

/// What the kernel does with a packet.
#[derive(Default)]
pub(crate) struct Kernels(pub(super) bindings::altfib_kernels);

impl Kernels {
    /// Whether altfib does the same; `None` if it has no say.
    pub(crate) fn agrees(&self) -> Option<bool> {
        match self.0.agrees {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Address and length of the longest prefix, its table and its metric.
    pub(crate) fn prefix(&self) -> Option<(&[u8; 16], u8, u32, u32)> {
        self.0.has_prefix.then_some((
            &self.0.prefix,
            self.0.prefix_len,
            self.0.table,
            self.0.metric,
        ))
    }

    /// `RTN_*`, 0 if there is no route.
    pub(crate) fn route_type(&self) -> u8 {
        self.0.type_
    }

    /// Gateway, network order of bytes.
    pub(crate) fn gateway(&self) -> Option<&[u8]> {
        match self.0.gateway_family.into() {
            bindings::AF_INET => self.0.gateway.get(..4),
            bindings::AF_INET6 => Some(&self.0.gateway),
            _ => None,
        }
    }

    pub(crate) fn ifindex(&self) -> c_int {
        self.0.ifindex
    }

    /// Name of the device, or `*` if there is none.
    pub(crate) fn device(&self) -> &str {
        super::nexthop::name(&self.0.device)
    }

    pub(crate) fn paths(&self) -> u32 {
        self.0.paths
    }

    /// The error number with which it refuses, or 0.
    pub(crate) fn error(&self) -> u32 {
        self.0.error.unsigned_abs()
    }

    /// `enum skb_drop_reason`, or 0.
    pub(crate) fn drop_reason(&self) -> u32 {
        self.0.reason
    }
}

/// A message that is being written. What does not fit is an error, and the message worth nothing.
pub(crate) struct Message<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a mut ()>);

impl Message<'_> {
    pub(crate) fn bytes(&mut self, attribute: u32, bytes: &[u8]) -> Result {
        // SAFETY: The buffer is valid and ours, and so are the bytes.
        to_result(unsafe {
            bindings::nla_put(
                self.0.as_ptr(),
                attribute as c_int,
                bytes.len() as c_int,
                bytes.as_ptr().cast(),
            )
        })
    }

    pub(crate) fn u8(&mut self, attribute: u32, value: u8) -> Result {
        self.bytes(attribute, &[value])
    }

    pub(crate) fn u32(&mut self, attribute: u32, value: u32) -> Result {
        self.bytes(attribute, &value.to_ne_bytes())
    }

    /// In four bytes, or eight if need be.
    pub(crate) fn uint(&mut self, attribute: u32, value: u64) -> Result {
        // SAFETY: The buffer is valid and ours.
        to_result(unsafe { bindings::nl_uint(self.0.as_ptr(), attribute as c_int, value) })
    }

    pub(crate) fn text(&mut self, attribute: u32, text: &str) -> Result {
        // SAFETY: The buffer is valid and ours, and so is the text.
        to_result(unsafe {
            bindings::nl_text(
                self.0.as_ptr(),
                attribute as c_int,
                text.as_ptr().cast(),
                text.len(),
            )
        })
    }

    /// What `f` writes, in an attribute of its own.
    pub(crate) fn nest(&mut self, attribute: u32, f: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: The buffer is valid and ours.
        let nest = unsafe { bindings::nl_nest(self.0.as_ptr(), attribute as c_int) };
        if nest.is_null() {
            return Err(EMSGSIZE);
        }
        let result = f(self);
        // SAFETY: The nest was begun in this buffer.
        unsafe { bindings::nl_nest_end(self.0.as_ptr(), nest, result.is_ok()) };
        result
    }
}

/// The family is there while this is.
pub(crate) struct Registration(());

impl Registration {
    /// # Errors
    ///
    /// `EEXIST` if there is a family of this name; `ENOMEM`.
    ///
    /// # Context
    ///
    /// Process, may sleep; at the module's start, when every namespace has what is asked about.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The family is static, and `drop` unregisters it.
        to_result(unsafe { bindings::nl_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`.
        unsafe { bindings::nl_unregister() };
    }
}

/// Whether somebody listens to events of this namespace.
pub(crate) fn has_listeners(net: &Net) -> bool {
    // SAFETY: The namespace is valid.
    unsafe { bindings::nl_has_listeners(net.as_ptr()) }
}

/// Tells whoever listens what `f` writes. Who is short of memory hears nothing.
///
/// # Context
///
/// Process, may sleep.
pub(crate) fn tell(net: &Net, command: u32, f: impl FnOnce(&mut Message<'_>) -> Result) {
    let mut header = core::ptr::null_mut();
    // SAFETY: `header` is valid for writes.
    let skb = unsafe { bindings::nl_event(command as u8, &mut header) };
    let Some(skb) = NonNull::new(skb) else {
        return;
    };
    let result = f(&mut Message(skb, PhantomData));
    // SAFETY: The event was begun above; it takes the buffer.
    unsafe { bindings::nl_event_end(net.as_ptr(), skb.as_ptr(), header, result.is_ok()) };
}

/// What helpers_netlink.c calls, for one [`Family`].
macro_rules! netlink_family {
    ($family:ty) => {
        /// # Safety
        ///
        /// All pointers are valid, and nobody else has the buffer.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_nl_reply(
            net: *mut $crate::sys::bindings::net,
            command: u8,
            request: *const $crate::sys::bindings::altfib_nl_request,
            skb: *mut $crate::sys::bindings::sk_buff,
            why: *mut *const c_char,
        ) -> c_int {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::netlink::reply::<$family>(net, command, request, skb, why) }
        }

        /// # Safety
        ///
        /// As above.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_nl_list(
            net: *mut $crate::sys::bindings::net,
            command: u8,
            request: *const $crate::sys::bindings::altfib_nl_request,
            cursor: *mut $crate::sys::bindings::altfib_nl_cursor,
            skb: *mut $crate::sys::bindings::sk_buff,
            seq: *mut c_uint,
        ) -> c_int {
            // SAFETY: By the requirement.
            unsafe {
                $crate::sys::netlink::list::<$family>(net, command, request, cursor, skb, seq)
            }
        }

        /// # Safety
        ///
        /// The namespace is valid.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_nl_audit_start(
            net: *mut $crate::sys::bindings::net,
        ) -> c_int {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::netlink::audit_start::<$family>(net) }
        }
    };
}
pub(crate) use netlink_family;

/// # Safety
///
/// All pointers are valid, and nobody else has the buffer.
pub(crate) unsafe fn reply<F: Family>(
    net: *mut bindings::net,
    command: u8,
    request: *const bindings::altfib_nl_request,
    skb: *mut bindings::sk_buff,
    why: *mut *const c_char,
) -> c_int {
    // SAFETY: By the requirement; `Request` is a transparent wrapper.
    let (net, request, skb) = unsafe {
        (
            Net::from_raw(net),
            &*request.cast::<Request>(),
            NonNull::new_unchecked(skb),
        )
    };
    match F::reply(net, command.into(), request, &mut Message(skb, PhantomData)) {
        Ok(()) => 0,
        Err(Refusal(e, text)) => {
            if let Some(text) = text {
                // SAFETY: By the requirement.
                unsafe { *why = text.as_char_ptr() };
            }
            e.to_errno()
        }
    }
}

/// # Safety
///
/// As above.
pub(crate) unsafe fn list<F: Family>(
    net: *mut bindings::net,
    command: u8,
    request: *const bindings::altfib_nl_request,
    cursor: *mut bindings::altfib_nl_cursor,
    skb: *mut bindings::sk_buff,
    seq: *mut c_uint,
) -> c_int {
    // SAFETY: By the requirement; `Request` and `Cursor` are transparent wrappers.
    let (net, request, cursor, skb) = unsafe {
        (
            Net::from_raw(net),
            &*request.cast::<Request>(),
            &mut *cursor.cast::<Cursor>(),
            NonNull::new_unchecked(skb),
        )
    };
    // From before the message, so that a change meanwhile is one behind it; and 0 would be none.
    // SAFETY: By the requirement.
    unsafe { *seq = F::generation(net) | 1 };
    match F::list(
        net,
        command.into(),
        request,
        cursor,
        &mut Message(skb, PhantomData),
    ) {
        Ok(more) => more.into(),
        Err(e) => e.to_errno(),
    }
}

/// # Safety
///
/// The namespace is valid.
pub(crate) unsafe fn audit_start<F: Family>(net: *mut bindings::net) -> c_int {
    // SAFETY: By the requirement.
    match F::audit_start(unsafe { Net::from_raw(net) }) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}
