// SPDX-License-Identifier: GPL-2.0
/* The helpers for IPv6. Part of helpers.c. */

/*
 * Every condition under which an attached dst would change what happens to an
 * IPv6 packet. The kernel validates no source here, and ip6_forward() looks at
 * the forwarding settings itself.
 *
 * Context: a netfilter hook, RCU read side.
 *
 * Return: ALTFIB_NO_OBJECTION and *pkt, or the reason to leave the packet alone.
 */
enum altfib_outcome altfib_helper_read_packet6(struct sk_buff *skb,
					       const struct nf_hook_state *state,
					       const struct nf_hook_ops *ours,
					       struct altfib_packet6 *pkt)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	const struct nf_hook_entries *hooks;
	struct net_device *dev = skb->dev;
	struct net *net = state->net;

	if (unlikely(skb->_skb_refdst))
		return ALTFIB_HAS_DST;
	if (unlikely(skb->sk))
		return ALTFIB_HAS_SOCKET;
	if (unlikely(skb->pkt_type != PACKET_HOST || skb->protocol != htons(ETH_P_IPV6)))
		return ALTFIB_NOT_UNICAST_FRAME;
	if (unlikely(secpath_exists(skb)))
		return ALTFIB_IPSEC;
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	if (unlikely(nf_bridge_info_exists(skb)))
		return ALTFIB_BRIDGE;
#endif
	/* The kernel shows it again as the VRF's, and routes it as that. */
	if (unlikely(netif_is_l3_slave(dev) || netif_has_l3_rx_handler(dev) ||
		     (netif_is_l3_master(dev) && !(IP6CB(skb)->flags & IP6SKB_L3SLAVE))))
		return ALTFIB_VRF;

	hooks = rcu_dereference(net->nf.hooks_ipv6[NF_INET_PRE_ROUTING]);
	if (unlikely(!hooks ||
		     nf_hook_entries_get_hook_ops(hooks)[hooks->num_hook_entries - 1] != ours))
		return ALTFIB_HOOK_ORDER;

	/* rt6_need_strict(), and what is no destination. */
	if (unlikely(ipv6_addr_is_multicast(&iph->daddr) || ipv6_addr_loopback(&iph->daddr) ||
		     ipv6_addr_any(&iph->daddr) ||
		     ipv6_addr_type(&iph->daddr) & IPV6_ADDR_LINKLOCAL))
		return ALTFIB_SPECIAL_ADDRESS;
	if (unlikely(!__in6_dev_get(dev)))
		return ALTFIB_NO_IN_DEVICE;
	if (unlikely(fib6_routes_require_src(net)))
		return ALTFIB_SOURCE_SPECIFIC;

	pkt->skb = skb;
	pkt->net = net;
	pkt->daddr[0] = be64_to_cpup((const __be64 *)&iph->daddr.s6_addr32[0]);
	pkt->daddr[1] = be64_to_cpup((const __be64 *)&iph->daddr.s6_addr32[2]);
	pkt->in_flags = unlikely(fib6_has_custom_rules(net)) ? ALTFIB_IN_RULES : 0;
	return ALTFIB_NO_OBJECTION;
}

/*
 * The tables for the packet's destination, as ip6_route_input() asks for it.
 *
 * Context: RCU read side.
 */
void altfib_helper_plan6(const struct altfib_packet6 *pkt, struct altfib_plan *plan)
{
	const struct ipv6hdr *iph = ipv6_hdr(pkt->skb);
	struct flow_keys keys;
	struct flowi6 fl6 = {
		.flowi6_iif = pkt->skb->dev->ifindex,
		.daddr = iph->daddr,
		.saddr = iph->saddr,
		.flowlabel = ip6_flowinfo(iph),
		.flowi6_mark = pkt->skb->mark,
		.flowi6_proto = iph->nexthdr,
	};

	fib6_rules_early_flow_dissect(pkt->net, pkt->skb, &fl6, &keys);
	l3mdev_update_flow(pkt->net, flowi6_to_flowi(&fl6));
	altfib_walk_rules(pkt->net, pkt->net->ipv6.fib6_rules_ops, flowi6_to_flowi(&fl6),
			  RT6_LOOKUP_F_HAS_SADDR, true, plan);
}

