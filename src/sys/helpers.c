// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's static inlines and macros, for Rust.
 *
 * Nothing here decides: a helper reads, tests or attaches what only a header
 * of the kernel can. The packet path calls three of them a packet, since each
 * costs a call: altfib_read_packet(), altfib_attach() and altfib_count().
 */

#include <linux/hash.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/jump_label.h>
#include <linux/local_lock.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seq_file_net.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/arp.h>
#include <net/addrconf.h>
#include <net/dst_metadata.h>
#include <net/fib_rules.h>
#include <net/flow_dissector.h>
#include <net/icmp.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/l3mdev.h>
#include <net/ndisc.h>
#include <net/netns/generic.h>
#include <net/nexthop.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>

#ifdef CONFIG_X86_64
#include <asm/cpufeature.h>
#endif

#include "altfib_trace.h"
#include "helpers.h"

MODULE_VERSION(ALTFIB_VERSION);

static char *altfib_mode = "on";
module_param_named(mode, altfib_mode, charp, 0444);
MODULE_PARM_DESC(mode, "mode of the namespaces at load and of each new one: on (default) or off");

const char *altfib_helper_mode_param(void)
{
	return altfib_mode;
}

/* ---- the processor ---------------------------------------------------- */

/* Read by src/sys/cpu.rs, the flag where a static key would be a call. */
DEFINE_STATIC_KEY_FALSE(altfib_has_popcnt);
bool altfib_popcnt;

/* Context: process, before the tables are used. */
void altfib_helper_detect_cpu(void)
{
#ifdef CONFIG_X86_64
	altfib_popcnt = boot_cpu_has(X86_FEATURE_POPCNT);
	if (altfib_popcnt)
		static_branch_enable(&altfib_has_popcnt);
#endif
}

/* ---- one packet ------------------------------------------------------- */

/* Not inlined: it would cost its callers registers. */
static noinline void altfib_count_anywhere(u64 __percpu *counter)
{
	this_cpu_inc(*counter);
}

/*
 * Where the processor can't add to a per-CPU variable in one instruction,
 * this_cpu_inc() turns interrupts off, which is not needed here. A packet comes
 * with bottom halves off, but for one that a process has let out of a queue.
 */
static __always_inline void altfib_count_packet(u64 __percpu *counter)
{
	if (likely(softirq_count()))
		__this_cpu_inc(*counter);
	else
		altfib_count_anywhere(counter);
}

#include "helpers_traffic.c"

/* fib_rule_match() of net/core/fib_rules.c, for a flow without an output device or a tunnel. */
static bool altfib_rule_matches(struct fib_rule *rule, struct fib_rules_ops *ops,
				struct flowi *fl, int flags)
{
	int iif = READ_ONCE(rule->iifindex);
	bool match;

	match = !READ_ONCE(rule->oifindex) &&
		(!iif || iif == (READ_ONCE(rule->iif_is_l3_master) ? fl->flowi_l3mdev :
								      fl->flowi_iif)) &&
		!((rule->mark ^ fl->flowi_mark) & rule->mark_mask) && !rule->tun_id &&
		(!rule->l3mdev || fl->flowi_l3mdev) &&
		!uid_lt(fl->flowi_uid, rule->uid_range.start) &&
		!uid_gt(fl->flowi_uid, rule->uid_range.end) &&
		ops->match(rule, fl, flags);
	return match != !!(rule->flags & FIB_RULE_INVERT);
}

/*
 * The tables in which fib_rules_lookup() would look for this flow until one of
 * them has a route. struct fib4_rule is private and changes without an event,
 * so the rules are walked as they are; struct fib6_rule likewise. Without
 * iif_known the flow's input device is not known, nor what depends on it.
 */
static void altfib_walk_rules(struct net *net, struct fib_rules_ops *ops, struct flowi *fl,
			      int flags, bool iif_known, struct altfib_plan *plan)
{
	struct altfib_plan_table *table;
	struct fib_rule *rule;

	plan->n = 0;
	plan->open = true;
	list_for_each_entry_rcu(rule, &ops->rules_list, list) {
jumped:
		if (!iif_known && (READ_ONCE(rule->iifindex) || rule->l3mdev))
			return;
		if (!altfib_rule_matches(rule, ops, fl, flags) || rule->action == FR_ACT_NOP)
			continue;
		if (rule->action == FR_ACT_GOTO) {
			struct fib_rule *target = rcu_dereference(rule->ctarget);

			if (!target)
				continue;
			/* It is further down the list. */
			rule = target;
			goto jumped;
		}
		if (rule->action != FR_ACT_TO_TBL || plan->n == ALTFIB_PLAN_MAX)
			return;
		table = &plan->tables[plan->n];
		table->id = rule->table;
		if (rule->l3mdev) {
			const struct net_device *dev;

			dev = dev_get_by_index_rcu(net, fl->flowi_l3mdev);
			if (rule->flags & FIB_RULE_INVERT || !dev || !netif_is_l3_master(dev))
				return;
			table->id = l3mdev_fib_table_rcu(dev);
		}
		table->suppress = rule->suppress_prefixlen;
		table->open = rule->suppress_ifgroup != -1;
		plan->n++;
	}
	plan->open = false;
}

/*
 * The tables for the packet's destination.
 *
 * Context: RCU read side.
 */
void altfib_helper_plan(const struct altfib_packet *pkt, struct altfib_plan *plan)
{
	const struct iphdr *iph = ip_hdr(pkt->skb);
	struct flow_keys keys;
	struct flowi4 fl4 = {
		.daddr = iph->daddr,
		.saddr = iph->saddr,
		.flowi4_iif = pkt->dev->ifindex,
		.flowi4_mark = pkt->skb->mark,
		.flowi4_dscp = ip4h_dscp(iph),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_uid = sock_net_uid(pkt->net, NULL),
	};

	fib4_rules_early_flow_dissect(pkt->net, pkt->skb, &fl4, &keys);
	l3mdev_update_flow(pkt->net, flowi4_to_flowi(&fl4));
	altfib_walk_rules(pkt->net, pkt->net->ipv4.rules_ops, flowi4_to_flowi(&fl4), 0, true, plan);
}

/*
 * The tables for the packet's source, as __fib_validate_source() asks for it
 * once the destination has led to nh: the flow goes backwards, from the device
 * of nh.
 */
void altfib_helper_source_plan(const struct altfib_packet *pkt, const struct altfib_nexthop *nh,
			       struct altfib_plan *plan)
{
	const struct in_device *in_dev = __in_dev_get_rcu(pkt->dev);
	const struct fib_info *fi = rcu_dereference(nh->fi);
	const struct iphdr *iph = ip_hdr(pkt->skb);
	bool iif_known = true;
	struct flow_keys keys;
	struct flowi4 fl4 = {
		.daddr = iph->saddr,
		.saddr = iph->daddr,
		.flowi4_iif = LOOPBACK_IFINDEX,
		.flowi4_l3mdev = l3mdev_master_ifindex_rcu(pkt->dev),
		.flowi4_dscp = ip4h_dscp(iph),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_uid = sock_net_uid(pkt->net, NULL),
	};

