// SPDX-License-Identifier: GPL-2.0
/*
 * The measuring module of "make bench": sends packets like pktgen, but to
 * destinations from a list, and times lookups inside the kernel. It stays loaded
 * while altfib comes and goes.
 *
 * A command is written to /proc/altfib_bench, and its answer read from there:
 *
 *   keys SLOT FAMILY PATH           read pairs of addresses (destination, source)
 *   device gen|in|sink NAME [FD]    a device, in this or the namespace behind FD
 *   send SLOT OFFSET COUNT [BATCH]  packets from "gen", BATCH at a time (1, as pktgen's)
 *                                   -> ns, sent, left by "sink"
 *   udp SLOT OFFSET COUNT           datagrams from a socket -> ns, sent, left by "sink"
 *   lookup ARM SLOT OFFSET COUNT    ARM: loop, kernel, walk, altfib, altfib-...
 *                                   -> ns one after the other, ns overlapping, found
 *   latency ARM SLOT OFFSET COUNT   -> "ns:count" of single lookups
 *   input ARM SLOT OFFSET COUNT     ARM: loop, kernel, altfib -> ns, attached
 *   dst FAMILY COUNT                a dst allocated, released, and freed -> ns
 *   drop 0|1                        drop what "in" receives, at PRE_ROUTING
 *   cpu                             -> the clock
 *
 * OFFSET is the first key that is used. Times are of the CPU where that can be
 * had (User-Mode Linux: of the host's thread), else of the wall.
 */
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/proc_fs.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/net_namespace.h>
#include <net/route.h>

#include "../../../src/sys/bench.h"

#define SLOTS		16
#define BATCH		32	/* with bottom halves off */
#define MOST		512	/* the queue behind veth has room for 1,000 */
#define PAYLOAD		18	/* to the 60 bytes of the shortest frame */
#define BINS		1024
#define BIN_NS		4
#define ANSWER		32768

/* From /proc/kallsyms: the kernel exports neither. */
static unsigned long fib6_lookup_at;
module_param(fib6_lookup_at, ulong, 0444);
static unsigned long fib6_node_lookup_at;
module_param(fib6_node_lookup_at, ulong, 0444);

struct key4 {
	__be32 daddr;
	__be32 saddr;
};

struct key6 {
	struct in6_addr daddr;
	struct in6_addr saddr;
};

struct slot {
	int family;
	u32 n;
	void *keys;
};

static DEFINE_MUTEX(bench_lock);
static struct slot slots[SLOTS];
static struct net_device *dev_gen, *dev_in, *dev_sink;
static bool dropping;
static char *answer;
static size_t answer_len;

static __printf(1, 2) void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	answer_len += vscnprintf(answer + answer_len, ANSWER - answer_len, format, args);
	va_end(args);
}

/* ---- clocks ------------------------------------------------------------ */

static u64 clock_ns(void)
{
#ifdef CONFIG_UML
	/* The host's clock_gettime(CLOCK_THREAD_CPUTIME_ID): all of this kernel is one thread. */
	struct { s64 sec, nsec; } ts;
	long rc;

	asm volatile("syscall" : "=a" (rc) : "0" (228L), "D" (3L), "S" (&ts)
		     : "rcx", "r11", "memory");
	return rc ? 0 : ts.sec * NSEC_PER_SEC + ts.nsec;
#else
	return ktime_get_ns();
#endif
}

/* Ordered: nothing of what is timed moves out. */
static __always_inline u64 ticks(void)
{
#ifdef __x86_64__ /* User-Mode Linux has no CONFIG_X86 */
	u32 low, high;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
#else
	return ktime_get_ns();
#endif
}

/* Ticks in 1,024 ns, and those of a measurement of nothing. */
static u64 ticks_per_1024ns;
static u64 ticks_of_nothing = ~0ULL;