/* As altfib_socket_claims(), for tcp_v6_early_demux() and udp_v6_early_demux(). */
static bool altfib_socket_claims6(struct net *net, struct sk_buff *skb)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	int dif = skb->dev->ifindex;
	struct sock *sk;

	if (!READ_ONCE(net->ipv4.sysctl_ip_early_demux))
		return false;

	if (iph->nexthdr == IPPROTO_TCP) {
		const struct tcphdr *th;

		if (!READ_ONCE(net->ipv4.sysctl_tcp_early_demux))
			return false;
		if (!pskb_may_pull(skb, skb_transport_offset(skb) + sizeof(*th)))
			return false;
		iph = ipv6_hdr(skb);
		th = tcp_hdr(skb);
		if (th->doff < sizeof(*th) / 4)
			return false;
		sk = __inet6_lookup_established(net, &iph->saddr, th->source, &iph->daddr,
						ntohs(th->dest), dif, inet6_sdif(skb));
		if (!sk)
			return false;
		sock_gen_put(sk);
		return true;
	}

	if (iph->nexthdr == IPPROTO_UDP) {
		struct udp_table *table = net->ipv4.udp_table;
		const struct udphdr *uh;
		struct udp_hslot *slot;
		__portpair ports;
		u16 hnum;

		if (!READ_ONCE(net->ipv4.sysctl_udp_early_demux))
			return false;
		if (!pskb_may_pull(skb, skb_transport_offset(skb) + sizeof(*uh)))
			return false;
		iph = ipv6_hdr(skb);
		uh = udp_hdr(skb);
		hnum = ntohs(uh->dest);
		slot = udp_hashslot2(table, ipv6_portaddr_hash(net, &iph->daddr, hnum));
		ports = INET_COMBINED_PORTS(uh->source, hnum);
		udp_portaddr_for_each_entry_rcu(sk, &slot->head)
			return sk->sk_state == TCP_ESTABLISHED &&
			       inet6_match(net, sk, &iph->saddr, &iph->daddr, ports, dif,
					   inet6_sdif(skb));
	}
	return false;
}

/* ip6_multipath_l3_keys(): those of the packet that an ICMPv6 error is about, if it is one. */
static void altfib_l3_keys6(const struct sk_buff *skb, struct flow_keys *keys)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	const struct icmp6hdr *icmph;
	const struct ipv6hdr *inner;
	struct icmp6hdr _icmph;
	struct ipv6hdr _inner;

	keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
	if (iph->nexthdr == IPPROTO_ICMPV6) {
		icmph = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(_icmph),
					   &_icmph);
		if (icmph && icmpv6_is_err(icmph->icmp6_type)) {
			inner = skb_header_pointer(skb,
						   skb_transport_offset(skb) + sizeof(*icmph),
						   sizeof(_inner), &_inner);
			if (inner)
				iph = inner;
		}
	}
	keys->addrs.v6addrs.src = iph->saddr;
	keys->addrs.v6addrs.dst = iph->daddr;
	keys->tags.flow_label = (__force u32)ip6_flowlabel(iph);
	keys->basic.ip_proto = iph->nexthdr;
}

/* rt6_multipath_hash(), which is not exported, for a received packet. */
static int altfib_multipath_hash6(const struct net *net, const struct sk_buff *skb)
{
	u8 policy = ip6_multipath_hash_policy(net);
	struct flow_keys keys, hash;

	memset(&hash, 0, sizeof(hash));
	hash.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
	if (policy == 0) {
		altfib_l3_keys6(skb, &hash);
	} else if (policy == 1) {
		if (skb->l4_hash)
			return skb_get_hash_raw(skb) >> 1;
		skb_flow_dissect_flow_keys(skb, &keys, FLOW_DISSECTOR_F_STOP_AT_ENCAP);
		hash.addrs.v6addrs.src = keys.addrs.v6addrs.src;
		hash.addrs.v6addrs.dst = keys.addrs.v6addrs.dst;
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
			altfib_l3_keys6(skb, &hash);
		}
	} else {
		return policy != 3 ? 0 :
		       altfib_custom_hash(net, skb, ip6_multipath_hash_fields(net),
					  FLOW_DISSECTOR_KEY_IPV6_ADDRS) >> 1;
	}
	return fib_multipath_hash_from_keys(net, &hash) >> 1;
}