	if (in_dev && IN_DEV_SRC_VMARK(in_dev))
		fl4.flowi4_mark = pkt->skb->mark;
	if (nh->type != RTN_LOCAL) {
		/* Which of several paths it will be is not known yet. */
		iif_known = fi && fib_info_num_path(fi) == 1;
		if (iif_known)
			fl4.flowi4_iif = fib_info_nhc((struct fib_info *)fi, 0)->nhc_oif;
	}
	if (fib4_rules_early_flow_dissect(pkt->net, pkt->skb, &fl4, &keys))
		swap(fl4.fl4_sport, fl4.fl4_dport);
	if (iif_known)
		l3mdev_update_flow(pkt->net, flowi4_to_flowi(&fl4));
	altfib_walk_rules(pkt->net, pkt->net->ipv4.rules_ops, flowi4_to_flowi(&fl4), 0, iif_known,
			  plan);
}

/*
 * Where a packet of a VRF came in. The kernel shows it to the hooks twice: as
 * the member device's, and then as the VRF's; it routes it after that, as the
 * member's.
 */
static const struct net_device *altfib_vrf_member(struct net *net, const struct sk_buff *skb)
{
	const struct net_device *dev;

	if (!netif_is_l3_master(skb->dev) || !(IPCB(skb)->flags & IPSKB_L3SLAVE))
		return NULL;
	dev = dev_get_by_index_rcu(net, IPCB(skb)->iif);
	if (!dev || l3mdev_master_ifindex_rcu(dev) != skb->dev->ifindex)
		return NULL;
	return dev;
}

/*
 * inet_lookup_ifaddr_rcu(), which is not exported: is addr one of the
 * namespace's own? altfib_helper_ifaddr_hash_ok() proves the hash at load.
 */
#define ALTFIB_IFADDR_SHIFT	8

static u32 altfib_ifaddr_hash(const struct net *net, __be32 addr)
{
	return hash_32(__ipv4_addr_hash(addr, net_hash_mix(net)), ALTFIB_IFADDR_SHIFT);
}

static bool altfib_is_own_address(const struct net *net, __be32 addr)
{
	const struct in_ifaddr *ifa;

	hlist_for_each_entry_rcu(ifa, &net->ipv4.inet_addr_lst[altfib_ifaddr_hash(net, addr)],
				 addr_lst)
		if (ifa->ifa_local == addr)
			return true;
	return false;
}

/*
 * Every test that ip_route_input_slow() would make before its lookup, and
 * every condition under which an attached dst would change what happens.
 * The order is that of cost and likelihood, not of the kernel's.
 *
 * Context: a netfilter hook, RCU read side.
 *
 * Return: ALTFIB_NO_OBJECTION and *pkt, or the reason to leave the packet alone.
 */
enum altfib_outcome altfib_helper_read_packet(struct sk_buff *skb,
					      const struct nf_hook_state *state,
					      const struct nf_hook_ops *ours,
					      struct altfib_packet *pkt)
{
	const struct nf_hook_entries *hooks;
	const struct iphdr *iph = ip_hdr(skb);
	const struct net_device *dev = skb->dev;
	struct net *net = state->net;
	struct in_device *in_dev;
	__be32 saddr = iph->saddr;
	__be32 daddr = iph->daddr;
	u8 flags = 0;
	bool rules;

	/* Metadata, loopback's own route, a route somebody attached before. */
	if (unlikely(skb->_skb_refdst))
		return ALTFIB_HAS_DST;
	if (unlikely(skb->sk))
		return ALTFIB_HAS_SOCKET;
	if (unlikely(skb->pkt_type != PACKET_HOST || skb->protocol != htons(ETH_P_IP)))
		return ALTFIB_NOT_UNICAST_FRAME;
	if (unlikely(iph->ihl != 5))
		return ALTFIB_IP_OPTIONS;
	if (unlikely(secpath_exists(skb)))
		return ALTFIB_IPSEC;
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	if (unlikely(nf_bridge_info_exists(skb)))
		return ALTFIB_BRIDGE;
#endif
	if (unlikely(netif_is_l3_master(dev) || netif_is_l3_slave(dev) ||
		     netif_has_l3_rx_handler(dev))) {
		dev = altfib_vrf_member(net, skb);
		if (!dev)
			return ALTFIB_VRF;
	}
	if (unlikely(fib_num_tclassid_users(net)))
		return ALTFIB_TCLASSID;

	/* Another hook of the same priority that was there first runs last. */
	hooks = rcu_dereference(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]);
	if (unlikely(!hooks ||
		     nf_hook_entries_get_hook_ops(hooks)[hooks->num_hook_entries - 1] != ours))
		return ALTFIB_HOOK_ORDER;

	if (unlikely(ipv4_is_multicast(daddr) || ipv4_is_lbcast(daddr) ||
		     ipv4_is_zeronet(daddr) || ipv4_is_loopback(daddr) ||
		     ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) ||
		     ipv4_is_zeronet(saddr) || ipv4_is_loopback(saddr)))
		return ALTFIB_SPECIAL_ADDRESS;

	in_dev = __in_dev_get_rcu(dev);
	if (unlikely(!in_dev))
		return ALTFIB_NO_IN_DEVICE;

	rules = fib4_has_custom_rules(net);
	pkt->skb = skb;
	pkt->net = net;
	pkt->dev = dev;
	pkt->daddr = ntohl(daddr);
	pkt->saddr = ntohl(saddr);
	pkt->rp_filter = IN_DEV_RPFILTER(in_dev);
	if (IN_DEV_FORWARD(in_dev))
		flags |= ALTFIB_IN_FORWARDING;
	if (IN_DEV_ACCEPT_LOCAL(in_dev))
		flags |= ALTFIB_IN_ACCEPT_LOCAL;
	/* fib_validate_source() looks the source up then. */
	if (net->ipv4.fib_has_custom_local_routes || rules)
		flags |= ALTFIB_IN_CUSTOM_LOCAL;
	if (unlikely(rules)) {
		flags |= ALTFIB_IN_RULES;
		if (IN_DEV_SRC_VMARK(in_dev))
			flags |= ALTFIB_IN_SRC_VMARK;
	}
	if (rcu_access_pointer(in_dev->ifa_list))
		flags |= ALTFIB_IN_HAS_ADDRESS;
	if (!pkt->rp_filter && !(flags & (ALTFIB_IN_ACCEPT_LOCAL | ALTFIB_IN_CUSTOM_LOCAL)) &&
	    altfib_is_own_address(net, saddr))
		flags |= ALTFIB_IN_OWN_SOURCE;
	pkt->in_flags = flags;
	return ALTFIB_NO_OBJECTION;
}

/* Each address of the namespace must stand in the bucket where we look for it. */
bool altfib_helper_ifaddr_hash_ok(struct net *net)
{
	const struct in_ifaddr *ifa;
	bool ok = true;
	u32 i;

	rcu_read_lock();
	for (i = 0; i < 1U << ALTFIB_IFADDR_SHIFT; i++)
		hlist_for_each_entry_rcu(ifa, &net->ipv4.inet_addr_lst[i], addr_lst)
			if (altfib_ifaddr_hash(net, ifa->ifa_local) != i)
				ok = false;
	rcu_read_unlock();
	return ok;
}

/*
 * Would the kernel's early demux give this packet to a socket? An attached
 * dst keeps the kernel from asking, for forwarded packets too. The tests are
 * those of ip_rcv_finish_core(), tcp_v4_early_demux() and
 * udp_v4_early_demux(); the last compares only the first socket of the chain.
 */