static void calibrate(void)
{
	u64 t0 = ticks(), n0 = ktime_get_ns(), t1, n1, a, b;
	int i;

	do {
		t1 = ticks();
		n1 = ktime_get_ns();
	} while (n1 - n0 < 50 * NSEC_PER_MSEC);
	ticks_per_1024ns = div64_u64((t1 - t0) << 10, n1 - n0);
	for (i = 0; i < 100000; i++) {
		a = ticks();
		b = ticks();
		ticks_of_nothing = min(ticks_of_nothing, b - a);
	}
}

/* ---- packets ----------------------------------------------------------- */

static int headers(const struct slot *slot)
{
	return slot->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static void fill4(struct iphdr *iph, const struct key4 *key)
{
	struct udphdr *udp = (void *)(iph + 1);

	*iph = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 32, .protocol = IPPROTO_UDP,
		.tot_len = htons(sizeof(*iph) + sizeof(*udp) + PAYLOAD),
		.daddr = key->daddr, .saddr = key->saddr,
	};
	ip_send_check(iph);
	*udp = (struct udphdr){
		.source = htons(9), .dest = htons(4001),
		.len = htons(sizeof(*udp) + PAYLOAD),
	};
}

static void fill6(struct ipv6hdr *ip6h, const struct key6 *key)
{
	struct udphdr *udp = (void *)(ip6h + 1);

	*ip6h = (struct ipv6hdr){
		.version = 6, .hop_limit = 32, .nexthdr = IPPROTO_UDP,
		.payload_len = htons(sizeof(*udp) + PAYLOAD),
		.daddr = key->daddr, .saddr = key->saddr,
	};
	*udp = (struct udphdr){
		.source = htons(9), .dest = htons(4001),
		.len = htons(sizeof(*udp) + PAYLOAD),
	};
}

static void fill(const struct slot *slot, void *to, u32 i)
{
	if (slot->family == 4)
		fill4(to, (const struct key4 *)slot->keys + i);
	else
		fill6(to, (const struct key6 *)slot->keys + i);
}

static u64 left_sink(void)
{
	struct rtnl_link_stats64 stats;

	return dev_get_stats(dev_sink, &stats)->tx_packets;
}

static int cmd_send(const struct slot *slot, u32 i, u32 count, u32 batch)
{
	int len = headers(slot) + sizeof(struct udphdr) + PAYLOAD;
	struct netdev_queue *txq = netdev_get_tx_queue(dev_gen, 0);
	u64 left = left_sink(), begin;
	u32 sent = 0, n;

	begin = clock_ns();
	while (sent < count) {
		local_bh_disable();
		for (n = min(count - sent, batch); n; n--) {
			struct sk_buff *skb;
			struct ethhdr *eth;

			skb = __netdev_alloc_skb(dev_gen, 64 + ETH_HLEN + len, GFP_NOWAIT);
			if (!skb)
				break;
			skb_reserve(skb, 64);
			eth = skb_put(skb, ETH_HLEN);
			ether_addr_copy(eth->h_dest, dev_in->dev_addr);
			ether_addr_copy(eth->h_source, dev_gen->dev_addr);
			eth->h_proto = slot->family == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
			skb->protocol = eth->h_proto;
			skb_reset_mac_header(skb);
			skb_set_network_header(skb, ETH_HLEN);
			fill(slot, skb_put_zero(skb, len), i);
			i = i + 1 == slot->n ? 0 : i + 1;
			skb->dev = dev_gen;
			HARD_TX_LOCK(dev_gen, txq, smp_processor_id());
			if (netdev_start_xmit(skb, dev_gen, txq, false) != NETDEV_TX_OK)
				kfree_skb(skb);
			HARD_TX_UNLOCK(dev_gen, txq);
			sent++;
		}
		local_bh_enable();
		if (n)
			return -ENOMEM;
		cond_resched();
	}
	say("%llu %u %llu\n", clock_ns() - begin, sent, left_sink() - left);
	return 0;
}