/* What would be attached. */
struct altfib_choice6 {
	struct dst_entry *dst;
	/* Of a next-hop group: whose member it is, and how it was chosen. */
	struct nexthop *group;
	const struct fib_nh_common *nhc;
	int hash;
	bool several;
};

/* fib6_select_path() among the siblings of rt, which is the first of them. */
static struct fib6_info *altfib_sibling6(struct fib6_info *rt, int hash)
{
	struct fib6_info *sibling;

	if (!rt6_qualify_for_ecmp(rt))
		return NULL;
	if (hash <= atomic_read(&rt->fib6_nh->fib_nh_upper_bound))
		return rt;
	list_for_each_entry_rcu(sibling, &rt->fib6_siblings, fib6_siblings) {
		if (!READ_ONCE(rt->fib6_nsiblings))
			return NULL;
		if (hash <= atomic_read(&sibling->fib6_nh->fib_nh_upper_bound))
			return sibling;
	}
	/* The kernel falls back to the one with the best score. */
	return NULL;
}

/*
 * Are there, of the metric of rt, routes that are no siblings? Of those and the
 * siblings find_rr_leaf() takes the first one, unless another leads out where the
 * packet came in.
 */
static bool altfib_has_rival6(const struct fib6_info *rt)
{
	const struct fib6_info *next = rcu_dereference(rt->fib6_next);

	for (; next && next->fib6_metric == rt->fib6_metric;
	     next = rcu_dereference(next->fib6_next)) {
		if (!rt6_qualify_for_ecmp(next))
			return true;
	}
	return false;
}

/*
 * Would find_match() take this path? A host, which does not forward, prefers
 * reachable routers, probes them and takes turns.
 */
static enum altfib_outcome altfib_check_path6(const struct net *net, const struct fib6_nh *nh)
{
	if (unlikely(nh->fib_nh_flags & RTNH_F_DEAD ||
		     (nh->fib_nh_flags & RTNH_F_LINKDOWN &&
		      ip6_ignore_linkdown(nh->fib_nh_dev))))
		return ALTFIB_DEAD_NEXTHOP;
	if (unlikely(nh->fib_nh_gw_family && !READ_ONCE(net->ipv6.devconf_all->forwarding)))
		return ALTFIB_REACHABILITY;
	return ALTFIB_NO_OBJECTION;
}

/*
 * The path of the route of nh, as fib6_table_lookup() and fib6_select_path()
 * would have it. The notifier tells the first route of a prefix only: others of
 * the same metric, which are no siblings, are the kernel's to choose among.
 */
static enum altfib_outcome altfib_find_path6(const struct altfib_packet6 *pkt,
					     struct fib6_info *rt, struct fib6_nh **path,
					     struct altfib_choice6 *choice)
{
	const struct fib6_info *next = rcu_dereference(rt->fib6_next);
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;

	choice->group = NULL;
	choice->several = false;
	/* Not linked yet, or not any more. */
	if (unlikely(!rcu_access_pointer(rt->fib6_node)))
		return ALTFIB_BUSY;
	if (unlikely(rt->fib6_flags & RTF_REJECT ||
		     (rt->fib6_type != RTN_UNICAST && rt->fib6_type != RTN_LOCAL &&
		      rt->fib6_type != RTN_ANYCAST)))
		return ALTFIB_ROUTE_TYPE;
	if (unlikely(fib6_check_expired(rt)))
		return ALTFIB_DEAD_NEXTHOP;

