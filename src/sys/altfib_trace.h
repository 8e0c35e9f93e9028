/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: docs/tracing.md. Defined in trace.c; C calls trace_NAME(), Rust
 * what trace.rs has.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM altfib

#if !defined(_ALTFIB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ALTFIB_TRACE_H

#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <net/dst.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "helpers.h"

#ifndef _ALTFIB_TRACE_INLINES
#define _ALTFIB_TRACE_INLINES
/* An address as other tracepoints have it: IPv4 in v6, too, mapped. */
static inline void altfib_trace_address(u8 family, const void *addr, u8 *v4, u8 *v6)
{
	if (family == AF_INET6) {
		memset(v4, 0, sizeof(struct in_addr));
		memcpy(v6, addr, sizeof(struct in6_addr));
	} else {
		memcpy(v4, addr, sizeof(struct in_addr));
		ipv6_addr_set_v4mapped(*(const __be32 *)addr, (struct in6_addr *)v6);
	}
}
#endif

#define altfib_trace_families			\
	{ AF_INET,	"ipv4" },		\
	{ AF_INET6,	"ipv6" }

#define altfib_trace_found					\
	EM(ALTFIB_FOUND_NONE,		"none")			\
	EM(ALTFIB_FOUND_ROUTE,		"route")		\
	EM(ALTFIB_FOUND_LOCAL_PREFIX,	"local_prefix")		\
	EM_LAST(ALTFIB_FOUND_UNCLEAR,	"unclear")

/* As in /proc/net/altfib/punts. */
#define altfib_trace_reasons					\
	EM(ALTFIB_EARLY_DEMUX,		"early_demux")		\
	EM(ALTFIB_NOT_READY,		"not_ready")		\
	EM(ALTFIB_HOOK_ORDER,		"hook_order")		\
	EM(ALTFIB_HAS_DST,		"has_dst")		\
	EM(ALTFIB_HAS_SOCKET,		"has_socket")		\
	EM(ALTFIB_NOT_UNICAST_FRAME,	"not_unicast_frame")	\
	EM(ALTFIB_SPECIAL_ADDRESS,	"special_address")	\
	EM(ALTFIB_IP_OPTIONS,		"ip_options")		\
	EM(ALTFIB_IPSEC,		"ipsec")		\
	EM(ALTFIB_BRIDGE,		"bridge")		\
	EM(ALTFIB_NO_IN_DEVICE,		"no_in_device")		\
	EM(ALTFIB_RULES,		"rules")		\
	EM(ALTFIB_VRF,			"vrf")			\
	EM(ALTFIB_TCLASSID,		"tclassid")		\
	EM(ALTFIB_NOT_FORWARDING,	"not_forwarding")	\
	EM(ALTFIB_NO_ROUTE,		"no_route")		\
	EM(ALTFIB_LOCAL_PREFIX,		"local_prefix")		\
	EM(ALTFIB_SOURCE_SPECIFIC,	"source_specific")	\
	EM(ALTFIB_DSCP,			"dscp")			\
	EM(ALTFIB_ROUTE_TYPE,		"route_type")		\
	EM(ALTFIB_MULTIPATH,		"multipath")		\
	EM(ALTFIB_SOURCE,		"source")		\
	EM(ALTFIB_REDIRECT,		"redirect")		\
	EM(ALTFIB_DEAD_NEXTHOP,		"dead_nexthop")		\
	EM(ALTFIB_REACHABILITY,		"reachability")		\
	EM(ALTFIB_EXCEPTION,		"exception")		\
	EM(ALTFIB_NO_DST,		"no_dst")		\
	EM_LAST(ALTFIB_BUSY,		"busy")

#define altfib_trace_drops					\
	EM(ALTFIB_DROP_DEVICE,		"device")		\
	EM(ALTFIB_DROP_ROUTE,		"route")		\
	EM(ALTFIB_DROP_NEXTHOP,		"nexthop")		\
	EM(ALTFIB_DROP_STALE,		"stale")		\
	EM(ALTFIB_DROP_EVICT,		"evict")		\
	EM(ALTFIB_DROP_AGE,		"age")			\
	EM(ALTFIB_DROP_FLUSH,		"flush")		\
	EM_LAST(ALTFIB_DROP_END,		"end")

/* User space has the numbers behind the names, too. */
#undef EM
#undef EM_LAST
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EM_LAST(a, b)	TRACE_DEFINE_ENUM(a);

altfib_trace_found
altfib_trace_reasons
altfib_trace_drops

#undef EM
#undef EM_LAST
#define EM(a, b)	{ a, b },
#define EM_LAST(a, b)	{ a, b }

/*
 * A destination was looked up in altfib's tables: a received packet's, or by iif 0
 * one that the host's own packets go to. type and oif are those of the route, if
 * one was found; of several paths there is no oif yet.
 */
