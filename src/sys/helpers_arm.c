// SPDX-License-Identifier: GPL-2.0
/*
 * How the kernel gets to helpers_redirect.c and helpers_sockets.c, and back. Part of
 * helpers.c, the last one.
 */

#ifdef ALTFIB_REDIRECT_STATIC_CALL
static int altfib_arm_lookup(void)
{
	static_call_update(fib_table_lookup_redirect, altfib_table_lookup);
	static_call_update(fib6_node_lookup_redirect, altfib_node_lookup);
	static_branch_enable(&fib_redirect);
	static_branch_enable(&fib6_redirect);
	return 0;
}

static void altfib_disarm_lookup(void)
{
	static_branch_disable(&fib6_redirect);
	static_branch_disable(&fib_redirect);
	static_call_update(fib6_node_lookup_redirect, __fib6_node_lookup);
	static_call_update(fib_table_lookup_redirect, __fib_table_lookup);
	/* Who is inside is on the RCU read side. */
	synchronize_rcu();
}

static int altfib_arm_flow(void)
{
	static_call_update(ip_route_output_flow_redirect, altfib_route_output_flow);
	static_call_update(ip6_dst_lookup_flow_redirect, altfib_dst_lookup_flow);
	static_branch_enable(&fib_flow_redirect);
	static_branch_enable(&fib6_flow_redirect);
	return 0;
}

static void altfib_disarm_flow(void)
{
	static_branch_disable(&fib6_flow_redirect);
	static_branch_disable(&fib_flow_redirect);
	static_call_update(ip6_dst_lookup_flow_redirect, __ip6_dst_lookup_flow);
	static_call_update(ip_route_output_flow_redirect, __ip_route_output_flow);
	altfib_wait_for_flows();
}

#elif defined(ALTFIB_REDIRECT_FTRACE)
/* A function of the kernel, and what takes its place. */
struct altfib_site {
	const char *name;
	unsigned long from;
	unsigned long to;
	struct ftrace_ops ops;
};

static struct altfib_site altfib_lookup_sites[] = {
	{ .name = "fib_table_lookup", .to = (unsigned long)altfib_table_lookup },
	{ .name = "fib6_node_lookup", .to = (unsigned long)altfib_node_lookup },
};

static struct altfib_site altfib_flow_sites[] = {
	{ .name = "ip_route_output_flow", .to = (unsigned long)altfib_route_output_flow },
	{ .name = "ip6_dst_lookup_flow", .to = (unsigned long)altfib_dst_lookup_flow },
	{ .name = "ip6_sk_dst_lookup_flow", .to = (unsigned long)altfib_sk_dst_lookup_flow },
};

#define ALTFIB_SITES_MAX	3

/*
 * Neither kallsyms_lookup_name() nor all of the functions are exported. A probe that
 * is not armed patches nothing.
 */