static bool altfib_socket_claims(struct net *net, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	int dif = skb->dev->ifindex;
	struct sock *sk;

	if (!READ_ONCE(net->ipv4.sysctl_ip_early_demux) || ip_is_fragment(iph))
		return false;

	if (iph->protocol == IPPROTO_TCP) {
		const struct tcphdr *th;

		if (!READ_ONCE(net->ipv4.sysctl_tcp_early_demux))
			return false;
		if (!pskb_may_pull(skb, skb_transport_offset(skb) + sizeof(*th)))
			return false;
		iph = ip_hdr(skb);
		th = tcp_hdr(skb);
		if (th->doff < sizeof(*th) / 4)
			return false;
		sk = __inet_lookup_established(net, iph->saddr, th->source,
					       iph->daddr, ntohs(th->dest), dif, inet_sdif(skb));
		if (!sk)
			return false;
		sock_gen_put(sk);
		return true;
	}

	if (iph->protocol == IPPROTO_UDP) {
		struct udp_table *table = net->ipv4.udp_table;
		const struct udphdr *uh;
		struct udp_hslot *slot;
		__portpair ports;
		u16 hnum;

		if (!READ_ONCE(net->ipv4.sysctl_udp_early_demux))
			return false;
		if (!pskb_may_pull(skb, skb_transport_offset(skb) + sizeof(*uh)))
			return false;
		iph = ip_hdr(skb);
		uh = udp_hdr(skb);
		hnum = ntohs(uh->dest);
		slot = udp_hashslot2(table, ipv4_portaddr_hash(net, iph->daddr, hnum));
		ports = INET_COMBINED_PORTS(uh->source, hnum);
		udp_portaddr_for_each_entry_rcu(sk, &slot->head) {
			INET_ADDR_COOKIE(acookie, iph->saddr, iph->daddr);

			return inet_match(net, sk, acookie, ports, dif, inet_sdif(skb));
		}
	}
	return false;
}

/* ---- next hops -------------------------------------------------------- */

/* The path that fib_table_lookup() would take, or why it is not ours to say. */
static __always_inline enum altfib_outcome
altfib_single_path(struct fib_info *fi, struct fib_nh_common **path)
{
	struct fib_nh_common *nhc;

	if (unlikely(READ_ONCE(fi->fib_dead) || READ_ONCE(fi->fib_flags) & RTNH_F_DEAD))
		return ALTFIB_DEAD_NEXTHOP;
	if (unlikely(fib_info_num_path(fi) != 1))
		return ALTFIB_MULTIPATH;
	if (unlikely(fi->nh && nexthop_is_blackhole(fi->nh)))
		return ALTFIB_ROUTE_TYPE;
	nhc = fib_info_nhc(fi, 0);
	if (unlikely(!nhc || READ_ONCE(nhc->nhc_flags) & RTNH_F_DEAD))
		return ALTFIB_DEAD_NEXTHOP;
	if (unlikely(READ_ONCE(nhc->nhc_flags) & RTNH_F_LINKDOWN &&
		     ip_ignore_linkdown(nhc->nhc_dev)))
		return ALTFIB_DEAD_NEXTHOP;
	*path = nhc;
	return ALTFIB_NO_OBJECTION;
}

/* Are all of several paths such that fib_table_lookup() takes the route? */
static bool altfib_all_paths_good(struct fib_info *fi)
{
	int i;

	for (i = 0; i < fib_info_num_path(fi); i++) {
		const struct fib_nh_common *nhc = fib_info_nhc(fi, i);

		if (!nhc || READ_ONCE(nhc->nhc_flags) & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
			return false;
	}
	return true;
}

/* rt_cache_valid() of net/ipv4/route.c, for a route of this record's type. */
static bool altfib_dst_valid(const struct net *net, const struct altfib_nexthop *nh,
			     const struct rtable *rt)
{
	return READ_ONCE(rt->dst.obsolete) == DST_OBSOLETE_FORCE_CHK &&
	       rt->rt_genid == rt_genid_ipv4(net) && rt->rt_type == nh->type;
}

/* May this packet be forwarded along this path without more ado? */
static __always_inline enum altfib_outcome altfib_check_path(const struct altfib_packet *pkt,
							     const struct fib_nh_common *nhc)
{
	const struct in_device *in_dev = __in_dev_get_rcu(pkt->dev);

	if (unlikely(!in_dev || !__in_dev_get_rcu(nhc->nhc_dev)))
		return ALTFIB_NO_IN_DEVICE;
	if (unlikely(nhc->nhc_oif == pkt->dev->ifindex && IN_DEV_TX_REDIRECTS(in_dev)))
		return ALTFIB_REDIRECT;
	return ALTFIB_NO_OBJECTION;
}

/* What would be attached. */
struct altfib_choice {
	struct dst_entry *dst;
	/* Of several paths: whose they are, and how one was chosen. */
	struct fib_info *group;
	const struct fib_nh_common *nhc;
	int hash;
};

/* ip_multipath_l3_keys(): those of the packet that an ICMP error is about, if it is one. */
static void altfib_l3_keys(const struct sk_buff *skb, struct flow_keys *keys)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct icmphdr *icmph;
	const struct iphdr *inner;
	struct icmphdr _icmph;
	struct iphdr _inner;

	keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
	keys->addrs.v4addrs.src = iph->saddr;
	keys->addrs.v4addrs.dst = iph->daddr;
	if (iph->protocol != IPPROTO_ICMP || iph->frag_off & htons(IP_OFFSET))
		return;
	icmph = skb_header_pointer(skb, iph->ihl * 4, sizeof(_icmph), &_icmph);
	if (!icmph || !icmp_is_err(icmph->type))
		return;
	inner = skb_header_pointer(skb, iph->ihl * 4 + sizeof(_icmph), sizeof(_inner), &_inner);
	if (!inner)
		return;
	keys->addrs.v4addrs.src = inner->saddr;
	keys->addrs.v4addrs.dst = inner->daddr;
}

/* Which of the addresses, inner or outer, that keys has. */
static void altfib_copy_addrs(struct flow_keys *to, const struct flow_keys *keys, bool src,
			      bool dst)
{
	to->control.addr_type = keys->control.addr_type;
	if (keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
		if (src)
			to->addrs.v4addrs.src = keys->addrs.v4addrs.src;
		if (dst)
			to->addrs.v4addrs.dst = keys->addrs.v4addrs.dst;
	} else {
		if (src)
			to->addrs.v6addrs.src = keys->addrs.v6addrs.src;
		if (dst)
			to->addrs.v6addrs.dst = keys->addrs.v6addrs.dst;
	}
}

/*
 * fib_multipath_custom_hash_skb() and rt6_multipath_custom_hash_skb(): policy 3,
 * the fields of fib_multipath_hash_fields.
 */
