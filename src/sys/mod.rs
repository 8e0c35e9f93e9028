// SPDX-License-Identifier: GPL-2.0

//! The unsafe layer: C types and functions, each behind a safe face.
//!
//! Raw pointers end in this folder. The rest of the module forbids `unsafe` or has none.

#[cfg(altfib_bench)]
pub(crate) mod bench;
pub(crate) mod compat;
pub(crate) mod counters;
pub(crate) mod cpu;
pub(crate) mod family;
pub(crate) mod fast;
pub(crate) mod fib;
pub(crate) mod flow;
pub(crate) mod keyed;
pub(crate) mod leaf;
pub(crate) mod lock;
pub(crate) mod module;
pub(crate) mod net;
pub(crate) mod netdev;
pub(crate) mod netfilter;
pub(crate) mod netlink;
pub(crate) mod nexthop;
pub(crate) mod outcome;
pub(crate) mod packet;
pub(crate) mod packet6;
pub(crate) mod rcu;
pub(crate) mod records;
pub(crate) mod redirect;
pub(crate) mod route6;
pub(crate) mod rtnl;
pub(crate) mod seq;
pub mod shared;
pub(crate) mod sysctl;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod traffic;
pub(crate) mod work;

/// The network headers that the `kernel` crate lacks, and our own C helpers.
#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
#[allow(clippy::undocumented_unsafe_blocks)]
#[cfg_attr(not(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES), allow(unknown_lints))]
#[allow(
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::cast_lossless,
    clippy::as_underscore
)]
pub(crate) mod bindings {
    mod raw {
        use pin_init::Zeroable;

        pub use super::helpers::*;

        // Only ever pointed at.
        #[repr(C)]
        pub struct fib6_info([u8; 0]);
        #[repr(C)]
        pub struct fib_info([u8; 0]);
        #[repr(C)]
        pub struct fib_nh([u8; 0]);
        #[repr(C)]
        pub struct fib_nh_common([u8; 0]);

        // SAFETY: `__BindgenBitfieldUnit<S>` is a newtype around `S`.
        unsafe impl<S> Zeroable for __BindgenBitfieldUnit<S> where S: Zeroable {}

        include!(concat!(
            env!("ALTFIB_OBJ"),
            "/src/sys/bindings_generated.rs"
        ));
    }

    mod helpers {
        use super::raw::*;
        use kernel::ffi;

        include!(concat!(
            env!("ALTFIB_OBJ"),
            "/src/sys/bindings_helpers_generated.rs"
        ));
    }

    pub use raw::*;
}
