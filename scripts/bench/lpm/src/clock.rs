// SPDX-License-Identifier: GPL-2.0

//! Time on a CPU, and which CPU.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

fn clock(id: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `ts` is a timespec of ours, and these clocks always exist on Linux.
    unsafe { libc::clock_gettime(id, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Nanoseconds that this thread was on a CPU: other load on the machine does not count.
pub fn cpu() -> u64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The time stamp counter.
#[inline(always)]
pub fn tsc() -> u64 {
    // SAFETY: All x86-64 CPUs have it, and Linux lets programs read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Ticks of the time stamp counter in a nanosecond.
pub fn ticks_per_ns() -> f64 {
    let (begin, first) = (Instant::now(), tsc());
    while begin.elapsed() < Duration::from_millis(100) {
        std::hint::spin_loop();
    }
    let (ticks, time) = (tsc() - first, begin.elapsed());
    ticks as f64 / time.as_nanos() as f64
}

/// How many CPUs this process might use at first: before [`pin`].
pub fn cpus() -> usize {
    static CPUS: OnceLock<usize> = OnceLock::new();
    *CPUS.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
}

/// Keeps this thread, and those that it starts later, on one CPU, so that its caches remain its own.
pub fn pin(cpu: usize) {
    // SAFETY: The set is ours, zeroed as it should be, and of the size that is given.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}