static u32 altfib_custom_hash(const struct net *net, const struct sk_buff *skb, u32 fields,
			      u16 family)
{
	u32 outer = 0, inner = 0;
	struct flow_keys keys, hash;
	bool encap = true;

	if (fields & FIB_MULTIPATH_HASH_FIELD_OUTER_MASK) {
		memset(&hash, 0, sizeof(hash));
		skb_flow_dissect_flow_keys(skb, &keys, FLOW_DISSECTOR_F_STOP_AT_ENCAP);
		keys.control.addr_type = family;
		altfib_copy_addrs(&hash, &keys, fields & FIB_MULTIPATH_HASH_FIELD_SRC_IP,
				  fields & FIB_MULTIPATH_HASH_FIELD_DST_IP);
		if (family == FLOW_DISSECTOR_KEY_IPV6_ADDRS &&
		    fields & FIB_MULTIPATH_HASH_FIELD_FLOWLABEL)
			hash.tags.flow_label = keys.tags.flow_label;
		if (fields & FIB_MULTIPATH_HASH_FIELD_IP_PROTO)
			hash.basic.ip_proto = keys.basic.ip_proto;
		if (fields & FIB_MULTIPATH_HASH_FIELD_SRC_PORT)
			hash.ports.src = keys.ports.src;
		if (fields & FIB_MULTIPATH_HASH_FIELD_DST_PORT)
			hash.ports.dst = keys.ports.dst;
		encap = keys.control.flags & FLOW_DIS_ENCAPSULATION;
		outer = fib_multipath_hash_from_keys(net, &hash);
	}
	if (encap && fields & FIB_MULTIPATH_HASH_FIELD_INNER_MASK) {
		memset(&hash, 0, sizeof(hash));
		skb_flow_dissect_flow_keys(skb, &keys, 0);
		if (keys.control.flags & FLOW_DIS_ENCAPSULATION) {
			bool v6 = keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS;

			if (v6 || keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS)
				altfib_copy_addrs(&hash, &keys,
						  fields & FIB_MULTIPATH_HASH_FIELD_INNER_SRC_IP,
						  fields & FIB_MULTIPATH_HASH_FIELD_INNER_DST_IP);
			if (v6 && fields & FIB_MULTIPATH_HASH_FIELD_INNER_FLOWLABEL)
				hash.tags.flow_label = keys.tags.flow_label;
			if (fields & FIB_MULTIPATH_HASH_FIELD_INNER_IP_PROTO)
				hash.basic.ip_proto = keys.basic.ip_proto;
			if (fields & FIB_MULTIPATH_HASH_FIELD_INNER_SRC_PORT)
				hash.ports.src = keys.ports.src;
			if (fields & FIB_MULTIPATH_HASH_FIELD_INNER_DST_PORT)
				hash.ports.dst = keys.ports.dst;
			inner = fib_multipath_hash_from_keys(net, &hash);
		}
	}
	return jhash_2words(outer, inner, 0);
}

/*
 * fib_multipath_hash() of net/ipv4/route.c, which is not exported, for a
 * received packet: fib_multipath_hash_policy 0 to 3.
 */
static int altfib_multipath_hash(const struct net *net, const struct sk_buff *skb)
{
	u8 policy = READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_policy);
	struct flow_keys keys, hash;

	memset(&hash, 0, sizeof(hash));
	if (policy == 0) {
		altfib_l3_keys(skb, &hash);
	} else if (policy == 1) {
		if (skb->l4_hash)
			return skb_get_hash_raw(skb) >> 1;
		skb_flow_dissect_flow_keys(skb, &keys, FLOW_DISSECTOR_F_STOP_AT_ENCAP);
		hash.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
		hash.addrs.v4addrs.src = keys.addrs.v4addrs.src;
		hash.addrs.v4addrs.dst = keys.addrs.v4addrs.dst;
		hash.ports.src = keys.ports.src;
		hash.ports.dst = keys.ports.dst;
		hash.basic.ip_proto = keys.basic.ip_proto;
	} else if (policy == 2) {
		skb_flow_dissect_flow_keys(skb, &keys, 0);
		if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
			altfib_copy_addrs(&hash, &keys, true, true);
		} else if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS) {
			altfib_copy_addrs(&hash, &keys, true, true);
			hash.tags.flow_label = keys.tags.flow_label;
			hash.basic.ip_proto = keys.basic.ip_proto;
		} else {
			altfib_l3_keys(skb, &hash);
		}
	} else {
		u32 fields = READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_fields);

		return policy != 3 ? 0 :
		       altfib_custom_hash(net, skb, fields, FLOW_DISSECTOR_KEY_IPV4_ADDRS) >> 1;
	}
	return fib_multipath_hash_from_keys(net, &hash) >> 1;
}

/*
 * fib_good_nh(), ipv4_good_nh() and ipv6_good_nh(): is the neighbour not known
 * to be unreachable?
 */
static bool altfib_good_neighbour(const struct fib_nh_common *nhc, u8 family)
{
	struct neighbour *n;

	if (family == AF_INET)
		n = __ipv4_neigh_lookup_noref(nhc->nhc_dev, (__force u32)nhc->nhc_gw.ipv4);
	else
		n = __ipv6_neigh_lookup_noref(nhc->nhc_dev, &nhc->nhc_gw.ipv6);
	return !n || READ_ONCE(n->nud_state) & NUD_VALID;
}

/*
 * nexthop_select_path_hthr() without its statistics. Resilient groups note
 * the time of each use, and are the kernel's.
 */
static struct fib_nh_common *altfib_group_member(struct nexthop *nh, int hash, u8 family)
{
	const struct nh_group *group = rcu_dereference(nh->nh_grp);
	struct fib_nh_common *first = NULL;
	int i;

	if (!group->hash_threshold || group->fdb_nh)
		return NULL;
	for (i = 0; i < group->num_nh; i++) {
		const struct nh_grp_entry *entry = &group->nh_entries[i];
		struct nh_info *info = rcu_dereference(entry->nh->nh_info);

		if (info->family != family || info->reject_nh)
			return NULL;
		if (!altfib_good_neighbour(&info->fib_nhc, family))
			continue;
		if (!first)
			first = &info->fib_nhc;
		if (hash <= atomic_read(&entry->hthr.upper_bound))
			return &info->fib_nhc;
	}
	if (!first)
		first = &rcu_dereference(group->nh_entries[0].nh->nh_info)->fib_nhc;
	return first;
}

/* fib_select_multipath() of net/ipv4/fib_semantics.c for a received packet. */
static struct fib_nh_common *altfib_route_member(struct fib_info *fi, int hash)
{
	bool use_neigh = READ_ONCE(fi->fib_net->ipv4.sysctl_fib_multipath_use_neigh);
	struct fib_nh_common *first = NULL;
	int i;

	for (i = 0; i < fi->fib_nhs; i++) {
		struct fib_nh *nh = &fi->fib_nh[i];
		int bound = atomic_read(&nh->fib_nh_upper_bound);

		if (bound == -1)
			continue;
		if (use_neigh && nh->fib_nh_scope == RT_SCOPE_LINK) {
			if (nh->fib_nh_gw_family != AF_INET)
				return NULL;
			if (!altfib_good_neighbour(&nh->nh_common, AF_INET))
				continue;
		}
		if (hash <= bound)
			return &nh->nh_common;
		if (!first)
			first = &nh->nh_common;
	}
	return first;
}

/*
 * The member of several paths that the kernel would choose for this packet,
 * with the dst that the kernel keeps for it: it is valid under RCU, and there
 * is no slot of ours for a member.
 */
static noinline enum altfib_outcome altfib_find_member(const struct altfib_packet *pkt,
						       const struct altfib_nexthop *nh,
						       struct fib_info *fi,
						       struct altfib_choice *choice)
{
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;
	struct rtable *rt;

