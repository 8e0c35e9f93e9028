// SPDX-License-Identifier: GPL-2.0

/*
 * What of DPDK needs its headers: the start and the structures that describe a
 * table. Lookups and updates are called from Rust directly.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_vect.h>

/*
 * Without huge pages reserved, DPDK takes its memory from a memfd if it can,
 * and there the kernel would give it small pages. Its second choice is
 * anonymous memory as everybody else has here.
 */
int memfd_create(const char *name, unsigned int flags)
{
	(void)name;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

static int advise(const struct rte_memseg_list *msl, void *huge)
{
	if (msl->base_va == NULL)
		return 0;
	return madvise(msl->base_va, msl->len,
		       huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* Returns a negative number if DPDK does not start. */
int bench_dpdk_init(char *megabytes, char *lcores, int huge)
{
	char *argv[] = {
		"bench-lpm", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "-m", megabytes, "--lcores", lcores,
		"--log-level", "lib.eal:error", NULL
	};
	int err = rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv);

	if (err < 0)
		return err;
	err = rte_memseg_list_walk(advise, huge ? argv : NULL);
	/* As wide as the CPU has it; the lookup is chosen by hand. */
	rte_vect_set_max_simd_bitwidth(512);
	return err;
}

/* Bytes that DPDK's heap has given out. */
size_t bench_dpdk_allocated(void)
{
	struct rte_malloc_socket_stats stats;

	if (rte_malloc_get_socket_stats(0, &stats) < 0)
		return 0;
	return stats.heap_allocsz_bytes;
}

struct rte_fib *bench_fib_create(const char *name, int routes, int two_bytes,
				 uint32_t tbl8)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = routes,
		.dir24_8 = {
			.nh_sz = two_bytes ? RTE_FIB_DIR24_8_2B :
					     RTE_FIB_DIR24_8_4B,
			.num_tbl8 = tbl8,
		},
	};

	return rte_fib_create(name, SOCKET_ID_ANY, &conf);
}

int bench_fib_select(struct rte_fib *fib, int vector)
{
	return rte_fib_select_lookup(fib, vector ?
		RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512 :
		RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO);
}

struct rte_fib6 *bench_fib6_create(const char *name, int routes, int two_bytes,
				   uint32_t tbl8)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = routes,
		.trie = {
			.nh_sz = two_bytes ? RTE_FIB6_TRIE_2B :
					     RTE_FIB6_TRIE_4B,
			.num_tbl8 = tbl8,
		},
	};

	return rte_fib6_create(name, SOCKET_ID_ANY, &conf);
}

int bench_fib6_select(struct rte_fib6 *fib, int vector)
{
	return rte_fib6_select_lookup(fib, vector ?
		RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512 :
		RTE_FIB6_LOOKUP_TRIE_SCALAR);
}
