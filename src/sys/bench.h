/* SPDX-License-Identifier: GPL-2.0 */
/* What an altfib that was built to be measured exports to scripts/bench/module. */
#ifndef _ALTFIB_BENCH_H
#define _ALTFIB_BENCH_H

#include <linux/types.h>

struct net;

/* altfib in a namespace, for as long as its module stays; or NULL. */
const void *altfib_bench_begin(struct net *net);

/* The record of the next hop of an address (host order), or 0. Context: RCU read side. */
unsigned long altfib_bench_lookup4(const void *altfib, u32 daddr);
unsigned long altfib_bench_lookup6(const void *altfib, u64 high, u64 low);

/* The same in Rust (bench.rs). */
const void *altfib_rust_bench_begin(struct net *net);
unsigned long altfib_rust_bench_lookup4(const void *altfib, u32 daddr);
unsigned long altfib_rust_bench_lookup6(const void *altfib, u64 high, u64 low);

#endif
