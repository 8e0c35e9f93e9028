// SPDX-License-Identifier: GPL-2.0
/*
 * Forwarding from PRE_ROUTING (net.altfib.fastpath). Part of helpers.c.
 *
 * A packet that has its route does here what ip_forward() and ip_output() would
 * do with it, or ip6_forward() and ip6_output(), in one piece and without the
 * way there: if nobody listens on it, and nothing about the packet is unusual.
 * All questions come before the first change, so whatever is in doubt goes on
 * as if nothing had been asked. The packet leaves by its neighbour's output
 * function, as ever, so resolution, qdiscs, tc and the egress hooks see it.
 *
 * BPF programs of cgroups see no forwarded packet: there is no socket.
 */

/* What netfilter, IPsec and the caller say about both families. */
static __always_inline enum altfib_fast
altfib_fast_check(const struct net *net, const struct sk_buff *skb,
		  struct nf_hook_entries __rcu *const *hooks)
{
	const struct dst_entry *dst = skb_dst(skb);

	/* Verified, and the kernel drops it. */
	if (unlikely(!dst))
		return ALTFIB_FAST_DST;
	if (unlikely(rcu_access_pointer(hooks[NF_INET_FORWARD]) ||
		     rcu_access_pointer(hooks[NF_INET_POST_ROUTING])))
		return ALTFIB_FAST_HOOKS;
#ifdef CONFIG_XFRM
	if (unlikely(READ_ONCE(net->xfrm.policy_count[XFRM_POLICY_FWD]) ||
		     READ_ONCE(net->xfrm.policy_count[XFRM_POLICY_OUT]) ||
		     READ_ONCE(net->xfrm.policy_default[XFRM_POLICY_FWD]) !=
			     XFRM_USERPOLICY_ACCEPT ||
		     READ_ONCE(net->xfrm.policy_default[XFRM_POLICY_OUT]) !=
			     XFRM_USERPOLICY_ACCEPT))
		return ALTFIB_FAST_XFRM;
	if (unlikely(dst->xfrm))
		return ALTFIB_FAST_XFRM;
#endif
	/* Without a tunnel's state, the input function is the family's own, too. */
	if (unlikely(dst->lwtstate || dst->error))
		return ALTFIB_FAST_DST;
	/* Let out of a queue by a process. */
	if (unlikely(!softirq_count()))
		return ALTFIB_FAST_PACKET;
	if (unlikely(skb->sk || skb->pkt_type != PACKET_HOST))
		return ALTFIB_FAST_PACKET;
#ifdef CONFIG_NET_SWITCHDEV
	if (unlikely(skb->offload_l3_fwd_mark))
		return ALTFIB_FAST_PACKET;
#endif
	/* skb_warn_if_lro(), which says so. */
	if (unlikely(skb_is_nonlinear(skb) && skb_is_gso(skb) && !skb_shinfo(skb)->gso_type))
		return ALTFIB_FAST_PACKET;
	return ALTFIB_FAST_SENT;
}

/* Neither ICMP nor fragmentation will be called for, now or behind ip_output(). */
static __always_inline bool altfib_fast_fits(const struct sk_buff *skb, unsigned int mtu)
{
	if (unlikely(skb_is_gso(skb)))
		return skb_gso_validate_network_len(skb, mtu);
	return likely(skb->len <= mtu);
}

/* What changes of a packet in both families, but for its header. */
static __always_inline void altfib_fast_prepare(struct sk_buff *skb, struct net_device *dev)
{
	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb->dev = dev;
}

static __always_inline enum altfib_fast altfib_fast_forward(struct sk_buff *skb, struct net *net)
{
	struct dst_entry *dst = skb_dst(skb);
	struct rtable *rt = dst_rtable(dst);
	struct neighbour *neigh;
	struct net_device *dev;
	enum altfib_fast why;
	bool v6 = false;
	struct iphdr *iph;

	why = altfib_fast_check(net, skb, net->nf.hooks_ipv4);
	if (unlikely(why != ALTFIB_FAST_SENT))
		return why;
	if (unlikely(READ_ONCE(dst->output) != ip_output || rt->rt_type != RTN_UNICAST))
		return ALTFIB_FAST_DST;
	iph = ip_hdr(skb);
	/* Of a VRF, put together from fragments, to be told of a better way. */
	if (unlikely(IPCB(skb)->flags & ~IPSKB_MULTIPATH || IPCB(skb)->frag_max_size ||
		     IPCB(skb)->opt.optlen || iph->ihl != 5))
		return ALTFIB_FAST_PACKET;
	if (unlikely(iph->ttl <= 1))
		return ALTFIB_FAST_TTL;
	if (unlikely(!altfib_fast_fits(skb, ip_dst_mtu_maybe_forward(dst, true))))
		return ALTFIB_FAST_MTU;

	dev = dst_dev_rcu(dst);
	/* One that is not there yet is the stack's to make, and to count if it can't. */
	if (likely(rt->rt_gw_family == AF_INET)) {
		neigh = __ipv4_neigh_lookup_noref(dev, (__force u32)rt->rt_gw4);
	} else if (rt->rt_gw_family == AF_INET6) {
		neigh = __ipv6_neigh_lookup_noref(dev, &rt->rt_gw6);
		v6 = true;
	} else {
		neigh = __ipv4_neigh_lookup_noref(dev, (__force u32)iph->daddr);
	}
	if (unlikely(!neigh))
		return ALTFIB_FAST_NEIGHBOUR;
	/* Failed, it has changed nothing. */
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dev) + dst->header_len)))
		return ALTFIB_FAST_MEMORY;

	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	IPCB(skb)->flags |= IPSKB_FORWARDED;
	iph = ip_hdr(skb);
	ip_decrease_ttl(iph);
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(iph->tos);
	altfib_fast_prepare(skb, dev);
	skb->protocol = htons(ETH_P_IP);
	__IP_UPD_PO_STATS(net, IPSTATS_MIB_OUT, skb->len);
	sock_confirm_neigh(skb, neigh);
	/* A header for IPv6 frames does not serve IPv4. */
	neigh_output(neigh, skb, v6);
	return ALTFIB_FAST_SENT;
}