TRACE_EVENT(lookup,

	TP_PROTO(const struct net *net, u8 family, int iif, const void *daddr, u8 found, u8 type,
		 int oif),

	TP_ARGS(net, family, iif, daddr, found, type, oif),

	TP_STRUCT__entry(
		__field(unsigned int, netns)
		__field(int, iif)
		__field(int, oif)
		__field(u8, family)
		__field(u8, found)
		__field(u8, type)
		__array(u8, daddr, 4)
		__array(u8, daddr_v6, 16)
	),

	TP_fast_assign(
		__entry->netns = net->ns.inum;
		__entry->iif = iif;
		__entry->oif = oif;
		__entry->family = family;
		__entry->found = found;
		__entry->type = type;
		altfib_trace_address(family, daddr, __entry->daddr, __entry->daddr_v6);
	),

	TP_printk("netns=%u family=%s iif=%d daddr=%pI4 daddrv6=%pI6c found=%s type=%u oif=%d",
		  __entry->netns, __print_symbolic(__entry->family, altfib_trace_families),
		  __entry->iif, __entry->daddr, __entry->daddr_v6,
		  __print_symbolic(__entry->found, altfib_trace_found), __entry->type, __entry->oif)
);

/* A received packet is left to the kernel. */
TRACE_EVENT(punt,

	TP_PROTO(const struct net *net, const struct sk_buff *skb, u8 family, u8 reason),

	TP_ARGS(net, skb, family, reason),

	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(unsigned int, netns)
		__field(int, iif)
		__field(u32, mark)
		__field(u8, family)
		__field(u8, protocol)
		__field(u8, reason)
		__array(u8, saddr, 4)
		__array(u8, daddr, 4)
		__array(u8, saddr_v6, 16)
		__array(u8, daddr_v6, 16)
	),

	TP_fast_assign(
		const struct ipv6hdr *ip6h = ipv6_hdr(skb);
		const struct iphdr *iph = ip_hdr(skb);
		bool v6 = family == AF_INET6;

		__entry->skbaddr = skb;
		__entry->netns = net->ns.inum;
		__entry->iif = skb->dev->ifindex;
		__entry->mark = skb->mark;
		__entry->family = family;
		__entry->protocol = v6 ? ip6h->nexthdr : iph->protocol;
		__entry->reason = reason;
		altfib_trace_address(family,
				     v6 ? (const void *)&ip6h->saddr : (const void *)&iph->saddr,
				     __entry->saddr, __entry->saddr_v6);
		altfib_trace_address(family,
				     v6 ? (const void *)&ip6h->daddr : (const void *)&iph->daddr,
				     __entry->daddr, __entry->daddr_v6);
	),

	TP_printk("netns=%u skbaddr=%p family=%s iif=%d protocol=%u mark=%#x saddr=%pI4 daddr=%pI4 saddrv6=%pI6c daddrv6=%pI6c reason=%s",
		  __entry->netns, __entry->skbaddr,
		  __print_symbolic(__entry->family, altfib_trace_families), __entry->iif,
		  __entry->protocol, __entry->mark, __entry->saddr, __entry->daddr,
		  __entry->saddr_v6, __entry->daddr_v6,
		  __print_symbolic(__entry->reason, altfib_trace_reasons))
);

/* A cached route is given back: of a next hop, or of a flow. */
TRACE_EVENT(dst_drop,

	TP_PROTO(const struct net *net, const struct dst_entry *dst, bool flow, u8 why),

	TP_ARGS(net, dst, flow, why),

	TP_STRUCT__entry(
		__field(const void *, dst)
		__field(unsigned int, netns)
		__field(int, oif)
		__field(bool, flow)
		__field(u8, why)
		__array(char, dev, IFNAMSIZ)
	),

	TP_fast_assign(
		const struct net_device *dev;

		__entry->dst = dst;
		__entry->netns = net->ns.inum;
		__entry->flow = flow;
		__entry->why = why;
		/* The kernel may just be taking it out of the route. */
		rcu_read_lock();
		dev = dst_dev_rcu(dst);
		__entry->oif = dev->ifindex;
		strscpy(__entry->dev, dev->name, IFNAMSIZ);
		rcu_read_unlock();
	),

	TP_printk("netns=%u dst=%p of=%s oif=%d dev=%s why=%s", __entry->netns, __entry->dst,
		  __entry->flow ? "flow" : "nexthop", __entry->oif, __entry->dev,
		  __print_symbolic(__entry->why, altfib_trace_drops))
);

/*
 * The routes of a family were read, and are altfib's from now on. why: for what its
 * service had ended before; empty the first time.
 */
TRACE_EVENT(resync,

	TP_PROTO(const struct net *net, u8 family, u64 routes, u64 took_us, const char *why,
		 size_t len),

	TP_ARGS(net, family, routes, took_us, why, len),

	TP_STRUCT__entry(
		__field(u64, routes)
		__field(u64, took_us)
		__field(unsigned int, netns)
		__field(u8, family)
		__string_len(why, why, len)
	),

	TP_fast_assign(
		__entry->routes = routes;
		__entry->took_us = took_us;
		__entry->netns = net->ns.inum;
		__entry->family = family;
		__assign_str(why);
	),

	TP_printk("netns=%u family=%s routes=%llu took_us=%llu why=%s", __entry->netns,
		  __print_symbolic(__entry->family, altfib_trace_families), __entry->routes,
		  __entry->took_us, __get_str(why))
);

#undef EM
#undef EM_LAST

#endif /* _ALTFIB_TRACE_H */

/* This part must be outside protection. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE altfib_trace
#include <trace/define_trace.h>
