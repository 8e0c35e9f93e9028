/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C helpers and the Rust side of altfib both know.
 *
 * bindgen reads this file, so a layout or a number is written down once.
 */
#ifndef ALTFIB_HELPERS_H
#define ALTFIB_HELPERS_H

#define ALTFIB_VERSION "0.1.0"

#include <linux/types.h>
#include <linux/cache.h>

struct altfib_exceptions;
struct dst_entry;
struct fib6_info;
struct fib_info;
struct fib_nh_common;
struct altfib_flows;
struct altfib_sockets;
struct hlist_head;
struct net;
struct net_device;
struct nf_hook_ops;
struct nf_hook_state;
struct sk_buff;

/*
 * What became of a packet: one counter each, in this order. Whatever is not
 * one of the first three is a punt: the packet goes on untouched and the kernel
 * takes its own decision.
 */
enum altfib_outcome {
	ALTFIB_FORWARD,			/* attached, routed on */
	ALTFIB_LOCAL,			/* attached, delivered here */
	ALTFIB_VERIFIED,		/* compared, the kernel's own dst is attached */
	ALTFIB_EARLY_DEMUX,		/* a socket claims it */
	ALTFIB_NOT_READY,		/* no mirror to ask */
	ALTFIB_HOOK_ORDER,		/* another hook runs after ours */
	ALTFIB_HAS_DST,			/* routed already */
	ALTFIB_HAS_SOCKET,		/* skb->sk is set */
	ALTFIB_NOT_UNICAST_FRAME,	/* link-layer broadcast, multicast or not ours */
	ALTFIB_SPECIAL_ADDRESS,		/* multicast, broadcast, loopback, zero */
	ALTFIB_IP_OPTIONS,		/* header longer than 20 bytes */
	ALTFIB_IPSEC,			/* carries a security path */
	ALTFIB_BRIDGE,			/* bridged frame */
	ALTFIB_NO_IN_DEVICE,		/* no IPv4 on the input device */
	ALTFIB_RULES,			/* policy rules of a kind that is not followed */
	ALTFIB_VRF,			/* comes again, as a packet of the VRF */
	ALTFIB_TCLASSID,		/* route realms in use */
	ALTFIB_NOT_FORWARDING,		/* forwarding is off on the input device */
	ALTFIB_NO_ROUTE,		/* no prefix matches */
	ALTFIB_LOCAL_PREFIX,		/* local route shorter than a host's */
	ALTFIB_SOURCE_SPECIFIC,		/* routes for certain sources exist (IPv6) */
	ALTFIB_DSCP,			/* the prefix has a route for a DSCP */
	ALTFIB_ROUTE_TYPE,		/* broadcast, unreachable, blackhole, ... */
	ALTFIB_MULTIPATH,		/* several paths */
	ALTFIB_SOURCE,			/* source not certain to be accepted */
	ALTFIB_REDIRECT,		/* leaves where it came in, a redirect is due */
	ALTFIB_DEAD_NEXTHOP,		/* next hop dead or without carrier */
	ALTFIB_REACHABILITY,		/* a host chooses a router by reachability (IPv6) */
	ALTFIB_EXCEPTION,		/* next hop has PMTU or redirect exceptions */
	ALTFIB_NO_DST,			/* the kernel has no usable dst yet */
	ALTFIB_BUSY,			/* the mirror was being changed */
	ALTFIB_NR_OUTCOMES,
	ALTFIB_NO_OBJECTION = ALTFIB_NR_OUTCOMES,	/* not decided yet */
	ALTFIB_VERIFY_DUE,		/* would attach, but is to be verified */
	ALTFIB_NOT_CACHED,		/* no flow that is known, or none that still holds */
};

/* What the decision needs to know of a packet's surroundings. */
enum altfib_in_flags {
	ALTFIB_IN_FORWARDING	= 1,
	ALTFIB_IN_ACCEPT_LOCAL	= 2,
	ALTFIB_IN_CUSTOM_LOCAL	= 4,	/* the namespace's, not the device's */
	ALTFIB_IN_HAS_ADDRESS	= 8,
	ALTFIB_IN_RULES		= 16,	/* policy rules choose the tables */
	ALTFIB_IN_SRC_VMARK	= 32,	/* with rules: the source's by the mark, too */
	ALTFIB_IN_OWN_SOURCE	= 64,	/* if that alone is to be asked of the source */
};

/* One packet, read once: see altfib_read_packet(). */
struct altfib_packet {
	struct sk_buff *skb;
	struct net *net;
	const struct net_device *dev;	/* where it came in: of a VRF's packets, the member */
	u32 daddr;			/* host order */
	u32 saddr;			/* host order */
	u8 rp_filter;			/* 0, 1 or 2 */
	u8 in_flags;			/* ALTFIB_IN_* */
};