/*
 * May this source leave the link that it came from? ip6_forward() answers some
 * that may not. ipv6_addr_type(), which is a call, says the same of the others.
 */
static __always_inline bool altfib_fast_source6(const struct in6_addr *saddr)
{
	__be32 top = saddr->s6_addr32[0] & htonl(0xe0000000);

	if (likely(top && top != htonl(0xe0000000)))
		return true;
	return ipv6_addr_type(saddr) & IPV6_ADDR_UNICAST &&
	       !(ipv6_addr_type(saddr) & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL));
}

static __always_inline enum altfib_fast altfib_fast_forward6(struct sk_buff *skb, struct net *net)
{
	struct dst_entry *dst = skb_dst(skb);
	const struct inet6_skb_parm *cb = IP6CB(skb);
	const struct in6_addr *nexthop;
	const struct fib6_info *from;
	struct neighbour *neigh;
	struct inet6_dev *idev;
	struct net_device *dev;
	enum altfib_fast why;
	struct ipv6hdr *iph;
	unsigned int mtu;

	why = altfib_fast_check(net, skb, net->nf.hooks_ipv6);
	if (unlikely(why != ALTFIB_FAST_SENT))
		return why;
	/* What comes in by it is decided by its type; flags don't tell each anycast route. */
	from = rcu_dereference(dst_rt6_info(dst)->from);
	if (unlikely(READ_ONCE(dst->output) != ip6_output || !from ||
		     from->fib6_type != RTN_UNICAST))
		return ALTFIB_FAST_DST;
	/* A device may forward alone (force_forwarding); neighbours may be proxied. */
	if (unlikely(!READ_ONCE(net->ipv6.devconf_all->forwarding) ||
		     READ_ONCE(net->ipv6.devconf_all->proxy_ndp)))
		return ALTFIB_FAST_CONFIG;
	iph = ipv6_hdr(skb);
	if (unlikely(cb->flags & ~IP6SKB_MULTIPATH || cb->frag_max_size || cb->srcrt ||
		     iph->nexthdr == NEXTHDR_HOP))
		return ALTFIB_FAST_PACKET;
	if (unlikely(iph->hop_limit <= 1))
		return ALTFIB_FAST_TTL;
	dev = dst_dev_rcu(dst);
	if (unlikely(cb->iif == dev->ifindex))
		return ALTFIB_FAST_REDIRECT;
	if (unlikely(!altfib_fast_source6(&iph->saddr)))
		return ALTFIB_FAST_SOURCE;
	/* ip6_forward() has one MTU, ip6_output() another. */
	mtu = max_t(unsigned int, ip6_dst_mtu_maybe_forward(dst, true), IPV6_MIN_MTU);
	if (unlikely(!altfib_fast_fits(skb, min(mtu, ip6_dst_mtu_maybe_forward(dst, false)))))
		return ALTFIB_FAST_MTU;
	idev = ip6_dst_idev(dst);
	if (unlikely(!idev || READ_ONCE(idev->cnf.disable_ipv6)))
		return ALTFIB_FAST_CONFIG;

	nexthop = rt6_nexthop(dst_rt6_info(dst), &iph->daddr);
	neigh = __ipv6_neigh_lookup_noref(dev, nexthop);
	if (unlikely(!neigh))
		return ALTFIB_FAST_NEIGHBOUR;
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dev))))
		return ALTFIB_FAST_MEMORY;

	__IP6_INC_STATS(net, idev, IPSTATS_MIB_OUTFORWDATAGRAMS);
	ipv6_hdr(skb)->hop_limit--;
	altfib_fast_prepare(skb, dev);
	skb->protocol = htons(ETH_P_IPV6);
	__IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_OUT, skb->len);
	sock_confirm_neigh(skb, neigh);
	neigh_output(neigh, skb, false);
	return ALTFIB_FAST_SENT;
}

/*
 * Forward a packet that has just got its route, or say nothing and count why not.
 *
 * Context: a netfilter hook, the last one; RCU read side.
 *
 * Return: whether the packet is gone.
 */
bool altfib_helper_fast(struct sk_buff *skb, const struct nf_hook_state *state,
			u64 __percpu *counters, u32 first)
{
	enum altfib_fast what = altfib_fast_forward(skb, state->net);

	altfib_count_packet(&counters[first + what]);
	return what == ALTFIB_FAST_SENT;
}

/* The same for IPv6. */
bool altfib_helper_fast6(struct sk_buff *skb, const struct nf_hook_state *state,
			 u64 __percpu *counters, u32 first)
{
	enum altfib_fast what = altfib_fast_forward6(skb, state->net);

	altfib_count_packet(&counters[first + what]);
	return what == ALTFIB_FAST_SENT;
}