	if (unlikely(rt->nh)) {
		if (next && next->fib6_metric == rt->fib6_metric)
			return ALTFIB_MULTIPATH;
		if (nexthop_is_blackhole(rt->nh))
			return ALTFIB_ROUTE_TYPE;
		choice->several = true;
		if (nexthop_is_multipath(rt->nh)) {
			choice->hash = altfib_multipath_hash6(pkt->net, pkt->skb);
			nhc = altfib_group_member(rt->nh, choice->hash, AF_INET6);
			if (!nhc)
				return ALTFIB_MULTIPATH;
			choice->group = rt->nh;
			choice->nhc = nhc;
			*path = container_of(nhc, struct fib6_nh, nh_common);
		} else {
			*path = nexthop_fib6_nh(rt->nh);
			if (!*path)
				return ALTFIB_MULTIPATH;
		}
	} else if (unlikely(READ_ONCE(rt->fib6_nsiblings))) {
		/* What ip6_route_input() would have dissected is not looked at here. */
		if (pkt->net->ipv6.fib6_rules_require_fldissect)
			return ALTFIB_MULTIPATH;
		if (altfib_has_rival6(rt))
			return ALTFIB_MULTIPATH;
		rt = altfib_sibling6(rt, altfib_multipath_hash6(pkt->net, pkt->skb));
		if (!rt)
			return ALTFIB_MULTIPATH;
		choice->several = true;
		*path = rt->fib6_nh;
	} else {
		if (unlikely(next && next->fib6_metric == rt->fib6_metric))
			return ALTFIB_MULTIPATH;
		*path = rt->fib6_nh;
	}
	reason = altfib_check_path6(pkt->net, *path);
	/* Then the kernel takes another one. */
	if (reason == ALTFIB_DEAD_NEXTHOP && choice->several)
		return ALTFIB_MULTIPATH;
	return reason;
}

/*
 * Which destinations have an exception at a next hop, as this CPU has noted it: a
 * filter, so other destinations may seem to have one, and their packets are the
 * kernel's, too. The kernel's own hash has a secret key, and to look through all of
 * its 1024 chains takes too long to be done for each packet.
 *
 * A note is true while the serial number of the namespace's tables and the count
 * of its exceptions stand still: rt6_insert_exception() moves both, in this order
 * behind the insertion itself. It does not move the number if the route was taken
 * out meanwhile; but then fib6_purge_rt() has taken the exception out, too, or the
 * next hop goes with the route. That may not hold for a next-hop object that was in
 * a group just then; see altfib_may_note6().
 */
#define ALTFIB_NOTE6_BITS	256
#define ALTFIB_NOTES6_ORDER	4

struct altfib_note6 {
	const struct fib6_nh *nh;	/* only compared */
	u64 net_cookie;
	int sernum;
	u32 count;
	unsigned long filter[BITS_TO_LONGS(ALTFIB_NOTE6_BITS)];
};

struct altfib_notes6 {
	local_lock_t bh_lock;
	unsigned long made;		/* jiffies when one was made last */
	struct altfib_note6 notes[1 << ALTFIB_NOTES6_ORDER];
};

static DEFINE_PER_CPU(struct altfib_notes6, altfib_notes6) = {
	.bh_lock = INIT_LOCAL_LOCK(bh_lock),
	.made = INITIAL_JIFFIES - 1,
};

static unsigned int altfib_note_bit6(const struct in6_addr *addr)
{
	return __ipv6_addr_jhash(addr, 0) % ALTFIB_NOTE6_BITS;
}

/*
 * An exception may stay behind in a next hop that has just left a group, and the
 * number stand still, if the group's route goes at the same time. A next hop is
 * taken from the list only after a grace period, when all of that is over.
 */
static bool altfib_may_note6(const struct fib6_info *rt, const struct altfib_choice6 *choice)
{
	return !rt->nh || (!choice->group && list_empty(&rt->nh->grp_list));
}

/*
 * Context: RCU read side, bottom halves off.
 *
 * Return: whether the destination may have an exception at the next hop of rt.
 */
