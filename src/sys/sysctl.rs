// SPDX-License-Identifier: GPL-2.0

//! Sysctls of one namespace.
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h)

use super::bindings;
use super::net::Net;
use core::marker::PhantomData;
use core::ptr::NonNull;
use kernel::prelude::*;

/// Longest text value, with its final zero.
const TEXT_MAX: usize = 64;

/// Text for a reader of a setting.
pub(crate) struct Text {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl Text {
    /// Appends `s`; what does not fit is cut.
    pub(crate) fn push(&mut self, s: &str) {
        for &b in s.as_bytes() {
            // The last byte stays zero.
            if self.len < TEXT_MAX - 1 {
                if let Some(slot) = self.bytes.get_mut(self.len) {
                    *slot = b;
                    self.len += 1;
                }
            }
        }
    }
}

impl kernel::fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> kernel::fmt::Result {
        self.push(s);
        Ok(())
    }
}

/// A setting that is read and written as text.
pub(crate) trait Setting<T> {
    /// File name.
    const NAME: &'static CStr;

    /// The value now.
    fn read(owner: &T, out: &mut Text);

    /// Sets it; an error leaves everything as it was. `None` from [`Setting::mode`] of a write
    /// bit keeps this from being called.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    fn write(owner: &T, value: &str) -> Result;
}

/// A table of settings of `owner`, to be registered as a whole.
pub(crate) struct Builder<T> {
    table: KVec<bindings::ctl_table>,
    owner: *const T,
}

impl<T: Sync> Builder<T> {
    /// A table without settings.
    ///
    /// # Safety
    ///
    /// `owner` outlives the [`Registration`] made of this.
    pub(crate) unsafe fn new(owner: *const T) -> Self {
        Self {
            table: KVec::new(),
            owner,
        }
    }

    /// Adds a setting, writable by the namespace's administrator or read-only.
    pub(crate) fn add<S: Setting<T>>(&mut self, writable: bool) -> Result {
        self.table.push(
            bindings::ctl_table {
                procname: S::NAME.as_char_ptr(),
                data: self.owner.cast_mut().cast(),
                maxlen: TEXT_MAX as c_int,
                mode: if writable { 0o644 } else { 0o444 },
                proc_handler: Some(handler::<T, S>),
                ..Default::default()
            },
            GFP_KERNEL,
        )?;
        Ok(())
    }

    /// Registers the table under `path` of `net`.
    pub(crate) fn register(mut self, net: &Net, path: &'static CStr) -> Result<Registration> {
        // SAFETY: The table stays in its allocation until it has been unregistered; `net` is
        // valid.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                net.as_ptr(),
                path.as_char_ptr(),
                // Linux 7.2 may take the write bits from an entry.
                self.table.as_mut_ptr(),
                self.table.len(),
            )
        };
        // INVARIANT: A non-null result is registered.
        Ok(Registration {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            _table: self.table,
            _not_sync: PhantomData,
        })
    }
}

/// Settings that are there until this is dropped.
///
/// # Invariants
///
/// `header` is registered.
pub(crate) struct Registration {
    header: NonNull<bindings::ctl_table_header>,
    _table: KVec<bindings::ctl_table>,
    _not_sync: PhantomData<*mut ()>,
}

// SAFETY: Unregistering may happen on any thread.
unsafe impl Send for Registration {}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant. Waits for handlers that run.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

/// Reads or writes one setting.
///
/// # Safety
///
/// `table` was made by [`Builder::add`]; the buffer is what procfs passes.
unsafe extern "C" fn handler<T: Sync, S: Setting<T>>(
    table: *const bindings::ctl_table,
    write: c_int,
    buffer: *mut c_void,
    lenp: *mut usize,
    ppos: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: `add` put the owner there, which outlives the registration.
    let owner = unsafe { &*(*table).data.cast::<T>().cast_const() };
    let mut text = Text {
        bytes: [0; TEXT_MAX],
        len: 0,
    };
    if write == 0 {
        S::read(owner, &mut text);
    }
    let copy = bindings::ctl_table {
        data: text.bytes.as_mut_ptr().cast(),
        maxlen: TEXT_MAX as c_int,
        ..Default::default()
    };
    // SAFETY: The core passes a valid buffer, length and position; `copy` has room for `maxlen`.
    let ret = unsafe { bindings::proc_dostring(&copy, write, buffer, lenp, ppos) };
    if ret != 0 || write == 0 {
        return ret;
    }
    let len = text.bytes.iter().position(|&b| b == 0).unwrap_or(0);
    let value = text.bytes.get(..len).unwrap_or(&[]);
    match core::str::from_utf8(value)
        .map_err(|_| EINVAL)
        .and_then(|value| S::write(owner, value.trim_ascii()))
    {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}