static unsigned long altfib_symbol(const char *name)
{
	struct kprobe kp = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	unsigned long addr;

	if (register_kprobe(&kp))
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

#define ALTFIB_ENDBR	0xfa1e0ff3
#define ALTFIB_SITE	5		/* bytes of the nop, call or jmp */

/*
 * Where the function goes on behind its entry; 0 if it does not begin with the
 * five bytes that ftrace patches: a nop, or somebody's call or jmp.
 */
static unsigned long altfib_behind_entry(unsigned long addr)
{
	static const u8 nop[ALTFIB_SITE] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	u8 code[4 + ALTFIB_SITE];
	const u8 *site = code;
	u32 first;

	if (!addr || copy_from_kernel_nofault(code, (void *)addr, sizeof(code)))
		return 0;
	memcpy(&first, code, sizeof(first));
	/* Some kernels tell the address behind endbr: both ways fit. */
	if (first == ALTFIB_ENDBR) {
		site += 4;
		addr += 4;
	}
	if (memcmp(site, nop, sizeof(nop)) && site[0] != 0xe8 && site[0] != 0xe9)
		return 0;
	return addr + ALTFIB_SITE;
}

static int altfib_arm_site(struct altfib_site *site)
{
	int err;

	err = ftrace_set_filter_ip(&site->ops, site->from, 0, 1);
	if (err)
		return err;
	err = register_ftrace_direct(&site->ops, ftrace_jmp_set(site->to));
	if (err)
		ftrace_free_filter(&site->ops);
	return err;
}

static void altfib_disarm_site(struct altfib_site *site)
{
	unregister_ftrace_direct(&site->ops, ftrace_jmp_set(site->to), true);
	memset(&site->ops, 0, sizeof(site->ops));
}

static void altfib_disarm_sites(struct altfib_site *sites, int n)
{
	while (n--)
		altfib_disarm_site(&sites[n]);
}

/* All of them, or none. */
static int altfib_arm_sites(struct altfib_site *sites, int n)
{
	int err;
	int i;

	for (i = 0; i < n; i++) {
		err = altfib_arm_site(&sites[i]);
		if (err) {
			altfib_disarm_sites(sites, i);
			return err;
		}
	}
	return 0;
}

static void altfib_disarm_lookup(void)
{
	altfib_disarm_sites(altfib_lookup_sites, ARRAY_SIZE(altfib_lookup_sites));
	/* Nobody sleeps in there; who was preempted on the way there is waited for. */
	synchronize_rcu_tasks();
	synchronize_rcu();
}

/* Where each goes on, as an address to be called. */
static bool altfib_find_sites(struct altfib_site *sites, int n, void **behind)
{
	int i;

	for (i = 0; i < n; i++) {
		if (!sites[i].from)
			sites[i].from = altfib_symbol(sites[i].name);
		behind[i] = (void *)altfib_behind_entry(sites[i].from);
		if (!behind[i])
			return false;
	}
	return true;
}

static int altfib_arm_lookup(void)
{
	void *behind[ALTFIB_SITES_MAX];
	int err;

	if (!altfib_find_sites(altfib_lookup_sites, ARRAY_SIZE(altfib_lookup_sites), behind))
		return -EOPNOTSUPP;
	static_call_update(altfib_lookup_original, behind[0]);
	static_call_update(altfib_lookup6_original, behind[1]);
	err = altfib_arm_sites(altfib_lookup_sites, ARRAY_SIZE(altfib_lookup_sites));
	if (err) {
		synchronize_rcu_tasks();
		synchronize_rcu();
	}
	return err;
}

static void altfib_disarm_flow(void)
{
	altfib_disarm_sites(altfib_flow_sites, ARRAY_SIZE(altfib_flow_sites));
	altfib_wait_for_flows();
}

static int altfib_arm_flow(void)
{
	void *behind[ALTFIB_SITES_MAX];
	int err;

	if (!altfib_find_sites(altfib_flow_sites, ARRAY_SIZE(altfib_flow_sites), behind))
		return -EOPNOTSUPP;
	static_call_update(altfib_flow_original, behind[0]);
	static_call_update(altfib_flow6_original, behind[1]);
	static_call_update(altfib_sk_flow6_original, behind[2]);
	err = altfib_arm_sites(altfib_flow_sites, ARRAY_SIZE(altfib_flow_sites));
	if (err)
		altfib_wait_for_flows();
	return err;
}

#else
static int altfib_arm_lookup(void)
{
	return -EOPNOTSUPP;
}

static void altfib_disarm_lookup(void)
{
}

static int altfib_arm_flow(void)
{
	return -EOPNOTSUPP;
}

static void altfib_disarm_flow(void)
{
}
#endif

static DEFINE_MUTEX(altfib_arm_mutex);
static unsigned int altfib_armed;
static unsigned int altfib_armed_flow;

/*
 * One more namespace wants its lookups answered; or, if flows, the routes of its own
 * packets remembered.
 *
 * Context: process, may sleep.
 *
 * Return: 0; -EBUSY if another tracer has one of the functions for itself;
 * -EOPNOTSUPP if this kernel offers no way.
 */
int altfib_helper_redirect_arm(bool flows)
{
	unsigned int *armed = flows ? &altfib_armed_flow : &altfib_armed;
	int err = 0;

	mutex_lock(&altfib_arm_mutex);
	if (!*armed)
		err = flows ? altfib_arm_flow() : altfib_arm_lookup();
	if (!err)
		(*armed)++;
	mutex_unlock(&altfib_arm_mutex);
	return err;
}

/*
 * One fewer; after the last no CPU is in our code any more.
 *
 * Context: process, may sleep.
 */
void altfib_helper_redirect_disarm(bool flows)
{
	unsigned int *armed = flows ? &altfib_armed_flow : &altfib_armed;

	mutex_lock(&altfib_arm_mutex);
	if (--*armed)
		goto out;
	if (flows)
		altfib_disarm_flow();
	else
		altfib_disarm_lookup();
out:
	mutex_unlock(&altfib_arm_mutex);
}