	if (nh->type != RTN_UNICAST)
		return ALTFIB_MULTIPATH;
	choice->hash = altfib_multipath_hash(pkt->net, pkt->skb);
	nhc = fi->nh ? altfib_group_member(fi->nh, choice->hash, AF_INET) :
		       altfib_route_member(fi, choice->hash);
	if (!nhc)
		return ALTFIB_MULTIPATH;
	if (READ_ONCE(nhc->nhc_flags) & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return ALTFIB_DEAD_NEXTHOP;
	reason = altfib_check_path(pkt, nhc);
	if (reason != ALTFIB_NO_OBJECTION)
		return reason;
	/* It has no slot, which would know them. */
	if (rcu_access_pointer(nhc->nhc_exceptions))
		return ALTFIB_EXCEPTION;
	rt = rcu_dereference(nhc->nhc_rth_input);
	if (!rt || !altfib_dst_valid(pkt->net, nh, rt))
		return ALTFIB_NO_DST;
	choice->dst = &rt->dst;
	choice->group = fi;
	choice->nhc = nhc;
	return ALTFIB_NO_OBJECTION;
}

/*
 * What the kernel does beside choosing a member: nexthop_select_path() counts,
 * ip_mkroute_input() marks the packet.
 *
 * Return: false if a neighbour's state has just changed the choice.
 */
static noinline bool altfib_take_member(struct sk_buff *skb, const struct altfib_choice *choice)
{
	if (choice->group->nh) {
		struct nexthop *nh = nexthop_select_path(choice->group->nh, choice->hash);

		if (&rcu_dereference(nh->nh_info)->fib_nhc != choice->nhc)
			return false;
	}
	IPCB(skb)->flags |= IPSKB_MULTIPATH;
	return true;
}

/*
 * Exceptions (struct fib_nh_exception) are kept for single destinations, by a
 * hash whose key is the kernel's secret. So a slot notes, while it is filled,
 * which destinations have one, and packets for these are the kernel's. A new
 * one is noticed, since the kernel outdates the route in nhc_rth_input for it.
 * One that goes is not, which costs a punt until the next fill.
 */
#define ALTFIB_EXCEPTIONS_MAX	16

struct altfib_exceptions {
	struct rcu_head rcu;
	unsigned int n;			/* beyond the maximum: not all are there */
	__be32 daddr[ALTFIB_EXCEPTIONS_MAX];
};

/* Context: atomic, RCU read side. Return: NULL without memory. */
static struct altfib_exceptions *altfib_exceptions_of(const struct fib_nh_common *nhc)
{
	const struct fnhe_hash_bucket *hash = rcu_dereference(nhc->nhc_exceptions);
	const struct fib_nh_exception *fnhe;
	struct altfib_exceptions *found;
	int i;

	found = kzalloc_obj(*found, GFP_ATOMIC | __GFP_NOWARN);
	if (!found || !hash)
		return found;
	for (i = 0; i < FNHE_HASH_SIZE && found->n <= ALTFIB_EXCEPTIONS_MAX; i++)
		for (fnhe = rcu_dereference(hash[i].chain);
		     fnhe && found->n <= ALTFIB_EXCEPTIONS_MAX;
		     fnhe = rcu_dereference(fnhe->fnhe_next)) {
			if (found->n < ALTFIB_EXCEPTIONS_MAX)
				found->daddr[found->n] = fnhe->fnhe_daddr;
			found->n++;
		}
	return found;
}

/* May dst be attached although its path has exceptions? */
static noinline enum altfib_outcome altfib_check_exceptions(const struct altfib_packet *pkt,
							    const struct altfib_nexthop *nh,
							    const struct fib_nh_common *nhc,
							    const struct dst_entry *dst)
{
	const struct altfib_exceptions *known;
	unsigned int i;

	/* A new exception outdates only the route that stands there. */
	if ((void *)rcu_access_pointer(nhc->nhc_rth_input) != (void *)dst_rtable(dst))
		return ALTFIB_NO_DST;
	/* Pairs with the release of nh->dst in altfib_helper_slot_fill(). */
	smp_rmb();
	known = rcu_dereference(nh->exceptions);
	/* The first ones are just coming to be. */
	if (!known)
		return ALTFIB_NO_DST;
	if (known->n > ALTFIB_EXCEPTIONS_MAX)
		return ALTFIB_EXCEPTION;
	for (i = 0; i < known->n; i++)
		if (known->daddr[i] == htonl(pkt->daddr))
			return ALTFIB_EXCEPTION;
	return ALTFIB_NO_OBJECTION;
}

/*
 * The path that the packet takes along nh.
 *
 * Return: ALTFIB_NO_OBJECTION and *path, or a null one and *choice where that is
 * made already, since it was one of several; else the reason.
 */
static __always_inline enum altfib_outcome altfib_find_path(const struct altfib_packet *pkt,
							    const struct altfib_nexthop *nh,
							    struct fib_nh_common **path,
							    struct altfib_choice *choice)
{
	struct fib_info *fi = rcu_dereference(nh->fi);
	enum altfib_outcome reason;

	if (unlikely(!fi))
		return ALTFIB_BUSY;
	reason = altfib_single_path(fi, path);
	if (unlikely(reason == ALTFIB_MULTIPATH)) {
		*path = NULL;
		return altfib_find_member(pkt, nh, fi, choice);
	}
	if (unlikely(reason != ALTFIB_NO_OBJECTION))
		return reason;
	return nh->type == RTN_LOCAL ? ALTFIB_NO_OBJECTION : altfib_check_path(pkt, *path);
}

/*
 * The cached dst of nh, if the kernel's own lookup would find it for this
 * packet: same path, same exceptions, same redirects.
 *
 * Return: ALTFIB_NO_OBJECTION and *choice; ALTFIB_NO_DST when the slot has
 * nothing valid and a fill may help; else the reason.
 */
static __always_inline enum altfib_outcome altfib_find_dst(const struct altfib_packet *pkt,
							   const struct altfib_nexthop *nh,
							   struct altfib_choice *choice)
{
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;
	struct dst_entry *dst;

	reason = altfib_find_path(pkt, nh, &nhc, choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION || !nhc))
		return reason;

	/* The owner first: whoever sees the new one sees no older route. */
	if (unlikely(smp_load_acquire(&nh->nhc) != nhc))
		return ALTFIB_NO_DST;
	dst = rcu_dereference(nh->dst);
	if (unlikely(!dst || !altfib_dst_valid(pkt->net, nh, dst_rtable(dst))))
		return ALTFIB_NO_DST;
	if (unlikely(rcu_access_pointer(nhc->nhc_exceptions)) && nh->type != RTN_LOCAL) {
		reason = altfib_check_exceptions(pkt, nh, nhc, dst);
		if (reason != ALTFIB_NO_OBJECTION)
			return reason;
	}
	choice->dst = dst;
	choice->group = NULL;
	return ALTFIB_NO_OBJECTION;
}

/* A route of nh is handed out: whoever keeps it has to be told when a prefix of nh goes. */
static __always_inline void altfib_serve(struct altfib_nexthop *nh)
{
	if (unlikely(!READ_ONCE(nh->served)))
		WRITE_ONCE(nh->served, 1);
}

