// SPDX-License-Identifier: GPL-2.0

//! What became of a packet, as the C helpers and Rust both say it.

use super::bindings;

/// What became of a packet: attached, or left to the kernel for this reason.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome(bindings::altfib_outcome);

macro_rules! outcomes {
    ($($name:ident = $raw:ident,)*) => {
        impl Outcome {
            $(
                pub(crate) const $name: Self = Self(bindings::$raw);
            )*
        }
    };
}

outcomes! {
    FORWARD = altfib_outcome_ALTFIB_FORWARD,
    LOCAL = altfib_outcome_ALTFIB_LOCAL,
    VERIFIED = altfib_outcome_ALTFIB_VERIFIED,
    VERIFY_DUE = altfib_outcome_ALTFIB_VERIFY_DUE,
    NOT_CACHED = altfib_outcome_ALTFIB_NOT_CACHED,
    EARLY_DEMUX = altfib_outcome_ALTFIB_EARLY_DEMUX,
    NOT_READY = altfib_outcome_ALTFIB_NOT_READY,
    HOOK_ORDER = altfib_outcome_ALTFIB_HOOK_ORDER,
    HAS_DST = altfib_outcome_ALTFIB_HAS_DST,
    HAS_SOCKET = altfib_outcome_ALTFIB_HAS_SOCKET,
    NOT_UNICAST_FRAME = altfib_outcome_ALTFIB_NOT_UNICAST_FRAME,
    SPECIAL_ADDRESS = altfib_outcome_ALTFIB_SPECIAL_ADDRESS,
    IP_OPTIONS = altfib_outcome_ALTFIB_IP_OPTIONS,
    IPSEC = altfib_outcome_ALTFIB_IPSEC,
    BRIDGE = altfib_outcome_ALTFIB_BRIDGE,
    NO_IN_DEVICE = altfib_outcome_ALTFIB_NO_IN_DEVICE,
    RULES = altfib_outcome_ALTFIB_RULES,
    VRF = altfib_outcome_ALTFIB_VRF,
    TCLASSID = altfib_outcome_ALTFIB_TCLASSID,
    NOT_FORWARDING = altfib_outcome_ALTFIB_NOT_FORWARDING,
    NO_ROUTE = altfib_outcome_ALTFIB_NO_ROUTE,
    LOCAL_PREFIX = altfib_outcome_ALTFIB_LOCAL_PREFIX,
    SOURCE_SPECIFIC = altfib_outcome_ALTFIB_SOURCE_SPECIFIC,
    REACHABILITY = altfib_outcome_ALTFIB_REACHABILITY,
    DSCP = altfib_outcome_ALTFIB_DSCP,
    ROUTE_TYPE = altfib_outcome_ALTFIB_ROUTE_TYPE,
    MULTIPATH = altfib_outcome_ALTFIB_MULTIPATH,
    SOURCE = altfib_outcome_ALTFIB_SOURCE,
    REDIRECT = altfib_outcome_ALTFIB_REDIRECT,
    DEAD_NEXTHOP = altfib_outcome_ALTFIB_DEAD_NEXTHOP,
    EXCEPTION = altfib_outcome_ALTFIB_EXCEPTION,
    NO_DST = altfib_outcome_ALTFIB_NO_DST,
    BUSY = altfib_outcome_ALTFIB_BUSY,
}

impl Outcome {
    /// How many there are, numbered from 0.
    pub(crate) const COUNT: u32 = bindings::altfib_outcome_ALTFIB_NR_OUTCOMES;

    #[inline]
    pub(super) fn from_raw(raw: bindings::altfib_outcome) -> Self {
        Self(raw)
    }

    /// The number by which it is counted.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}
