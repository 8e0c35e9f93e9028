// SPDX-License-Identifier: GPL-2.0

//! Whether the routes are just being filled in: a routing daemon has started, and gives the kernel
//! its table, in no order, a route at a time.
//!
//! To follow that makes the daemon wait longer for each route than all of them take when they are
//! sorted and built at once, and for packets the answers change all the time. So service ends, and
//! the routes are read when they have rested. This happens only if a burst brings more prefixes than
//! there were before it: a table that has grown is served through any burst of changes, and what is
//! read again and again comes to no more than a small part of what has come.

/// Prefixes between two looks at the clock.
const STRETCH: usize = 4096;

/// A stretch that takes longer is no part of a burst.
const STRETCH_MS: u64 = 1000;

/// How long changes are counted for, to see whether they rest.
pub(crate) const REST_MS: u32 = 100;

/// More changes in that time are no rest.
const REST_CHANGES: u64 = 256;

/// Nobody waits longer than that for a rest.
const LONGEST_MS: u64 = 60_000;

/// Fewer prefixes are as well followed one by one.
const LEAST: usize = 32 * 1024;

/// The prefixes that came since the last pause.
pub(super) struct Burst {
    /// Prefixes when it began.
    before: usize,
    /// Additions in its last stretch.
    added: usize,
    /// Milliseconds since boot when that began.
    since: u64,
}

impl Burst {
    pub(super) fn new() -> Self {
        Self {
            before: 0,
            added: 0,
            since: 0,
        }
    }

    /// A prefix has come. Says whether the routes are being filled in.
    pub(super) fn added(&mut self, prefixes: impl FnOnce() -> usize, now_ms: fn() -> u64) -> bool {
        self.added = self.added.wrapping_add(1);
        if self.added < STRETCH {
            return false;
        }
        let (now, prefixes) = (now_ms(), prefixes());
        if now.wrapping_sub(self.since) > STRETCH_MS {
            self.before = prefixes;
        }
        (self.added, self.since) = (0, now);
        prefixes.saturating_sub(self.before) >= self.before.max(LEAST)
    }
}

/// Changes since service has ended because of them.
#[derive(Clone, Copy)]
pub(super) struct Filling {
    /// Prefixes at its end.
    prefixes: usize,
    changes: u64,
    /// The same at the last look, and when that and the end were.
    seen: u64,
    looked: u64,
    ended: u64,
}

impl Filling {
    pub(super) fn new(prefixes: usize, now: u64) -> Self {
        Self {
            prefixes,
            changes: 0,
            seen: 0,
            looked: now,
            ended: now,
        }
    }

    /// Something has changed.
    pub(super) fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// Whether the routes may be read. To be asked every [`REST_MS`].
    pub(super) fn has_rested(&mut self, now: u64) -> bool {
        if now.wrapping_sub(self.ended) > LONGEST_MS {
            return true;
        }
        if now.wrapping_sub(self.looked) < u64::from(REST_MS) {
            return false;
        }
        let changes = self.changes.wrapping_sub(self.seen);
        (self.seen, self.looked) = (self.changes, now);
        changes <= REST_CHANGES
    }

    /// Prefixes that there may be.
    pub(super) fn expected(&self) -> usize {
        self.prefixes.saturating_add(self.changes as usize)
    }
}