static __always_inline enum altfib_outcome
altfib_attach_choice(const struct altfib_packet *pkt, struct altfib_nexthop *nh,
		     const struct altfib_choice *choice, bool probe, u32 every)
{
	if (probe && altfib_socket_claims(pkt->net, pkt->skb))
		return ALTFIB_EARLY_DEMUX;
	if (unlikely(altfib_due(pkt->net, choice->dst, every)))
		return ALTFIB_VERIFY_DUE;
	if (unlikely(choice->group)) {
		if (!altfib_take_member(pkt->skb, choice))
			return ALTFIB_BUSY;
		/* No slot of ours was filled. */
		altfib_serve(nh);
	}
	skb_dst_set_noref(pkt->skb, choice->dst);
	return nh->type == RTN_LOCAL ? ALTFIB_LOCAL : ALTFIB_FORWARD;
}

/*
 * Attach the cached dst of nh; of every so many packets one is to be verified
 * instead. probe asks whether a socket would claim the packet in early demux.
 *
 * Context: RCU read side; the dst is attached without a reference.
 *
 * Return: ALTFIB_FORWARD or ALTFIB_LOCAL when attached, ALTFIB_VERIFY_DUE, or
 * as altfib_find_dst().
 */
enum altfib_outcome altfib_helper_attach(const struct altfib_packet *pkt,
					 struct altfib_nexthop *nh, bool probe, u32 every)
{
	struct altfib_choice choice;
	enum altfib_outcome reason;

	reason = altfib_find_dst(pkt, nh, &choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION))
		return reason;
	return altfib_attach_choice(pkt, nh, &choice, probe, every);
}

static void altfib_describe_dst(const struct dst_entry *dst, struct altfib_answer *answer)
{
	const struct rtable *rt = dst_rtable(dst);

	memset(answer, 0, sizeof(*answer));
	answer->type = rt->rt_type;
	answer->ifindex = dst->dev ? dst->dev->ifindex : 0;
	if (rt->rt_gw_family == AF_INET)
		answer->gateway = (__force u32)rt->rt_gw4;
	answer->gateway_v6 = rt->rt_gw_family == AF_INET6;
}

/*
 * Let the kernel route the packet, whose answer stays, and compare it with dst.
 * Two routes are the same if they are one object, or lead the same way by the
 * same functions: the kernel may have made a new one just now.
 */
static enum altfib_verdict altfib_compare(const struct altfib_packet *pkt,
					  const struct dst_entry *dst, enum altfib_verdict agrees,
					  struct altfib_difference *diff)
{
	struct sk_buff *skb = pkt->skb;
	const struct iphdr *iph = ip_hdr(skb);
	const struct dst_entry *theirs;
	enum skb_drop_reason reason;

	/* As ip_rcv_finish_core() asks, which has the device before it became a VRF's. */
	reason = ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph),
				      (struct net_device *)pkt->dev);
	if (reason == SKB_NOT_DROPPED_YET) {
		theirs = skb_dst(skb);
		if (theirs == dst)
			return agrees;
		altfib_describe_dst(theirs, &diff->kernels);
	} else {
		theirs = NULL;
		memset(&diff->kernels, 0, sizeof(diff->kernels));
		diff->kernels.reason = reason;
	}
	altfib_describe_dst(dst, &diff->ours);
	if (theirs && theirs->input == dst->input && theirs->output == dst->output &&
	    dst_rtable(theirs)->rt_flags == dst_rtable(dst)->rt_flags &&
	    !memcmp(&diff->ours, &diff->kernels, sizeof(diff->ours)))
		return agrees;
	diff->daddr = pkt->daddr;
	diff->saddr = pkt->saddr;
	diff->iif = pkt->dev->ifindex;
	diff->mark = skb->mark;
	diff->tos = iph->tos;
	diff->protocol = iph->protocol;
	diff->ports = 0;
	if (!ip_is_fragment(iph))
		skb_copy_bits(skb, skb_network_offset(skb) + sizeof(*iph), &diff->ports,
			      sizeof(diff->ports));
	return ALTFIB_DIFFERS;
}

/*
 * Let the kernel decide, and compare with what altfib would have attached.
 *
 * Context: RCU read side, bottom halves off.
 */
enum altfib_verdict altfib_helper_verify(const struct altfib_packet *pkt,
					 const struct altfib_nexthop *nh,
					 struct altfib_difference *diff)
{
	struct altfib_choice choice;

	if (altfib_find_dst(pkt, nh, &choice) != ALTFIB_NO_OBJECTION)
		return ALTFIB_UNDECIDED;
	return altfib_compare(pkt, choice.dst,
			      choice.group ? ALTFIB_AGREES_ON_PATH : ALTFIB_AGREES, diff);
}

/*
 * A packet like the one of diff, as PRE_ROUTING would see it, and the state
 * that goes with it; or NULL. Like the packet path, what is done with it has no
 * other packet beside it on this CPU: bottom halves are off until
 * altfib_helper_free_probe().
 *
 * Context: RCU read side, for as long as the packet is there.
 */
struct sk_buff *altfib_helper_probe(struct net *net, const struct altfib_difference *diff,
				    struct nf_hook_state *state)
{
	struct net_device *dev = dev_get_by_index_rcu(net, diff->iif);
	struct net_device *vrf = NULL;
	struct sk_buff *skb;
	struct iphdr *iph;

	if (!dev)
		return NULL;
	if (netif_is_l3_slave(dev))
		vrf = netdev_master_upper_dev_get_rcu(dev);
	/* Room for any header that has ports. */
	skb = alloc_skb(sizeof(*iph) + sizeof(struct tcphdr), GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = diff->tos;
	iph->ttl = 64;
	iph->protocol = diff->protocol;
	iph->tot_len = htons(sizeof(*iph) + sizeof(struct tcphdr));
	iph->saddr = htonl(diff->saddr);
	iph->daddr = htonl(diff->daddr);
	skb_set_transport_header(skb, sizeof(*iph));
	memcpy(skb_put_zero(skb, sizeof(struct tcphdr)), &diff->ports, sizeof(diff->ports));
	skb->protocol = htons(ETH_P_IP);
	skb->pkt_type = PACKET_HOST;
	skb->mark = diff->mark;
	skb->dev = vrf ?: dev;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	IPCB(skb)->iif = dev->ifindex;
	if (netif_is_l3_master(skb->dev))
		IPCB(skb)->flags = IPSKB_L3SLAVE;
	nf_hook_state_init(state, NF_INET_PRE_ROUTING, NFPROTO_IPV4, skb->dev, NULL, NULL, net,
			   NULL);
	local_bh_disable();
	return skb;
}

/* Whether the network's own limit allows one more message. */
bool altfib_helper_may_log(void)
{
	return net_ratelimit();
}

void altfib_helper_free_probe(struct sk_buff *skb)
{
	kfree_skb(skb);
	local_bh_enable();
}

/* A lock of four bytes in each configuration, whose zero is unlocked. */
static bool altfib_slot_trylock(struct altfib_nexthop *nh)
{
	preempt_disable();
	if (likely(!atomic_cmpxchg_acquire(&nh->lock, 0, 1)))
		return true;
	preempt_enable();
	return false;
}

static void altfib_slot_lock(struct altfib_nexthop *nh)
{
	while (!altfib_slot_trylock(nh))
		cpu_relax();
}

static void altfib_slot_unlock(struct altfib_nexthop *nh)
{
	atomic_set_release(&nh->lock, 0);
	preempt_enable();
}

/*
 * Take the route that the kernel keeps for this next hop into our slot, with
 * a reference of our own. The displaced one is released. It is never a route
 * read from a packet, which might stand on no list of the kernel's and pin a
 * device.
 *
 * Context: RCU read side, any but hard interrupt.
 */
enum altfib_fill altfib_helper_slot_fill(struct net *net, struct altfib_nexthop *nh)
{
	struct altfib_exceptions *exceptions = NULL, *outdated;
	enum altfib_fill result = ALTFIB_FILL_NOTHING;
	struct dst_entry *old;
	struct fib_nh_common *nhc;
	struct fib_info *fi;
	struct rtable *rt;