static int cmd_udp(const struct slot *slot, u32 i, u32 count)
{
	u64 left = left_sink(), begin;
	u8 payload[PAYLOAD] = {};
	struct socket *sock;
	u32 sent = 0;
	int err;

	err = sock_create_kern(dev_net(dev_sink), slot->family == 4 ? AF_INET : AF_INET6,
			       SOCK_DGRAM, IPPROTO_UDP, &sock);
	if (err)
		return err;
	begin = clock_ns();
	for (; sent < count; sent++) {
		struct sockaddr_storage to = {};
		struct sockaddr_in6 *to6 = (void *)&to;
		struct sockaddr_in *to4 = (void *)&to;
		struct msghdr msg = { .msg_name = &to };
		struct kvec vec = { .iov_base = payload, .iov_len = sizeof(payload) };

		if (slot->family == 4) {
			to4->sin_family = AF_INET;
			to4->sin_port = htons(53);
			to4->sin_addr.s_addr = ((const struct key4 *)slot->keys)[i].daddr;
			msg.msg_namelen = sizeof(*to4);
		} else {
			to6->sin6_family = AF_INET6;
			to6->sin6_port = htons(53);
			to6->sin6_addr = ((const struct key6 *)slot->keys)[i].daddr;
			msg.msg_namelen = sizeof(*to6);
		}
		i = i + 1 == slot->n ? 0 : i + 1;
		err = kernel_sendmsg(sock, &msg, &vec, 1, sizeof(payload));
		if (err < 0)
			break;
		if (!(sent % BATCH))
			cond_resched();
	}
	say("%llu %u %llu\n", clock_ns() - begin, sent, left_sink() - left);
	sock_release(sock);
	return min(err, 0);
}

static unsigned int drop_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return state->in == dev_in ? NF_DROP : NF_ACCEPT;
}

static const struct nf_hook_ops drop_ops[] = {
	{
		.hook = drop_hook, .pf = NFPROTO_IPV4, .hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_FIRST,
	}, {
		.hook = drop_hook, .pf = NFPROTO_IPV6, .hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_FIRST,
	},
};

static int cmd_drop(bool on)
{
	int err = 0;

	if (on == dropping)
		return 0;
	if (on)
		err = nf_register_net_hooks(dev_net(dev_in), drop_ops, ARRAY_SIZE(drop_ops));
	else
		nf_unregister_net_hooks(dev_net(dev_in), drop_ops, ARRAY_SIZE(drop_ops));
	if (!err)
		dropping = on;
	return err;
}

/* ---- lookups ----------------------------------------------------------- */

struct lookup {
	struct net *net;
	struct fib_table *main;
	struct flowi4 fl4;
	struct flowi6 fl6;
	struct fib_result res;
	struct fib6_result res6;
	const void *altfib;
	unsigned long (*altfib4)(const void *altfib, u32 daddr);
	unsigned long (*altfib6)(const void *altfib, u64 high, u64 low);
};

typedef unsigned long (*lookup_fn)(struct lookup *l, const void *key);

static noinline unsigned long loop_lookup(struct lookup *l, const void *key)
{
	return *(const u8 *)key | 1;
}

static noinline unsigned long kernel_lookup4(struct lookup *l, const void *key)
{
	l->fl4.daddr = ((const struct key4 *)key)->daddr;
	if (fib_table_lookup(l->main, &l->fl4, &l->res, FIB_LOOKUP_NOREF))
		return 0;
	return (unsigned long)l->res.fi;
}

static noinline unsigned long altfib_lookup4(struct lookup *l, const void *key)
{
	return l->altfib4(l->altfib, ntohl(((const struct key4 *)key)->daddr));
}

