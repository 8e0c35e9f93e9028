// SPDX-License-Identifier: GPL-2.0

//! `audit-get` and its notification: how far an audit is, and what the last one found, as
//! `/proc/net/altfib/audit` shows it.

use super::IPV4;
use super::IPV6;
use crate::netns::Namespace;
use crate::sys::netlink::uapi;
use crate::sys::netlink::Message;
use crate::verify::audit::Report;
use crate::verify::worker::State;
use kernel::prelude::*;

pub(super) fn write(ns: &Namespace, out: &mut Message<'_>) -> Result {
    let (state, error) = ns.auditor().state();
    write_as(ns, state, error, out)
}

/// The same, whether another one has been started since or not.
pub(super) fn write_ended(ns: &Namespace, out: &mut Message<'_>) -> Result {
    let (_, error) = ns.auditor().state();
    write_as(ns, State::Idle, error, out)
}

fn write_as(ns: &Namespace, state: State, error: u32, out: &mut Message<'_>) -> Result {
    let reports = [
        (IPV4, 4usize, ns.verification().report()),
        (IPV6, 16, ns.verification6().report()),
    ];
    let running = state == State::Running;
    let state = match state {
        State::Running => uapi::altfib_audit_state_ALTFIB_AUDIT_STATE_RUNNING,
        State::Idle if error != 0 || reports.iter().any(|(_, _, report)| report.is_some()) => {
            uapi::altfib_audit_state_ALTFIB_AUDIT_STATE_DONE
        }
        State::Idle => uapi::altfib_audit_state_ALTFIB_AUDIT_STATE_NONE,
    };
    out.u32(uapi::ALTFIB_A_AUDIT_STATE, state)?;
    let progress = [ns.verification().progress(), ns.verification6().progress()];
    if let Some((checked, total)) = progress.into_iter().flatten().next() {
        out.uint(uapi::ALTFIB_A_AUDIT_CHECKED, checked as u64)?;
        out.uint(uapi::ALTFIB_A_AUDIT_TOTAL, total as u64)?;
    }
    if error != 0 && !running {
        out.u32(uapi::ALTFIB_A_AUDIT_ERROR, error)?;
    }
    for (family, len, report) in reports {
        if let Some(report) = report {
            out.nest(uapi::ALTFIB_A_AUDIT_RESULT, |out| {
                result(family, len, &report, out)
            })?;
        }
    }
    Ok(())
}

fn result(family: u8, len: usize, report: &Report, out: &mut Message<'_>) -> Result {
    out.u8(uapi::ALTFIB_A_AUDIT_RESULT_FAMILY, family)?;
    if report.differences != 0 {
        let first = report.first.to_be_bytes();
        let begin = first.len().wrapping_sub(len);
        out.bytes(
            uapi::ALTFIB_A_AUDIT_RESULT_FIRST,
            first.get(begin..).unwrap_or_default(),
        )?;
    }
    for (attribute, value) in [
        (
            uapi::ALTFIB_A_AUDIT_RESULT_DIFFERENCES,
            report.differences as u64,
        ),
        (
            uapi::ALTFIB_A_AUDIT_RESULT_ROUTES_KERNEL,
            report.kernel as u64,
        ),
        (
            uapi::ALTFIB_A_AUDIT_RESULT_ROUTES_MIRRORED,
            report.mirrored as u64,
        ),
        (
            uapi::ALTFIB_A_AUDIT_RESULT_ADDRESSES,
            report.addresses as u64,
        ),
        (uapi::ALTFIB_A_AUDIT_RESULT_LEFT, report.left as u64),
        (
            uapi::ALTFIB_A_AUDIT_RESULT_TRANSIENT,
            report.transient as u64,
        ),
        (uapi::ALTFIB_A_AUDIT_RESULT_TOOK_US, report.took_us),
        (uapi::ALTFIB_A_AUDIT_RESULT_HELD_US, report.held_us),
        (uapi::ALTFIB_A_AUDIT_RESULT_ENDED_MS, report.at),
    ] {
        out.uint(attribute, value)?;
    }
    Ok(())
}