	if (!altfib_slot_trylock(nh))
		return ALTFIB_FILL_BUSY;
	/* Unbound records have no fi, and stay empty. */
	fi = rcu_dereference(nh->fi);
	if (!fi || altfib_single_path(fi, &nhc) != ALTFIB_NO_OBJECTION)
		goto out;
	rt = rcu_dereference(nhc->nhc_rth_input);
	if (!rt || !altfib_dst_valid(net, nh, rt) || !rt->rt_is_input ||
	    rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		goto out;
	if (rcu_access_pointer(nhc->nhc_exceptions) && nh->type != RTN_LOCAL) {
		/* Pairs with update_or_create_fnhe(): whatever is not there yet outdates rt. */
		smp_rmb();
		exceptions = altfib_exceptions_of(nhc);
		if (!exceptions)
			goto out;
	}
	if (!dst_hold_safe(&rt->dst)) {
		kfree(exceptions);
		goto out;
	}

	/* No reader may pair the new route with the old owner, or the reverse. */
	old = rcu_dereference_protected(nh->dst, true);
	RCU_INIT_POINTER(nh->dst, NULL);
	outdated = rcu_dereference_protected(nh->exceptions, true);
	rcu_assign_pointer(nh->exceptions, exceptions);
	/* Pairs with the acquire of nh->nhc in altfib_find_dst(). */
	smp_wmb();
	WRITE_ONCE(nh->nhc, nhc);
	WRITE_ONCE(nh->ifindex, nhc->nhc_oif);
	WRITE_ONCE(nh->served, 1);
	rcu_assign_pointer(nh->dst, &rt->dst);
	if (old)
		trace_dst_drop(net, old, false, ALTFIB_DROP_STALE);
	dst_release(old);
	if (outdated)
		kfree_rcu(outdated, rcu);
	result = ALTFIB_FILL_DONE;
out:
	altfib_slot_unlock(nh);
	return result;
}

/*
 * Context: the mirror's lock held, bottom halves off.
 *
 * Return: whether the slot held a route.
 */
bool altfib_helper_slot_drop(const struct net *net, struct altfib_nexthop *nh,
			     enum altfib_drop why)
{
	struct altfib_exceptions *exceptions;
	struct dst_entry *old;

	altfib_slot_lock(nh);
	old = rcu_dereference_protected(nh->dst, true);
	RCU_INIT_POINTER(nh->dst, NULL);
	exceptions = rcu_dereference_protected(nh->exceptions, true);
	RCU_INIT_POINTER(nh->exceptions, NULL);
	altfib_slot_unlock(nh);
	if (old)
		trace_dst_drop(net, old, false, why);
	dst_release(old);
	if (exceptions)
		kfree_rcu(exceptions, rcu);
	return old;
}

enum altfib_slot_state altfib_helper_slot_state(const struct net *net,
						const struct altfib_nexthop *nh)
{
	enum altfib_slot_state state = ALTFIB_SLOT_EMPTY;
	struct dst_entry *dst;

	rcu_read_lock();
	dst = rcu_dereference(nh->dst);
	if (dst)
		state = altfib_dst_valid(net, nh, dst_rtable(dst)) ? ALTFIB_SLOT_CACHED :
								     ALTFIB_SLOT_STALE;
	rcu_read_unlock();
	return state;
}

/* Where a packet at PRE_ROUTING came in, or its VRF. */
int altfib_helper_packet_iif(const struct sk_buff *skb)
{
	return skb->dev->ifindex;
}

/* Device of a next hop that has one path, or 0. Context: RCU read side. */
int altfib_helper_nexthop_oif(const struct altfib_nexthop *nh)
{
	struct fib_info *fi = rcu_dereference(nh->fi);
	const struct fib_nh_common *nhc;

	if (!fi || fib_info_num_path(fi) != 1)
		return 0;
	nhc = fib_info_nhc(fi, 0);
	return nhc ? nhc->nhc_oif : 0;
}

/* Give the record its reference on fi. Context: the mirror's lock held. */
void altfib_helper_nexthop_bind(struct altfib_nexthop *nh, struct fib_info *fi)
{
	fib_info_hold(fi);
	rcu_assign_pointer(nh->fi, fi);
}

/*
 * Take it back. Readers that still see fi are covered by the kernel, which
 * frees it after a grace period; a grace period of our own before the put
 * would hold up the removal of its device.
 */
void altfib_helper_nexthop_unbind(struct altfib_nexthop *nh)
{
	struct fib_info *fi;

	altfib_slot_lock(nh);
	fi = rcu_dereference_protected(nh->fi, true);
	RCU_INIT_POINTER(nh->fi, NULL);
	altfib_slot_unlock(nh);
	if (fi)
		fib_info_put(fi);
}

void altfib_helper_fib_info_hold(struct fib_info *fi)
{
	fib_info_hold(fi);
}

void altfib_helper_fib_info_put(struct fib_info *fi)
{
	fib_info_put(fi);
}

/*
 * __fib_validate_source() once it has found the source's route: does the
 * route lead back through the input device?
 *
 * Return: 1 yes, 0 no, -1 the kernel may have used another route.
 */
int altfib_helper_source_uses_dev(const struct altfib_packet *pkt, const struct altfib_nexthop *nh)
{
	struct fib_info *fi = rcu_dereference(nh->fi);
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;

	if (!fi)
		return -1;
	reason = altfib_single_path(fi, &nhc);
	if (reason != ALTFIB_NO_OBJECTION &&
	    (reason != ALTFIB_MULTIPATH || !altfib_all_paths_good(fi)))
		return -1;
	return fib_info_nh_uses_dev(fi, pkt->dev);
}

/* What fib_table_lookup() returns for routes of this type, or 0. */
static int altfib_type_error(u8 type)
{
	switch (type) {
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_PROHIBIT:
		return -EACCES;
	case RTN_BLACKHOLE:
		return -EINVAL;
	default:
		return 0;
	}
}

/* fib_get_table(), which is not exported. Context: RCU read side. */
static struct fib_table *altfib_get_table(const struct net *net, u32 id)
{
	struct fib_table *table;

	hlist_for_each_entry_rcu(table, &net->ipv4.fib_table_hash[id & (FIB_TABLE_HASHSZ - 1)],
				 tb_hlist)
		if (table->tb_id == id)
			return table;
	return NULL;
}

/* What one table says; 0: what fib_lookup() says without policy rules. */
static int altfib_lookup(const struct net *net, u32 id, const struct flowi4 *fl4,
			 struct fib_result *res)
{
	const u32 ids[] = { id ?: RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT };
	struct fib_table *table;
	int err = -EAGAIN;
	int i;

