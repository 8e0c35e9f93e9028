// SPDX-License-Identifier: GPL-2.0

//! altfib: an alternative FIB and a next-hop dst cache for Linux.
//!
//! A packet's way: [`sys::netfilter`] hands it to [`datapath`], which asks [`mirror`] for the
//! next hop of its destination (the tables themselves are [`lpm`]'s) and attaches the route that
//! [`nexthop`] has cached for it, or another [`cache`]. A route's way: [`sys::fib`] hears of it and [`mirror`] files it
//! in its table, under the number that [`nexthop`] has for its `fib_info`. A lookup of the kernel's
//! own comes by [`sys::redirect`], and [`output`] answers it from the same mirror. [`netns`] holds the
//! rooms of one namespace together, [`control`] is what people see of it, and [`sys`] is where
//! raw pointers end.

#[cfg(altfib_bench)]
mod bench;
mod cache;
mod control;
mod datapath;
pub mod lpm;
#[cfg(CONFIG_KUNIT = "y")]
mod lpm_kunit;
mod mirror;
mod netns;
mod nexthop;
mod output;
pub mod sys;
mod verify;

use control::settings::Mode;
use kernel::prelude::*;
use netns::Namespace;
use sys::compat;
use sys::module;
use sys::net::Net;
use sys::net::PerNetRegistration;
use sys::netdev::DeviceNotifier;
use sys::netlink;
use sys::traffic::Sampler;

module! {
    type: Altfib,
    name: "altfib",
    authors: ["The altfib authors"],
    description: "Alternative FIB and next-hop dst cache",
    license: "GPL",
}

/// The loaded module. Dropped field by field: nobody may call in before what they call goes.
#[pin_data]
struct Altfib {
    netlink: netlink::Registration,
    #[pin]
    devices: DeviceNotifier<Namespace>,
    #[pin]
    namespaces: PerNetRegistration<Namespace>,
    sampler: Sampler,
}

impl kernel::InPlaceModule for Altfib {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _: { check()? },
            _: { sys::cpu::detect() },
            sampler: Sampler::new()?,
            namespaces <- PerNetRegistration::new(),
            devices <- DeviceNotifier::new(),
            netlink: netlink::Registration::new()?,
            _: { pr_info!("{} loaded, mode {}\n", module::version(), module::mode_parameter()) },
        })
    }
}

/// Refuses to load where altfib could not keep its promises.
fn check() -> Result {
    let mode = module::mode_parameter();
    if mode
        .to_str()
        .map_err(|_| EINVAL)
        .and_then(Mode::parse)
        .is_err()
    {
        pr_err!("unknown mode \"{}\": use mode=on or mode=off\n", mode);
        return Err(EINVAL);
    }
    if !Net::initial().address_hash_holds() {
        pr_err!("this kernel hashes its addresses in another way than altfib knows: not loaded\n");
        return Err(compat::eopnotsupp());
    }
    Ok(())
}