static noinline bool altfib_has_exception6(const struct altfib_packet6 *pkt,
					   const struct fib6_info *rt, const struct fib6_nh *nh,
					   const struct altfib_choice6 *choice)
{
	const struct in6_addr *daddr = &ipv6_hdr(pkt->skb)->daddr;
	const struct rt6_exception_bucket *bucket;
	const struct rt6_exception *exception;
	struct net *net = pkt->net;
	struct altfib_note6 *note;
	bool result = true;
	int sernum, i;
	u32 count;

	if (!altfib_may_note6(rt, choice))
		return true;
	sernum = rt_genid_ipv6(net);
	count = READ_ONCE(net->ipv6.rt6_stats->fib_rt_cache);
	local_lock_nested_bh(&altfib_notes6.bh_lock);
	note = this_cpu_ptr(&altfib_notes6.notes[hash_ptr(nh, ALTFIB_NOTES6_ORDER)]);
	if (note->nh != nh || note->sernum != sernum || note->count != count ||
	    note->net_cookie != net->net_cookie) {
		/* A bound to what this costs, whatever changes. */
		if (!time_after(jiffies, __this_cpu_read(altfib_notes6.made)))
			goto out;
		__this_cpu_write(altfib_notes6.made, jiffies);
		note->nh = nh;
		note->net_cookie = net->net_cookie;
		note->sernum = sernum;
		note->count = count;
		bitmap_zero(note->filter, ALTFIB_NOTE6_BITS);
		/* Pairs with rt6_insert_exception(): what moved the numbers is seen. */
		smp_rmb();
		bucket = rcu_dereference(nh->rt6i_exception_bucket);
		bucket = (const void *)((unsigned long)bucket & ~1UL);
		for (i = 0; bucket && i < FIB6_EXCEPTION_BUCKET_SIZE; i++)
			hlist_for_each_entry_rcu(exception, &bucket[i].chain, hlist)
				__set_bit(altfib_note_bit6(&exception->rt6i->rt6i_dst.addr),
					  note->filter);
	}
	result = test_bit(altfib_note_bit6(daddr), note->filter);
out:
	local_unlock_nested_bh(&altfib_notes6.bh_lock);
	return result;
}

/*
 * The dst that the kernel would attach: this CPU's of the path.
 *
 * Return: ALTFIB_NO_OBJECTION and *choice, or the reason.
 */
static enum altfib_outcome altfib_find_dst6(const struct altfib_packet6 *pkt,
					    const struct altfib_route6 *route,
					    struct altfib_choice6 *choice)
{
	struct fib6_info *rt = rcu_dereference(route->rt);
	enum altfib_outcome reason;
	struct rt6_info *pcpu;
	struct fib6_nh *nh;

	if (unlikely(!rt))
		return ALTFIB_BUSY;
	/*
	 * Of a full table route and dst are cold. The dst is on its way while the route is
	 * looked at, instead of behind it.
	 */
	if (likely(route->pcpu)) {
		pcpu = this_cpu_read(*route->pcpu);
		if (likely(pcpu)) {
			prefetch(&pcpu->dst);
			prefetch(&pcpu->sernum);
			prefetch(&pcpu->rt6i_flags);
		}
	}
	reason = altfib_find_path6(pkt, rt, &nh, choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION))
		return reason;
	/* The lowest bit says that it has been emptied; others may not be. */
	if (unlikely((unsigned long)rcu_access_pointer(nh->rt6i_exception_bucket) & ~1UL &&
		     READ_ONCE(pkt->net->ipv6.rt6_stats->fib_rt_cache) &&
		     altfib_has_exception6(pkt, rt, nh, choice)))
		return ALTFIB_EXCEPTION;

	/* rt6_get_pcpu_route() */
	if (unlikely(!nh->rt6i_pcpu))
		return ALTFIB_NO_DST;
	pcpu = this_cpu_read(*nh->rt6i_pcpu);
	if (unlikely(!pcpu || pcpu->dst.error ||
		     (pcpu->sernum && pcpu->sernum != rt_genid_ipv6(pkt->net)) ||
		     READ_ONCE(pcpu->dst.obsolete) != DST_OBSOLETE_FORCE_CHK))
		return ALTFIB_NO_DST;
	choice->dst = &pcpu->dst;
	return ALTFIB_NO_OBJECTION;
}