/* As fib6_lookup() without policy rules: table local, then main. */
static noinline unsigned long walk_lookup6(struct lookup *l, const void *key)
{
	struct fib6_node *(*lookup)(struct fib6_node *root, const struct in6_addr *daddr,
				    const struct in6_addr *saddr) = (void *)fib6_node_lookup_at;
	const struct in6_addr *daddr = &((const struct key6 *)key)->daddr;
	struct net *net = l->net;
	struct fib6_info *leaf;
	struct fib6_node *fn;

	fn = lookup(&net->ipv6.fib6_local_tbl->tb6_root, daddr, &l->fl6.saddr);
	leaf = rcu_dereference(fn->leaf);
	if (!leaf || leaf == net->ipv6.fib6_null_entry) {
		fn = lookup(&net->ipv6.fib6_main_tbl->tb6_root, daddr, &l->fl6.saddr);
		leaf = rcu_dereference(fn->leaf);
	}
	return leaf == net->ipv6.fib6_null_entry ? 0 : (unsigned long)leaf;
}

static noinline unsigned long kernel_lookup6(struct lookup *l, const void *key)
{
	int (*lookup)(struct net *net, int oif, struct flowi6 *fl6, struct fib6_result *res,
		      int flags) = (void *)fib6_lookup_at;

	l->fl6.daddr = ((const struct key6 *)key)->daddr;
	if (lookup(l->net, l->fl6.flowi6_iif, &l->fl6, &l->res6, RT6_LOOKUP_F_HAS_SADDR) ||
	    l->res6.f6i == l->net->ipv6.fib6_null_entry)
		return 0;
	return (unsigned long)l->res6.f6i;
}

static noinline unsigned long altfib_lookup6(struct lookup *l, const void *key)
{
	const __be64 *daddr = (const __be64 *)&((const struct key6 *)key)->daddr;

	return l->altfib6(l->altfib, be64_to_cpu(daddr[0]), be64_to_cpu(daddr[1]));
}

/* fib_get_table(), which is not exported. */
static struct fib_table *get_table(struct net *net, u32 id)
{
	struct fib_table *table;

	hlist_for_each_entry_rcu(table, &net->ipv4.fib_table_hash[id & (FIB_TABLE_HASHSZ - 1)],
				 tb_hlist)
		if (table->tb_id == id)
			return table;
	return NULL;
}

static int lookup_begin(struct lookup *l, const struct slot *slot, const char *arm, lookup_fn *fn)
{
	const void *(*begin)(struct net *net);

	memset(l, 0, sizeof(*l));
	l->net = dev_net(dev_in);
	l->fl4.flowi4_iif = dev_in->ifindex;
	l->fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	l->fl6.flowi6_iif = dev_in->ifindex;
	if (slot->family == 4)
		l->fl4.saddr = ((const struct key4 *)slot->keys)->saddr;
	else
		l->fl6.saddr = ((const struct key6 *)slot->keys)->saddr;
	rcu_read_lock();
	l->main = get_table(l->net, RT_TABLE_MAIN);
	rcu_read_unlock();
	if (!strcmp(arm, "loop")) {
		*fn = loop_lookup;
	} else if (!strcmp(arm, "kernel")) {
		if (slot->family == 6 && !fib6_lookup_at)
			return -EOPNOTSUPP;
		*fn = slot->family == 4 ? kernel_lookup4 : kernel_lookup6;
	} else if (!strcmp(arm, "walk")) {
		if (slot->family == 4 || !fib6_node_lookup_at)
			return -EOPNOTSUPP;
		*fn = walk_lookup6;
	} else if (!strcmp(arm, "altfib")) {
		*fn = slot->family == 4 ? altfib_lookup4 : altfib_lookup6;
		begin = symbol_get(altfib_bench_begin);
		if (!begin)
			return -EOPNOTSUPP;
		l->altfib = begin(l->net);
		symbol_put(altfib_bench_begin);
		l->altfib4 = symbol_get(altfib_bench_lookup4);
		l->altfib6 = symbol_get(altfib_bench_lookup6);
		if (!l->altfib4 || !l->altfib6 || !l->altfib)
			return -EOPNOTSUPP;
	} else {
		return -EINVAL;
	}
	return 0;
}

static void lookup_end(struct lookup *l)
{
	if (l->altfib4)
		symbol_put(altfib_bench_lookup4);
	if (l->altfib6)
		symbol_put(altfib_bench_lookup6);
}