/* One IPv6 packet, read once: see altfib_read_packet6(). */
struct altfib_packet6 {
	struct sk_buff *skb;
	struct net *net;
	u64 daddr[2];			/* host order, upper half first */
	u8 in_flags;			/* ALTFIB_IN_RULES */
};

/*
 * What became of a packet with a route when net.altfib.fastpath is on: one counter
 * each, in this order. All but the first go on through the stack.
 */
enum altfib_fast {
	ALTFIB_FAST_SENT,		/* forwarded here */
	ALTFIB_FAST_HOOKS,		/* somebody listens at FORWARD or POST_ROUTING */
	ALTFIB_FAST_XFRM,		/* IPsec policies */
	ALTFIB_FAST_DST,		/* the route is for a tunnel, or for this host */
	ALTFIB_FAST_CONFIG,		/* not simply forwarding (IPv6) */
	ALTFIB_FAST_PACKET,		/* what the packet is, or was */
	ALTFIB_FAST_TTL,		/* ends here */
	ALTFIB_FAST_REDIRECT,		/* leaves where it came in (IPv6) */
	ALTFIB_FAST_SOURCE,		/* not from beyond its link (IPv6) */
	ALTFIB_FAST_MTU,		/* too long */
	ALTFIB_FAST_NEIGHBOUR,		/* no neighbour yet */
	ALTFIB_FAST_MEMORY,		/* no room for its new header */
	ALTFIB_NR_FAST,
};

/* Longer lists of tables are the kernel's to walk. */
#define ALTFIB_PLAN_MAX	8

/* A table that a policy rule names. */
struct altfib_plan_table {
	u32 id;
	int suppress;			/* prefixes up to this length do not count, -1: all do */
	bool open;			/* what else the rule may suppress is not known */
};

/* The tables that the policy rules name for a flow, in their order. */
struct altfib_plan {
	u32 n;
	bool open;			/* what would follow is not known */
	struct altfib_plan_table tables[ALTFIB_PLAN_MAX];
};

/* An answer to "where does this packet go?". */
struct altfib_answer {
	u32 gateway;			/* network order; 0 if there is none, or IPv6 */
	u32 reason;			/* enum skb_drop_reason, or 0 */
	int ifindex;
	u8 type;			/* RTN_* */
	u8 gateway_v6;
};

/* A packet, and two answers that are not the same. */
struct altfib_difference {
	u32 daddr;			/* host order */
	u32 saddr;			/* host order */
	int iif;
	u32 mark;
	u32 ports;			/* the four bytes behind the header */
	u8 tos;
	u8 protocol;
	struct altfib_answer ours;
	struct altfib_answer kernels;
};

/* The same for IPv6. */
struct altfib_answer6 {
	u8 gateway[16];
	int ifindex;
	int error;			/* of the route, or 0 */
	u32 flags;			/* RTF_* */
};

struct altfib_difference6 {
	u8 daddr[16];
	u8 saddr[16];
	u32 flowinfo;			/* as in the header */
	int iif;
	u32 mark;
	u32 ports;
	u8 nexthdr;
	struct altfib_answer6 ours;
	struct altfib_answer6 kernels;
};

enum altfib_verdict {
	ALTFIB_AGREES,
	ALTFIB_AGREES_ON_PATH,		/* on one of several */
	ALTFIB_DIFFERS,
	ALTFIB_UNDECIDED,		/* the cached route has just gone */
};

/*
 * A next hop and its cached input dst: one cache line.
 *
 * fi is a counted reference while the record is alive and NULL otherwise.
 * dst is a counted reference of its own, or NULL: the route that the kernel
 * keeps in nhc->nhc_rth_input, taken by altfib_slot_fill(). nhc is only ever
 * compared, never followed: it says whose route dst was. ifindex is the
 * device of nhc. exceptions are those of nhc when dst was taken, if there were
 * any.
 *
 * fi, dst and exceptions are read under RCU and changed with the lock held,
 * which the packet path only ever tries to take. The rest of the first part is
 * written before the pointer that publishes it; the second part is the
 * writer's.
 */
struct altfib_nexthop {
	struct fib_info __rcu *fi;
	struct dst_entry __rcu *dst;
	const struct fib_nh_common *nhc;
	struct altfib_exceptions __rcu *exceptions;
	atomic_t lock;
	int ifindex;
	u8 type;			/* RTN_* */
	u8 flags;			/* ALTFIB_NH_* */
	u8 served;			/* its dst has been handed out */

	u32 prefixes;			/* how many use it */
	u32 left;			/* more, that the kernel has deleted */
	u32 chain;			/* hash chain or free list */
	u64 cookie;			/* grace period that frees the number */
} ____cacheline_aligned;

/*
 * An IPv6 route, which is what the kernel's cached dsts belong to. rt is a
 * counted reference while the record is in use, and NULL otherwise; it is read
 * under RCU. The rest is the writer's.
 */