/*
 * Attach the kernel's dst of the route, or say that the packet is to be verified;
 * as altfib_helper_attach().
 *
 * Context: RCU read side, bottom halves off; the dst is attached without a
 * reference.
 */
enum altfib_outcome altfib_helper_attach6(const struct altfib_packet6 *pkt,
					  const struct altfib_route6 *route, bool probe, u32 every)
{
	struct altfib_choice6 choice;
	enum altfib_outcome reason;

	reason = altfib_find_dst6(pkt, route, &choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION))
		return reason;
	if (probe && altfib_socket_claims6(pkt->net, pkt->skb))
		return ALTFIB_EARLY_DEMUX;
	if (unlikely(altfib_due(pkt->net, choice.dst, every)))
		return ALTFIB_VERIFY_DUE;
	if (unlikely(choice.group)) {
		struct nexthop *nh = nexthop_select_path(choice.group, choice.hash);

		/* A neighbour's state has just changed the choice. */
		if (&rcu_dereference(nh->nh_info)->fib_nhc != choice.nhc)
			return ALTFIB_BUSY;
	}
	if (unlikely(choice.several))
		IP6CB(pkt->skb)->flags |= IP6SKB_MULTIPATH;
	skb_dst_set_noref(pkt->skb, choice.dst);
	return dst_rt6_info(choice.dst)->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST) ? ALTFIB_LOCAL :
										  ALTFIB_FORWARD;
}

static void altfib_describe_dst6(const struct dst_entry *dst, struct altfib_answer6 *answer)
{
	const struct rt6_info *rt = dst_rt6_info(dst);

	memset(answer, 0, sizeof(*answer));
	answer->error = dst->error;
	answer->ifindex = dst->dev ? dst->dev->ifindex : 0;
	answer->flags = rt->rt6i_flags;
	memcpy(answer->gateway, &rt->rt6i_gateway, sizeof(answer->gateway));
}

/* As altfib_compare(). */
static enum altfib_verdict altfib_compare6(const struct altfib_packet6 *pkt,
					   const struct dst_entry *dst, enum altfib_verdict agrees,
					   struct altfib_difference6 *diff)
{
	struct sk_buff *skb = pkt->skb;
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	const struct dst_entry *theirs;

	ip6_route_input(skb);
	theirs = skb_dst(skb);
	if (theirs == dst)
		return agrees;
	altfib_describe_dst6(theirs, &diff->kernels);
	altfib_describe_dst6(dst, &diff->ours);
	if (theirs->input == dst->input && theirs->output == dst->output &&
	    !memcmp(&diff->ours, &diff->kernels, sizeof(diff->ours)))
		return agrees;
	memcpy(diff->daddr, &iph->daddr, sizeof(diff->daddr));
	memcpy(diff->saddr, &iph->saddr, sizeof(diff->saddr));
	diff->flowinfo = (__force u32)ip6_flowinfo(iph);
	diff->iif = skb->dev->ifindex;
	diff->mark = skb->mark;
	diff->nexthdr = iph->nexthdr;
	diff->ports = 0;
	skb_copy_bits(skb, skb_network_offset(skb) + sizeof(*iph), &diff->ports,
		      sizeof(diff->ports));
	return ALTFIB_DIFFERS;
}

/*
 * As altfib_helper_verify().
 *
 * Context: RCU read side, bottom halves off.
 */
enum altfib_verdict altfib_helper_verify6(const struct altfib_packet6 *pkt,
					  const struct altfib_route6 *route,
					  struct altfib_difference6 *diff)
{
	struct altfib_choice6 choice;
	bool one_of_several;

	if (altfib_find_dst6(pkt, route, &choice) != ALTFIB_NO_OBJECTION)
		return ALTFIB_UNDECIDED;
	one_of_several = choice.group ||
			 (choice.several && !rcu_access_pointer(route->rt)->nh);
	return altfib_compare6(pkt, choice.dst,
			       one_of_several ? ALTFIB_AGREES_ON_PATH : ALTFIB_AGREES, diff);
}