static const void *key_at(const struct slot *slot, u32 i)
{
	return slot->keys + i * (slot->family == 4 ? sizeof(struct key4) : sizeof(struct key6));
}

/* A zero of which the compiler knows nothing. */
static unsigned long zero;

/*
 * One after the other: where the next key is depends on the answer, so that no
 * lookup starts before the last one ended, as with packets.
 */
static u64 lookups(struct lookup *l, lookup_fn fn, const struct slot *slot, u32 i, u32 count,
		   bool dependent, u32 *found)
{
	unsigned long mask = dependent ? READ_ONCE(zero) : 0;
	u64 begin = clock_ns();
	unsigned long r = 0;
	u32 n;

	*found = 0;
	while (count) {
		local_bh_disable();
		rcu_read_lock();
		n = min(count, 256u);
		count -= n;
		if (dependent) {
			for (; n; n--) {
				r = fn(l, key_at(slot, i) + (r & mask));
				*found += !!r;
				i = i + 1 == slot->n ? 0 : i + 1;
			}
		} else {
			for (; n; n--) {
				r = fn(l, key_at(slot, i));
				*found += !!r;
				i = i + 1 == slot->n ? 0 : i + 1;
			}
		}
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}
	return clock_ns() - begin;
}

static int cmd_lookup(const char *arm, const struct slot *slot, u32 i, u32 count)
{
	u32 found_dependent, found;
	u64 dependent, independent;
	struct lookup l;
	lookup_fn fn;
	int err;

	err = lookup_begin(&l, slot, arm, &fn);
	if (!err) {
		dependent = lookups(&l, fn, slot, i, count, true, &found_dependent);
		independent = lookups(&l, fn, slot, i, count, false, &found);
		say("%llu %llu %u\n", dependent, independent, min(found, found_dependent));
	}
	lookup_end(&l);
	return err;
}

static int cmd_latency(const char *arm, const struct slot *slot, u32 i, u32 count)
{
	struct lookup l;
	lookup_fn fn;
	u32 *bins;
	u32 n, bin;
	int err;

	bins = kvcalloc(BINS, sizeof(*bins), GFP_KERNEL);
	if (!bins)
		return -ENOMEM;
	err = lookup_begin(&l, slot, arm, &fn);
	while (!err && count) {
		local_bh_disable();
		rcu_read_lock();
		n = min(count, 256u);
		count -= n;
		for (; n; n--) {
			u64 t0, t1, ns;

			t0 = ticks();
			fn(&l, key_at(slot, i));
			t1 = ticks();
			ns = t1 - t0 > ticks_of_nothing ? t1 - t0 - ticks_of_nothing : 0;
			ns = div64_u64(ns << 10, ticks_per_1024ns);
			bins[min(div64_u64(ns, BIN_NS), BINS - 1)]++;
			i = i + 1 == slot->n ? 0 : i + 1;
		}
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}
	for (bin = 0; !err && bin < BINS; bin++)
		if (bins[bin])
			say("%u:%u ", bin * BIN_NS, bins[bin]);
	say("\n");
	lookup_end(&l);
	kvfree(bins);
	return err;
}

/* ---- the whole routing step of a received packet ------------------------ */

