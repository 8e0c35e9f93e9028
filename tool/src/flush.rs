// SPDX-License-Identifier: GPL-2.0

//! "altfib flush": gives back what is cached.

use crate::attributes::FromAttributes as _;
use crate::messages::Flush;
use crate::netlink::Altfib;
use crate::out::Out;
use crate::uapi;
use crate::Status;
use anyhow::Context as _;
use anyhow::Result;

pub fn run(out: &mut Out) -> Result<Status> {
    let reply = Altfib::open()?
        .do_one(uapi::ALTFIB_CMD_FLUSH, Vec::new())?
        .context("altfib gave no answer")?;
    let flush = Flush::read(&reply.attributes)?;
    if out.json {
        out.element(&flush)?;
        out.end()?;
    } else {
        out.text(&format!(
            "gave back the routes of {} next hops, and {} flows",
            flush.nexthops, flush.flows
        ))?;
    }
    Ok(Status::Well)
}