/*
 * As altfib_helper_probe().
 *
 * Context: RCU read side, for as long as the packet is there.
 */
struct sk_buff *altfib_helper_probe6(struct net *net, const struct altfib_difference6 *diff,
				     struct nf_hook_state *state)
{
	struct net_device *dev = dev_get_by_index_rcu(net, diff->iif);
	struct sk_buff *skb;
	struct ipv6hdr *iph;

	if (!dev)
		return NULL;
	skb = alloc_skb(sizeof(*iph) + sizeof(struct tcphdr), GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	*(__be32 *)iph = (__force __be32)diff->flowinfo;
	iph->version = 6;
	iph->hop_limit = 64;
	iph->nexthdr = diff->nexthdr;
	iph->payload_len = htons(sizeof(struct tcphdr));
	memcpy(&iph->saddr, diff->saddr, sizeof(iph->saddr));
	memcpy(&iph->daddr, diff->daddr, sizeof(iph->daddr));
	skb_set_transport_header(skb, sizeof(*iph));
	memcpy(skb_put_zero(skb, sizeof(struct tcphdr)), &diff->ports, sizeof(diff->ports));
	skb->protocol = htons(ETH_P_IPV6);
	skb->pkt_type = PACKET_HOST;
	skb->mark = diff->mark;
	skb->dev = dev;
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	IP6CB(skb)->iif = dev->ifindex;
	if (netif_is_l3_master(dev))
		IP6CB(skb)->flags = IP6SKB_L3SLAVE;
	nf_hook_state_init(state, NF_INET_PRE_ROUTING, NFPROTO_IPV6, dev, NULL, NULL, net, NULL);
	local_bh_disable();
	return skb;
}

/* A number that each change of the namespace's IPv6 tables moves. */
int altfib_helper_sernum6(const struct net *net)
{
	return rt_genid_ipv6(net);
}

/* Take a reference on a route, unless it is just going. */
bool altfib_helper_fib6_info_hold(struct fib6_info *rt)
{
	return fib6_info_hold_safe(rt);
}

void altfib_helper_fib6_info_put(struct fib6_info *rt)
{
	fib6_info_release(rt);
}

/* Let the record stand for rt, whose reference becomes the record's. */
void altfib_helper_route6_bind(struct altfib_route6 *route, struct fib6_info *rt)
{
	route->pcpu = rt->nh ? NULL : rt->fib6_nh->rt6i_pcpu;
	rcu_assign_pointer(route->rt, rt);
}

/*
 * Give the reference back. Readers that still see rt are covered by the
 * kernel, which frees it after a grace period.
 */
void altfib_helper_route6_unbind(struct altfib_route6 *route)
{
	struct fib6_info *rt = rcu_dereference_protected(route->rt, true);

	RCU_INIT_POINTER(route->rt, NULL);
	if (rt)
		fib6_info_release(rt);
}

/*
 * The route that the record holds, if it is not in the tables: not yet, or not any
 * more.
 *
 * Context: the writer's.
 */
const struct fib6_info *altfib_helper_route6_unlinked(const struct altfib_route6 *route)
{
	const struct fib6_info *rt = rcu_dereference_protected(route->rt, true);

	return rt && !rcu_access_pointer(rt->fib6_node) ? rt : NULL;
}

/* Where a route stands: prefix in host order, its length, its table. */
void altfib_helper_fib6_key(const struct fib6_info *rt, u64 addr[2], u8 *len, u32 *table)
{
	addr[0] = be64_to_cpup((const __be64 *)&rt->fib6_dst.addr.s6_addr32[0]);
	addr[1] = be64_to_cpup((const __be64 *)&rt->fib6_dst.addr.s6_addr32[2]);
	*len = rt->fib6_dst.plen;
	*table = rt->fib6_table->tb6_id;
}

/* Whether it is for certain sources only (RFC 8043). */
bool altfib_helper_fib6_has_source(const struct fib6_info *rt)
{
#ifdef CONFIG_IPV6_SUBTREES
	return rt->fib6_src.plen;
#else
	return false;
#endif
}

/*
 * The route that takes the place of rt, which has just been unlinked.
 *
 * Context: the table's lock held.
 */
struct fib6_info *altfib_helper_fib6_next(const struct fib6_info *rt)
{
	return rcu_dereference_protected(rt->fib6_next, true);
}

/* RTN_*; a route with RTF_REJECT is one that rejects, whatever its type. */
u8 altfib_helper_fib6_type(const struct fib6_info *rt)
{
	return rt->fib6_type;
}

/*
 * The route at which fib6_node_lookup() ends, walked by a function of our own:
 * the kernel's is not exported. Source-specific routes are not looked at.
 */
static struct fib6_info *altfib_walk6(struct fib6_table *table, const struct in6_addr *daddr)
{
	struct fib6_node *fn = &table->tb6_root;
	struct fib6_node *next;