static int cmd_input(const char *arm, const struct slot *slot, u32 i, u32 count)
{
	int len = headers(slot) + sizeof(struct udphdr) + PAYLOAD;
	bool is_altfib = !strcmp(arm, "altfib");
	bool is_loop = !strcmp(arm, "loop");
	struct net *net = dev_net(dev_in);
	u32 n, attached = 0, all = count;
	struct nf_hook_state state;
	struct sk_buff *skb;
	u64 begin;

	skb = alloc_skb(64 + len, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, 64);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_put_zero(skb, len);
	skb_set_transport_header(skb, headers(slot));
	skb->dev = dev_in;
	skb->pkt_type = PACKET_HOST;
	skb->protocol = slot->family == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	memset(skb->cb, 0, sizeof(skb->cb));
	if (slot->family == 6)
		IP6CB(skb)->iif = dev_in->ifindex;
	else
		IPCB(skb)->iif = dev_in->ifindex;
	nf_hook_state_init(&state, NF_INET_PRE_ROUTING,
			   slot->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
			   dev_in, NULL, NULL, net, NULL);

	begin = clock_ns();
	while (count) {
		const struct nf_hook_entries *hooks;

		local_bh_disable();
		rcu_read_lock();
		if (slot->family == 4)
			hooks = rcu_dereference(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]);
		else
			hooks = rcu_dereference(net->nf.hooks_ipv6[NF_INET_PRE_ROUTING]);
		n = min(count, BATCH);
		count -= n;
		for (; n; n--) {
			fill(slot, skb->data, i);
			i = i + 1 == slot->n ? 0 : i + 1;
			if (is_loop)
				;
			else if (is_altfib && hooks && hooks->num_hook_entries)
				/* The last one is altfib's. */
				nf_hook_entry_hookfn(&hooks->hooks[hooks->num_hook_entries - 1],
						     skb, &state);
			else if (is_altfib)
				;
			else if (slot->family == 4)
				ip_route_input_noref(skb, ip_hdr(skb)->daddr, ip_hdr(skb)->saddr,
						     ip4h_dscp(ip_hdr(skb)), dev_in);
			else
				ip6_route_input(skb);
			attached += !!skb_dst(skb);
			skb_dst_drop(skb);
		}
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}
	say("%llu %u %u\n", clock_ns() - begin, all, attached);
	kfree_skb(skb);
	return 0;
}

/* ---- a route for each packet ------------------------------------------- */

static int cmd_dst(int family, u32 count)
{
	u64 begin = clock_ns();
	u32 n;

	for (n = 0; n < count; n++) {
		struct dst_entry *dst = NULL;

		local_bh_disable();
		if (family == 4) {
			struct rtable *rt = rt_dst_alloc(dev_sink, 0, RTN_UNICAST, false);

			if (rt)
				dst = &rt->dst;
		} else {
			struct rt6_info *rt = ip6_dst_alloc(dev_net(dev_sink), dev_sink, 0);

			if (rt)
				dst = &rt->dst;
		}
		dst_release(dst);
		local_bh_enable();
		if (!dst)
			return -ENOMEM;
		if (!(n % BATCH))
			cond_resched();
	}
	/* They are freed after a grace period, which belongs to the price. */
	rcu_barrier();
	say("%llu %u\n", clock_ns() - begin, n);
	return 0;
}

/* ---- commands ---------------------------------------------------------- */