	for (i = 0; i < (id ? 1 : ARRAY_SIZE(ids)) && err == -EAGAIN; i++) {
		table = altfib_get_table(net, ids[i]);
		if (table)
			err = fib_table_lookup(table, fl4, res, FIB_LOOKUP_NOREF);
	}
	return err;
}

/*
 * Is what the kernel's lookup has found the route of nh, or nothing if nh is NULL?
 *
 * Context: RCU read side.
 *
 * Return: 1 yes, 0 no, -1 packets for nh are left to the kernel anyway.
 */
static int altfib_same_route(const struct altfib_nexthop *nh, int err,
			     const struct fib_result *res)
{
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;
	struct fib_info *fi;

	if (!nh)
		return err == -EAGAIN;
	/* The kernel goes on behind such a route: to a shorter one, or another table. */
	if (nh->flags & ALTFIB_NH_DSCP || nh->type == RTN_THROW)
		return -1;
	if (altfib_type_error(nh->type))
		return err == altfib_type_error(nh->type);
	/* Deleted by the kernel, and soon here. */
	fi = rcu_dereference(nh->fi);
	if (!fi)
		return -1;
	reason = altfib_single_path(fi, &nhc);
	if (reason != ALTFIB_NO_OBJECTION && reason != ALTFIB_MULTIPATH)
		return -1;
	return !err && res->fi == fi && res->type == nh->type;
}

/*
 * As altfib_same_route(), for the kernel's lookup of daddr (host order) in a table,
 * or without policy rules if table is 0.
 *
 * Context: RCU read side.
 */
int altfib_helper_audit(struct net *net, u32 table, u32 daddr, const struct altfib_nexthop *nh)
{
	struct flowi4 fl4 = {
		.daddr = htonl(daddr),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
	};
	struct fib_result res;
	int err;

	err = altfib_lookup(net, table, &fl4, &res);
	return altfib_same_route(nh, err, &res);
}

/* Context: the mirror's lock held, so that nh->fi stays. */
void altfib_helper_nexthop_describe(const struct altfib_nexthop *nh,
				    struct altfib_nexthop_info *info)
{
	struct fib_nh_common *nhc;
	struct fib_info *fi;

	memset(info, 0, sizeof(*info));
	rcu_read_lock();
	fi = rcu_dereference(nh->fi);
	if (!fi)
		goto out;
	info->metric = fi->fib_priority;
	info->paths = min_t(unsigned int, fib_info_num_path(fi), U8_MAX);
	info->reject = fi->nh && nexthop_is_blackhole(fi->nh);
	nhc = info->paths ? fib_info_nhc(fi, 0) : NULL;
	if (!nhc)
		goto out;
	if (nhc->nhc_gw_family == AF_INET)
		info->gateway = (__force u32)nhc->nhc_gw.ipv4;
	info->gateway_v6 = nhc->nhc_gw_family == AF_INET6;
	if (info->gateway_v6)
		memcpy(info->gateway6, &nhc->nhc_gw.ipv6, sizeof(info->gateway6));
	info->ifindex = nhc->nhc_oif;
	if (nhc->nhc_dev)
		strscpy(info->device, nhc->nhc_dev->name, sizeof(info->device));
out:
	rcu_read_unlock();
}

/* Is the next hop a next-hop object, which may become another one at any time? */
bool altfib_helper_uses_object(const struct altfib_nexthop *nh)
{
	struct fib_info *fi = rcu_dereference_protected(nh->fi, true);

	return fi && fi->nh;
}

/* Is the kernel taking the whole route down, with all its prefixes? */
bool altfib_helper_is_dying(const struct altfib_nexthop *nh)
{
	struct fib_info *fi = rcu_dereference_protected(nh->fi, true);

	return fi && (fi->fib_dead || fi->fib_flags & RTNH_F_DEAD);
}

/* fib_info whose path nh is, for FIB_EVENT_NH_ADD and FIB_EVENT_NH_DEL. */
struct fib_info *altfib_helper_nh_parent(const struct fib_nh *nh)
{
	return nh->nh_parent;
}

u8 altfib_helper_dscp(const struct fib_entry_notifier_info *info)
{
	return inet_dscp_to_dsfield(info->dscp);
}

void altfib_helper_genid_bump(struct net *net)
{
	rt_genid_bump_ipv4(net);
}

/* ---- counters --------------------------------------------------------- */

u64 __percpu *altfib_helper_counters_alloc(size_t n)
{
	return __alloc_percpu(n * sizeof(u64), SMP_CACHE_BYTES);
}

void altfib_helper_counters_free(u64 __percpu *counters)
{
	free_percpu(counters);
}

void altfib_helper_count(u64 __percpu *counters, unsigned int i)
{
	this_cpu_inc(counters[i]);
}

/* For a counter that no interrupt counts. */
void altfib_helper_count_packet(u64 __percpu *counters, unsigned int i)
{
	altfib_count_packet(&counters[i]);
}

void altfib_helper_count_add(u64 __percpu *counters, unsigned int i, u64 n)
{
	this_cpu_add(counters[i], n);
}

u64 altfib_helper_count_read(u64 __percpu *counters, unsigned int i, int cpu)
{
	return READ_ONCE(*per_cpu_ptr(&counters[i], cpu));
}

/* The next possible CPU from @cpu on, or -1. */
int altfib_helper_next_cpu(int cpu)
{
	for (; cpu < nr_cpu_ids; cpu++)
		if (cpu_possible(cpu))
			return cpu;
	return -1;
}

/* ---- locks, work, namespaces ------------------------------------------ */

void altfib_helper_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	__raw_spin_lock_init(spinlock_check(lock), name, key, LD_WAIT_CONFIG);
#else
	spin_lock_init(lock);
#endif
}

void altfib_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void altfib_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

void altfib_helper_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

void altfib_helper_resched(void)
{
	cond_resched();
}

void *altfib_helper_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

bool altfib_helper_net_is_dying(const struct net *net)
{
	return READ_ONCE(net->is_dying);
}

bool altfib_helper_net_is_init_user_ns(const struct net *net)
{
	return net->user_ns == &init_user_ns;
}

u64 altfib_helper_jiffies_msec(void)
{
	return jiffies64_to_msecs(get_jiffies_64() - INITIAL_JIFFIES);
}

struct net *altfib_helper_seq_net(struct seq_file *seq)
{
	return seq_file_net(seq);
}

/* proc_create_net_single() keeps the namespace where others keep a structure. */
struct net *altfib_helper_seq_single_net(struct seq_file *seq)
{
	return seq_file_single_net(seq);
}

struct proc_dir_entry *altfib_helper_proc_net(const struct net *net)
{
	return net->proc_net;
}

struct proc_dir_entry *altfib_helper_proc_net_stat(const struct net *net)
{
	return net->proc_net_stat;
}

/* Whether a device is up that brings packets from elsewhere. */
bool altfib_helper_has_device(struct net *net)
{
	struct net_device *dev;
	bool up = false;

	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		if (!(dev->flags & IFF_LOOPBACK) && dev->flags & IFF_UP) {
			up = true;
			break;
		}
	}
	rcu_read_unlock();
	return up;
}

int altfib_helper_netdev_ifindex(void *info, struct net **net)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	*net = dev_net(dev);
	return dev->ifindex;
}

/* One object, as the kernel crate's own helpers are: some of them share functions. */
#include "helpers_ipv6.c"
#include "helpers_cache.c"
#include "helpers_redirect.c"
#include "helpers_sockets.c"
#include "helpers_arm.c"
#include "helpers_fastpath.c"
#include "helpers_netlink.c"
#ifdef ALTFIB_BENCH
#include "helpers_bench.c"
#endif