	for (;; fn = next) {
		/* addr_bit_set(); nothing hangs below a whole address. */
		bool set = fn->fn_bit < 128 &&
			   daddr->s6_addr[fn->fn_bit >> 3] & (0x80 >> (fn->fn_bit & 7));

		if (set)
			next = rcu_dereference(fn->right);
		else
			next = rcu_dereference(fn->left);
		if (!next)
			break;
	}
	for (; fn; fn = rcu_dereference(fn->parent)) {
		if (fn->fn_flags & RTN_RTINFO) {
			struct fib6_info *leaf = rcu_dereference(fn->leaf);

			if (leaf && ipv6_prefix_equal(&leaf->fib6_dst.addr, daddr,
						      leaf->fib6_dst.plen))
				return leaf;
		}
		if (fn->fn_flags & RTN_ROOT)
			break;
	}
	return NULL;
}

/*
 * Does the kernel's table have the route of this record as the first of the
 * longest prefix of the address, or no route if route is NULL?
 *
 * Context: RCU read side.
 *
 * Return: 1 yes, 0 no, -1 the kernel has deleted it and tells soon.
 */
int altfib_helper_audit6(struct net *net, u32 table, const u64 addr[2],
			 const struct altfib_route6 *route)
{
	__be64 daddr[2] = { cpu_to_be64(addr[0]), cpu_to_be64(addr[1]) };
	struct fib6_table *tb = fib6_get_table(net, table);
	struct fib6_info *theirs = NULL;
	struct fib6_info *ours = NULL;

	if (tb)
		theirs = altfib_walk6(tb, (const struct in6_addr *)daddr);
	if (theirs == net->ipv6.fib6_null_entry)
		theirs = NULL;
	if (route) {
		ours = rcu_dereference(route->rt);
		if (!ours)
			return -1;
	}
	return ours == theirs;
}

/* What a route looks like, for people. */
void altfib_helper_fib6_describe(const struct altfib_route6 *route,
				 struct altfib_route6_info *info)
{
	const struct fib6_nh *nh;
	struct fib6_info *rt;

	memset(info, 0, sizeof(*info));
	rcu_read_lock();
	rt = rcu_dereference(route->rt);
	if (!rt)
		goto out;
	info->metric = rt->fib6_metric;
	info->flags = rt->fib6_flags;
	info->type = rt->fib6_type;
	info->paths = 1 + READ_ONCE(rt->fib6_nsiblings);
	if (rt->nh && nexthop_is_multipath(rt->nh)) {
		info->paths = nexthop_num_path(rt->nh);
		goto out;
	}
	nh = rt->nh ? nexthop_fib6_nh(rt->nh) : rt->fib6_nh;
	if (!nh)
		goto out;
	if (nh->fib_nh_gw_family == AF_INET6)
		memcpy(info->gateway, &nh->fib_nh_gw6, sizeof(info->gateway));
	if (nh->fib_nh_dev) {
		info->ifindex = nh->fib_nh_dev->ifindex;
		strscpy(info->device, nh->fib_nh_dev->name, sizeof(info->device));
	}
out:
	rcu_read_unlock();
}