static int cmd_keys(struct slot *slot, int family, const char *path)
{
	size_t size = family == 4 ? sizeof(struct key4) : sizeof(struct key6);
	struct file *file;
	ssize_t got;
	loff_t pos = 0;
	loff_t len;

	if (family != 4 && family != 6)
		return -EINVAL;
	file = filp_open(path, O_RDONLY | O_LARGEFILE, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	len = i_size_read(file_inode(file));
	vfree(slot->keys);
	slot->n = 0;
	slot->family = family;
	slot->keys = len >= size ? vmalloc(len) : NULL;
	while (slot->keys && pos < len) {
		got = kernel_read(file, slot->keys + pos, min(len - pos, 1 << 20), &pos);
		if (got <= 0)
			break;
	}
	filp_close(file, NULL);
	if (!slot->keys || pos < len)
		return -EIO;
	slot->n = div64_u64(len, size);
	say("%u\n", slot->n);
	return 0;
}

static void let_go(struct net_device **dev)
{
	if (*dev)
		dev_put(*dev);
	*dev = NULL;
}

static int cmd_device(const char *which, const char *name, int fd)
{
	struct net_device **dev = !strcmp(which, "gen") ? &dev_gen :
				  !strcmp(which, "in") ? &dev_in :
				  !strcmp(which, "sink") ? &dev_sink : NULL;
	struct net *net = fd < 0 ? get_net(current->nsproxy->net_ns) : get_net_ns_by_fd(fd);

	if (IS_ERR(net))
		return PTR_ERR(net);
	if (dev) {
		let_go(dev);
		*dev = dev_get_by_name(net, name);
	}
	put_net(net);
	return dev && *dev ? 0 : -ENODEV;
}

static int run(char *line)
{
	unsigned int s, i, count, batch;
	char word[16], arm[16], path[200];
	struct slot *slot;
	int fd = -1, family;

	if (sscanf(line, "%15s", word) != 1)
		return -EINVAL;
	if (!strcmp(word, "cpu")) {
		say("%llu\n", clock_ns());
		return 0;
	}
	if (!strcmp(word, "keys")) {
		if (sscanf(line, "%*s %u %d %199s", &s, &family, path) != 3 || s >= SLOTS)
			return -EINVAL;
		return cmd_keys(&slots[s], family, path);
	}
	if (!strcmp(word, "device")) {
		if (sscanf(line, "%*s %15s %15s %d", arm, path, &fd) < 2)
			return -EINVAL;
		return cmd_device(arm, path, fd);
	}
	if (!dev_gen || !dev_in || !dev_sink)
		return -ENODEV;
	if (!strcmp(word, "drop"))
		return sscanf(line, "%*s %u", &count) == 1 ? cmd_drop(count) : -EINVAL;
	if (!strcmp(word, "dst")) {
		if (sscanf(line, "%*s %d %u", &family, &count) != 2)
			return -EINVAL;
		return cmd_dst(family, count);
	}
	arm[0] = '\0';
	if (sscanf(line, "%*s %u %u %u", &s, &i, &count) != 3 &&
	    sscanf(line, "%*s %15s %u %u %u", arm, &s, &i, &count) != 4)
		return -EINVAL;
	if (s >= SLOTS || !slots[s].n)
		return -EINVAL;
	slot = &slots[s];
	i %= slot->n;
	if (!strcmp(word, "send")) {
		if (sscanf(line, "%*s %*u %*u %*u %u", &batch) != 1)
			batch = 1;
		return cmd_send(slot, i, count, clamp(batch, 1, MOST));
	}
	if (!strcmp(word, "udp"))
		return cmd_udp(slot, i, count);
	if (!strcmp(word, "lookup"))
		return cmd_lookup(arm, slot, i, count);
	if (!strcmp(word, "latency"))
		return cmd_latency(arm, slot, i, count);
	if (!strcmp(word, "input"))
		return cmd_input(arm, slot, i, count);
	return -EINVAL;
}

static ssize_t bench_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char *line;
	int err;

	if (len > 400)
		return -E2BIG;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&bench_lock);
	answer_len = 0;
	err = run(line);
	mutex_unlock(&bench_lock);
	kfree(line);
	return err ?: len;
}

static ssize_t bench_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	ssize_t got;

	mutex_lock(&bench_lock);
	got = simple_read_from_buffer(buf, len, pos, answer, answer_len);
	mutex_unlock(&bench_lock);
	return got;
}

static const struct proc_ops bench_ops = {
	.proc_read = bench_read,
	.proc_write = bench_write,
	.proc_lseek = default_llseek,
};

static int __init bench_init(void)
{
	answer = vmalloc(ANSWER);
	if (!answer)
		return -ENOMEM;
	calibrate();
	if (!proc_create("altfib_bench", 0600, NULL, &bench_ops)) {
		vfree(answer);
		return -ENOMEM;
	}
	return 0;
}

static void __exit bench_exit(void)
{
	int i;

	remove_proc_entry("altfib_bench", NULL);
	if (dropping)
		cmd_drop(false);
	let_go(&dev_gen);
	let_go(&dev_in);
	let_go(&dev_sink);
	for (i = 0; i < SLOTS; i++)
		vfree(slots[i].keys);
	vfree(answer);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("What make bench measures with");
MODULE_LICENSE("GPL");
