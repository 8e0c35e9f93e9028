// SPDX-License-Identifier: GPL-2.0
/*
 * Included by helpers.c in a module that was built to be measured: the way from
 * scripts/bench/module to src/sys/bench.rs.
 */
#include <linux/export.h>

#include "bench.h"

const void *altfib_bench_begin(struct net *net)
{
	return altfib_rust_bench_begin(net);
}
EXPORT_SYMBOL_GPL(altfib_bench_begin);

unsigned long altfib_bench_lookup4(const void *altfib, u32 daddr)
{
	return altfib_rust_bench_lookup4(altfib, daddr);
}
EXPORT_SYMBOL_GPL(altfib_bench_lookup4);

unsigned long altfib_bench_lookup6(const void *altfib, u64 high, u64 low)
{
	return altfib_rust_bench_lookup6(altfib, high, low);
}
EXPORT_SYMBOL_GPL(altfib_bench_lookup6);
