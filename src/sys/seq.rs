// SPDX-License-Identifier: GPL-2.0

//! Files under `/proc/net`, one line after the other.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::bindings;
use super::net::Net;
use core::marker::PhantomData;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::seq_file::SeqFile;

/// A file whose lines are found one by one, so that a reader of a million of them holds no lock
/// for longer than one line takes.
pub(crate) trait Lines {
    /// Where a reader is. All zero is the start.
    type Cursor: Zeroable + Copy;

    /// Prints the line at `cursor`, and moves it to the next.
    ///
    /// Returns `false`, having printed nothing, at the end. `position` counts lines from 0.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    fn line(net: &Net, cursor: &mut Self::Cursor, position: u64, out: &SeqFile) -> bool;
}

/// A file that is printed at once.
pub(crate) trait Page {
    /// Prints it.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    fn print(net: &Net, out: &SeqFile);
}

/// What an open file remembers. The first field is the core's.
#[repr(C)]
struct State<C> {
    net: bindings::seq_net_private,
    /// Where line `position` starts.
    cursor: C,
    position: u64,
    /// The cursor after that line, known once it has been printed.
    after: C,
    ended: bool,
}

/// A folder or file under `/proc/net`, there until it is dropped.
///
/// # Invariants
///
/// The entry is registered.
pub(crate) struct Entry(NonNull<bindings::proc_dir_entry>);

// SAFETY: Removing an entry may happen on any thread.
unsafe impl Send for Entry {}
// SAFETY: A shared reference offers nothing but a parent for others.
unsafe impl Sync for Entry {}

impl Entry {
    /// A folder in `/proc/net` of `net`.
    pub(crate) fn folder(net: &Net, name: &'static CStr) -> Result<Self> {
        // SAFETY: `net` is valid, and so is its `proc_net` in a namespace that lives.
        Self::new(unsafe {
            bindings::_proc_mkdir(
                name.as_char_ptr(),
                0,
                bindings::proc_net(net.as_ptr()),
                net.as_ptr().cast(),
                true,
            )
        })
    }

    /// A file in `parent` (`None`: in `/proc/net/stat` of `net`).
    pub(crate) fn lines<L: Lines>(
        net: &Net,
        parent: Option<&Entry>,
        name: &'static CStr,
    ) -> Result<Self> {
        let parent = match parent {
            Some(parent) => parent.0.as_ptr(),
            // SAFETY: `net` is valid, and so is its folder.
            None => unsafe { bindings::proc_net_stat(net.as_ptr()) },
        };
        // SAFETY: The operations are static, and the state has room for what they keep in it.
        Self::new(unsafe {
            bindings::proc_create_net_data(
                name.as_char_ptr(),
                0o444,
                parent,
                &Operations::<L>::TABLE,
                size_of::<State<L::Cursor>>() as c_uint,
                core::ptr::null_mut(),
            )
        })
    }

    /// A file in `parent` that is printed at once.
    pub(crate) fn page<P: Page>(parent: &Entry, name: &'static CStr) -> Result<Self> {
        /// Prints all of it.
        ///
        /// # Safety
        ///
        /// `seq` is an open file made by [`Entry::page`].
        unsafe extern "C" fn show<P: Page>(seq: *mut bindings::seq_file, _v: *mut c_void) -> c_int {
            // SAFETY: The core calls this with a valid file of a namespace that lives.
            unsafe {
                let net = Net::from_raw(bindings::seq_single_net(seq));
                P::print(net, SeqFile::from_raw(seq));
            }
            0
        }

        // SAFETY: The parent is registered, the function static.
        Self::new(unsafe {
            bindings::proc_create_net_single(
                name.as_char_ptr(),
                0o444,
                parent.0.as_ptr(),
                Some(show::<P>),
                core::ptr::null_mut(),
            )
        })
    }

    fn new(entry: *mut bindings::proc_dir_entry) -> Result<Self> {
        // INVARIANT: A non-null result is registered.
        NonNull::new(entry).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant.
        unsafe { bindings::proc_remove(self.0.as_ptr()) };
    }
}

struct Operations<L>(PhantomData<L>);

impl<L: Lines> Operations<L> {
    const TABLE: bindings::seq_operations = bindings::seq_operations {
        start: Some(Self::start),
        stop: Some(Self::stop),
        next: Some(Self::next),
        show: Some(Self::show),
    };

    /// # Safety
    ///
    /// `seq` is a file made by [`Entry::lines`] of `L`.
    unsafe fn state<'a>(seq: *mut bindings::seq_file) -> &'a mut State<L::Cursor> {
        // SAFETY: The core allocated `private` zeroed, with room for the state, and calls the
        // operations of one open file one after the other.
        unsafe { &mut *(*seq).private.cast() }
    }

    /// Goes to line `pos`.
    ///
    /// # Safety
    ///
    /// `seq` is an open file made by [`Entry::lines`] of `L`, and `pos` is valid.
    unsafe extern "C" fn start(
        seq: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: The core calls this with a file of ours and a valid position.
        let (state, pos) = unsafe { (Self::state(seq), *pos as u64) };
        if pos == 0 {
            state.cursor = pin_init::zeroed();
            state.position = 0;
            state.ended = false;
        } else if pos == state.position.wrapping_add(1) {
            core::mem::swap(&mut state.cursor, &mut state.after);
            state.position = pos;
        } else if pos != state.position {
            // Somebody jumped: lines have no address, so there is nothing there.
            state.ended = true;
        }
        if state.ended {
            return core::ptr::null_mut();
        }
        core::ptr::from_mut(state).cast()
    }

    /// Goes to the next line.
    ///
    /// # Safety
    ///
    /// As for `start`.
    unsafe extern "C" fn next(
        seq: *mut bindings::seq_file,
        _v: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: As in `start`.
        let state = unsafe { Self::state(seq) };
        // SAFETY: As in `start`.
        unsafe { *pos += 1 };
        if state.ended {
            return core::ptr::null_mut();
        }
        core::mem::swap(&mut state.cursor, &mut state.after);
        state.position = state.position.wrapping_add(1);
        core::ptr::from_mut(state).cast()
    }

    /// Nothing was taken that would have to be given back.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn stop(_seq: *mut bindings::seq_file, _v: *mut c_void) {}

    /// Prints the line.
    ///
    /// # Safety
    ///
    /// As for `start`.
    unsafe extern "C" fn show(seq: *mut bindings::seq_file, _v: *mut c_void) -> c_int {
        // SAFETY: As in `start`; a file's namespace outlives it.
        let (state, net, out) = unsafe {
            (
                Self::state(seq),
                Net::from_raw(bindings::seq_net(seq)),
                SeqFile::from_raw(seq),
            )
        };
        // A line that did not fit is asked for again, from the same cursor.
        state.after = state.cursor;
        if !L::line(net, &mut state.after, state.position, out) {
            state.ended = true;
        }
        0
    }
}