struct altfib_route6 {
	struct fib6_info __rcu *rt;
	struct rt6_info *__percpu *pcpu; /* of its own next hop, NULL if that is an object */
	u64 cookie;			/* grace period that frees the number */
	u32 next;			/* in the list of free ones */
};

/*
 * A prefix of the main table, and where the kernel keeps its routes: the leaf's list,
 * NULL while it is not known, 1 when the prefix is gone or has another first route.
 * Until then fi, key, slen and type are what the first route has; the rest is the
 * writer's. No reference: the next hop's record has one.
 */
struct altfib_leaf {
	struct hlist_head *head;
	union {
		struct fib_info *fi;	/* of the prefix's first alias, or NULL: look there */
		u64 cookie;		/* grace period that frees the number */
	};
	union {
		u32 key;		/* address of the prefix, host order */
		u32 next;		/* in the list of free ones */
	};
	u8 slen;			/* 32 - length of the prefix */
	u8 type;			/* RTN_* */
};

/* What became of a lookup of the kernel's own: one counter each, in this order. */
enum altfib_lookup {
	ALTFIB_LOOKUP_ANSWERED,		/* from altfib's table */
	ALTFIB_LOOKUP_CHECKED,		/* compared with the original's, and the same */
	ALTFIB_LOOKUP_LEARNED,		/* the original's, which told the leaf */
	ALTFIB_LOOKUP_LEFT,		/* the original's */
	ALTFIB_SOCKET_HIT,		/* a socket's last route */
	ALTFIB_SOCKET_CHECKED,		/* compared with the original's, and the same */
	ALTFIB_SOCKET_MISS,		/* the original's */
	ALTFIB_NR_LOOKUPS,
};

/* Whose the lookups in a table are. */
struct altfib_redirect {
	struct hlist_node node;
	const void *table;
	const void *owner;
	const struct net *net;
	u64 __percpu *counters;
	u32 first;			/* of the counters of enum altfib_lookup */
	u32 every;			/* one lookup in so many is compared */
	struct altfib_sockets __rcu *sockets;

	/* A lookup that differed, to be looked at again: 0 none, 2 written. */
	u32 pending;
	int oif;
	int flags;
	u8 scope;
	u8 dscp;
	u8 daddr[16];			/* IPv4: the first four */
};

/* What Rust has to say; see sys/redirect.rs. RCU read side. */
struct altfib_leaf *altfib_rust_leaf(const void *owner, u32 daddr);
struct altfib_route6 *altfib_rust_route6(const void *owner, u64 high, u64 low);
void altfib_rust_differs(const void *owner);
struct altfib_flows *altfib_rust_flows(const void *owner, bool ipv6);

/* What became of packets in a cache of flows: one counter each, in this order. */
enum altfib_cached {
	ALTFIB_CACHE_HIT,		/* a flow that still holds */
	ALTFIB_CACHE_MISS,		/* decided anew */
	ALTFIB_CACHE_SEARCH,		/* other flows that were passed on the way */
	ALTFIB_CACHE_UNCACHED,		/* decided, and such that no flow may be kept of it */
	ALTFIB_CACHE_INSERT,		/* kept */
	ALTFIB_CACHE_EVICT,		/* taken out for another one */
	ALTFIB_CACHE_STALE,		/* taken out because something has changed */
	ALTFIB_CACHE_AGE,		/* taken out because it was not used */
	ALTFIB_CACHE_FLUSH,		/* taken out with all others */
	ALTFIB_CACHE_GC_TOTAL,		/* there were more than gc_thresh */
	ALTFIB_CACHE_GC_IGNORED,	/* ... and a collection was asked for before */
	ALTFIB_CACHE_GC_GOAL_MISS,	/* a collection ended above gc_thresh, or before its end */
	ALTFIB_CACHE_GC_RUN,		/* collections */
	ALTFIB_CACHE_OVERFLOW,		/* not kept: there are max_size, or no memory */
	ALTFIB_CACHE_NEIGHBOUR,		/* kept, and the next hop's link address is known */
	ALTFIB_CACHE_NO_NEIGHBOUR,	/* kept, and it is not */
	ALTFIB_CACHE_OUT_HIT,		/* the host's own; as ALTFIB_SOCKET_HIT */
	ALTFIB_CACHE_OUT_CHECKED,	/* ... and the next two */
	ALTFIB_CACHE_OUT_MISS,
	ALTFIB_NR_CACHED,
};

/* Read by packets and the collector; in seconds. */
struct altfib_cache_limits {
	u32 gc_thresh;
	u32 gc_interval;
	u32 gc_timeout;
	u32 gc_elasticity;
	u32 max_size;
};

/* As things were before a packet was decided. */
struct altfib_ticket {
	u32 hash;
	u32 generation;			/* the mirror's; odd while it is being changed */
	int genid;			/* the kernel's: rt_genid, or the tables' number */
};

enum altfib_nexthop_flags {
	ALTFIB_NH_DSCP		= 1,	/* its prefixes are the kernel's to decide */
};

/* What altfib_nexthop_describe() tells about a next hop, for people. */
struct altfib_nexthop_info {
	u32 gateway;			/* network order; 0 if there is none, or IPv6 */
	u32 metric;
	int ifindex;
	u8 paths;
	u8 gateway_v6;
	u8 reject;
	u8 gateway6[16];
	char device[16];
};

/* What altfib_fib6_describe() tells about an IPv6 route, for people. */
struct altfib_route6_info {
	u8 gateway[16];
	u32 metric;
	u32 flags;			/* RTF_* */
	u32 paths;
	int ifindex;
	u8 type;			/* RTN_* */
	char device[16];
};

enum altfib_fill {
	ALTFIB_FILL_DONE,
	ALTFIB_FILL_NOTHING,		/* the kernel has no valid route either */
	ALTFIB_FILL_BUSY,		/* somebody else is at it */
};

enum altfib_slot_state {
	ALTFIB_SLOT_EMPTY,
	ALTFIB_SLOT_STALE,
	ALTFIB_SLOT_CACHED,
};

/* What a lookup of a destination has given, for the tracepoint. */
enum altfib_found {
	ALTFIB_FOUND_NONE,
	ALTFIB_FOUND_ROUTE,
	ALTFIB_FOUND_LOCAL_PREFIX,	/* of a local route shorter than a host's */
	ALTFIB_FOUND_UNCLEAR,		/* policy rules, or a prefix that is the kernel's */
};

/* Why a cached route is given back, for the tracepoint. */
enum altfib_drop {
	ALTFIB_DROP_DEVICE,		/* its device has changed, or goes */
	ALTFIB_DROP_ROUTE,		/* the last prefix of the next hop went */
	ALTFIB_DROP_NEXTHOP,		/* a path came or went, or a next-hop object changed */
	ALTFIB_DROP_STALE,		/* outdated, and found so by a packet or a collection */
	ALTFIB_DROP_EVICT,		/* for another flow */
	ALTFIB_DROP_AGE,		/* its flow was not used */
	ALTFIB_DROP_FLUSH,		/* with all others */
	ALTFIB_DROP_END,		/* altfib's service ends, or starts anew */
};

/* What somebody asks by netlink. */
struct altfib_nl_request {
	u8 dst[16];			/* IPv4: the first four */
	u8 src[16];
	u32 iif;			/* 0: the host's own packets */
	u32 mark;
	u32 table;
	u8 family;			/* AF_*, or 0 for both */
	u8 dscp;
	bool has_src;
	bool has_mark;
	bool has_dscp;
	bool has_table;
};

/* What packets left by. No padding: compared as it is. */
struct altfib_traffic_key {
	u64 net_cookie;			/* 0: none */
	u8 gateway[16];			/* IPv4: the first four */
	int ifindex;			/* 0 if local */
	u8 family;			/* AF_*, the packets' */
	u8 gateway_family;		/* AF_*, or 0 */
	u8 local;
	u8 zero;
};

/* One of them, for people. */
struct altfib_traffic_info {
	struct altfib_traffic_key key;
	u64 packets;
	u32 cpu;
	char device[16];		/* empty if it is gone */
};

/* Where a dump is. All zero is the start. */
struct altfib_nl_cursor {
	u8 addr[16];
	u32 table;
	u32 id;
	u8 family;
	u8 len;
	bool inside;			/* addr and len are those of the last one */
};

/* What the kernel does with a packet, for people. */
struct altfib_kernels {
	u8 prefix[16];			/* IPv4: the first four */
	u8 gateway[16];
	u32 table;
	u32 metric;
	u32 paths;
	u32 reason;			/* enum skb_drop_reason, or 0 */
	int error;			/* positive, or 0 */
	int ifindex;
	s8 agrees;			/* with altfib: 1 yes, 0 no, -1 altfib has no say */
	u8 prefix_len;
	u8 gateway_family;		/* AF_*, or 0 */
	u8 type;			/* RTN_* */
	bool has_prefix;
	char device[16];
};

/* What Rust has to say; see sys/netlink.rs. Process context. */
int altfib_rust_nl_reply(struct net *net, u8 cmd, const struct altfib_nl_request *request,
			 struct sk_buff *skb, const char **why);
int altfib_rust_nl_list(struct net *net, u8 cmd, const struct altfib_nl_request *request,
			struct altfib_nl_cursor *cursor, struct sk_buff *skb, unsigned int *seq);
int altfib_rust_nl_audit_start(struct net *net);

#endif /* ALTFIB_HELPERS_H */
