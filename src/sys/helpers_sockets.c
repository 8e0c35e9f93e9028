// SPDX-License-Identifier: GPL-2.0
/*
 * What is remembered in front of ip_route_output_flow() and ip6_dst_lookup_flow(): the
 * last route of each unconnected socket; or, where there is a cache of flows, what it
 * has of the host's own, whoever asks. Part of helpers.c, behind helpers_redirect.c.
 *
 * 4.4BSD had it in the protocol control block (inp_route), and lost it because
 * nobody told the holder when an interface went. Here the kernel tells: a dst is
 * checked on every use (dst_check(): in IPv4 the generation, which each change
 * moves; in IPv6 the serial number of all tables besides), and holding one pins no
 * device, since the kernel takes the device out of a dst when its route goes.
 *
 * A route is remembered only if nothing decides about it but what is in the key or
 * moves those numbers: no policy rules, no IPsec policies, one path, no choice among
 * default routers. A source that was not asked for is IPv6's to choose each time. On any
 * doubt the original is called.
 */

/* Of a struct flowi4 or flowi6, what decides; and what the lookup writes into it. */
struct altfib_flow {
	struct in6_addr daddr;		/* IPv4: the first four bytes */
	struct in6_addr saddr;
	__be32 flowlabel;
	int oif;
	int l3mdev;
	u32 mark;
	kuid_t uid;
	u32 hash;			/* flowi4_multipath_hash, mp_hash */
	u8 dscp;
	u8 scope;
	u8 proto;
	u8 flags;
	u8 prefs;			/* IPV6_ADDR_PREFERENCES */
	u8 bound;			/* IPv6: the socket, to a device */
	u8 family;
};

/* What a lookup has told. */
struct altfib_told {
	struct dst_entry *dst;		/* of whoever remembers this */
	struct in6_addr saddr;		/* these three as it left them in the flow */
	int oif;
	int iif;
	u32 dst_cookie;
	bool suspect;			/* the original's answer was another */
};

/* RCU; one reference on told.dst. */
struct altfib_socket {
	struct rcu_head rcu;
	u64 cookie;
	int sernum;			/* IPv6 */
	unsigned long used;		/* jiffies, about */
	struct altfib_flow key;
	struct altfib_told told;
};

/* A flow of the host's own packets; its reference is the entry's. */
struct altfib_host_entry {
	struct altfib_entry e;
	struct altfib_told told;
};

/*
 * Two places for each socket: by its hash, and the one beside it; and one where a
 * question leaves its hash.
 */
struct altfib_sockets {
	struct delayed_work ageing;
	unsigned int bits;
	u32 *asked;
	struct altfib_socket __rcu *slots[];
};

static void altfib_socket_free_rcu(struct rcu_head *head)
{
	struct altfib_socket *e = container_of(head, struct altfib_socket, rcu);

	dst_release(e->told.dst);
	kfree(e);
}

static void altfib_socket_free(struct altfib_socket *e)
{
	if (e)
		call_rcu(&e->rcu, altfib_socket_free_rcu);
}

#if defined(ALTFIB_REDIRECT_STATIC_CALL) || defined(ALTFIB_REDIRECT_FTRACE)

DEFINE_STATIC_SRCU(altfib_output_srcu);

#ifdef CONFIG_XFRM
static bool altfib_has_policies(const struct net *net, const struct sock *sk)
{
	return READ_ONCE(net->xfrm.policy_count[XFRM_POLICY_OUT]) ||
	       net->xfrm.policy_default[XFRM_POLICY_OUT] == XFRM_USERPOLICY_BLOCK ||
	       (sk && rcu_access_pointer(sk->sk_policy[XFRM_POLICY_OUT]));
}
#else
static bool altfib_has_policies(const struct net *net, const struct sock *sk)
{
	return false;
}
#endif

static unsigned int altfib_socket_slot(const struct altfib_sockets *t, u64 cookie)
{
	return hash_64(cookie, t->bits);
}

static struct altfib_socket *altfib_socket_find(const struct altfib_sockets *t, u64 cookie)
{
	unsigned int at = altfib_socket_slot(t, cookie);
	struct altfib_socket *e;

	e = rcu_dereference(t->slots[at]);
	if (e && e->cookie == cookie)
		return e;
	e = rcu_dereference(t->slots[at ^ 1]);
	return e && e->cookie == cookie ? e : NULL;
}

/*
 * Is this what the socket has asked before? Who sends to another destination each
 * time would make an entry of each for nothing. Another socket in the same place
 * costs one more question.
 */
static bool altfib_asked_before(struct altfib_sockets *t, u64 cookie,
				const struct altfib_flow *key)
{
	u32 *asked = &t->asked[altfib_socket_slot(t, cookie)];
	u32 hash = jhash(&key->daddr, sizeof(key->daddr), (u32)cookie);

	if (READ_ONCE(*asked) == hash)
		return true;
	WRITE_ONCE(*asked, hash);
	return false;
}

/* In the place of the socket's last one, in a free one, or of the one not used for longer. */
static void altfib_socket_store(struct altfib_sockets *t, struct altfib_socket *e)
{
	unsigned int at = altfib_socket_slot(t, e->cookie);
	struct altfib_socket *a = rcu_dereference(t->slots[at]);
	struct altfib_socket *b = rcu_dereference(t->slots[at ^ 1]);

	if (b && b->cookie == e->cookie)
		at ^= 1;
	else if (a && a->cookie != e->cookie &&
		 (!b || time_before(READ_ONCE(b->used), READ_ONCE(a->used))))
		at ^= 1;
	altfib_socket_free((struct altfib_socket *)xchg((__force void **)&t->slots[at], e));
}

/* Not written more often than it moves, as others read the entry. */
static void altfib_socket_used(struct altfib_socket *e)
{
	unsigned long now = jiffies;

	if (time_before(READ_ONCE(e->used), now))
		WRITE_ONCE(e->used, now);
}

/* May this socket have its last route remembered? */
static bool altfib_socket_fits(const struct net *net, const struct sock *sk)
{
	if (!sk || !sk_fullsock(sk) || (sk->sk_type != SOCK_DGRAM && sk->sk_type != SOCK_RAW))
		return false;
	if (sk->sk_state == TCP_ESTABLISHED || altfib_has_policies(net, sk))
		return false;
	return atomic64_read(&sk->sk_cookie);
}

/* Give the socket a cookie, if it has none; the kernel's own have not the highest bit. */
static void altfib_socket_name(const struct sock *sk)
{
	static atomic64_t last = ATOMIC64_INIT(0);
	atomic64_t *cookie = (atomic64_t *)&sk->sk_cookie;

	if (!atomic64_read(cookie))
		atomic64_cmpxchg(cookie, 0, atomic64_inc_return(&last) | BIT_ULL(63));
}

static bool altfib_dst_holds(const struct altfib_told *told)
{
	struct dst_entry *dst = told->dst;

	return READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK &&
	       dst->ops->check(dst, told->dst_cookie);
}

/* A change may be under way, of which the numbers do not tell yet: look again later. */
static void altfib_suspect(const struct altfib_redirect *r, struct altfib_told *told)
{
	WRITE_ONCE(told->suspect, true);
	altfib_rust_differs(r->owner);
}

/* ---- what is asked, and where the answer may be ----------------------- */

struct altfib_question {
	struct altfib_flow key;
	struct altfib_flows *flows;	/* NULL: the socket's last route */
	struct altfib_flow_key words;	/* of the flow */
	struct altfib_ticket ticket;	/* as things were when it was asked */
	int sernum;			/* IPv6: the same, of sockets */
	bool remember;			/* an answer may be */
	bool again;			/* and is likely to be asked for */
};

/* In the order of both enums. */
enum altfib_asked {
	ALTFIB_ASKED_HIT,
	ALTFIB_ASKED_CHECKED,
	ALTFIB_ASKED_MISS,
};

static void altfib_asked_count(const struct altfib_redirect *r, const struct altfib_question *q,
			       enum altfib_asked what)
{
	BUILD_BUG_ON(ALTFIB_SOCKET_MISS - ALTFIB_SOCKET_HIT - ALTFIB_ASKED_MISS);
	BUILD_BUG_ON(ALTFIB_CACHE_OUT_MISS - ALTFIB_CACHE_OUT_HIT - ALTFIB_ASKED_MISS);
	if (q->flows)
		altfib_cache_count(q->flows, ALTFIB_CACHE_OUT_HIT + what);
	else
		altfib_redirect_count(r, ALTFIB_SOCKET_HIT + what);
}

#define ALTFIB_HOST_WORDS	6

/*
 * As of a received packet, with the output device in place of the input device. What
 * is not in there decides nothing, as long as there are neither policy rules nor
 * several paths: the user, the label, the hash.
 */
static void altfib_host_key(const struct altfib_flow *flow, struct altfib_flow_key *key)
{
	u32 more = flow->dscp | flow->proto << 8 | flow->flags << 16 | flow->bound << 23 |
		   (u32)flow->prefs << 24;

	memset(key, 0, sizeof(*key));
	if (flow->family == AF_INET) {
		key->word[0] = (u64)be32_to_cpu(flow->daddr.s6_addr32[0]) << 32 |
			       be32_to_cpu(flow->saddr.s6_addr32[0]);
		key->word[1] = flow->oif;
		key->word[2] = (u64)flow->mark << 32 | more;
		return;
	}
	memcpy(&key->word[0], &flow->daddr, sizeof(flow->daddr));
	memcpy(&key->word[2], &flow->saddr, sizeof(flow->saddr));
	key->word[4] = flow->oif;
	key->word[5] = (u64)flow->mark << 32 | more;
}

/* A socket says no more about a route than what is in the key, but for its policies. */
static struct altfib_told *altfib_ask_flows(const struct net *net, const struct sock *sk,
					    struct altfib_question *q)
{
	const struct altfib_flow *flow = &q->key;
	struct altfib_entry *e;

	if (sk && !sk_fullsock(sk))
		return NULL;
	if (altfib_has_policies(net, sk) || flow->scope || flow->l3mdev ||
	    flow->flags & ~(FLOWI_FLAG_ANYSRC | FLOWI_FLAG_ANY_SPORT))
		return NULL;
	q->remember = true;
	q->again = true;
	altfib_host_key(flow, &q->words);
	altfib_ticket_take(q->flows, &q->words, ALTFIB_HOST_WORDS, &q->ticket);
	e = altfib_flow_find(q->flows, &q->words, ALTFIB_HOST_WORDS, q->ticket.hash,
			     raw_smp_processor_id());
	if (!e || !altfib_flow_current(e, &q->ticket))
		return NULL;
	return &container_of(e, struct altfib_host_entry, e)->told;
}

/*
 * What is remembered of a question, whose key is filled in; NULL if nothing is. What
 * decides without moving a number is the caller's to look at.
 */
static struct altfib_told *altfib_ask(const struct altfib_redirect *r, const struct net *net,
				      const struct sock *sk, struct altfib_question *q)
{
	struct altfib_sockets *t;
	struct altfib_socket *e;
	u64 cookie;

	q->remember = false;
	q->flows = altfib_rust_flows(r->owner, q->key.family == AF_INET6);
	if (q->flows)
		return altfib_ask_flows(net, sk, q);
	t = rcu_dereference(r->sockets);
	if (!t || !sk)
		return NULL;
	altfib_socket_name(sk);
	if (!altfib_socket_fits(net, sk))
		return NULL;
	q->remember = true;
	q->sernum = 0;
	if (q->key.family == AF_INET6) {
		/* Before the lookup: what changes meanwhile makes the entry old. */
		q->sernum = rt_genid_ipv6(net);
		/* Pairs with the writers' barriers in fib6_add() and fib6_del(). */
		smp_rmb();
	}
	cookie = atomic64_read(&sk->sk_cookie);
	e = altfib_socket_find(t, cookie);
	if (!e || memcmp(&e->key, &q->key, sizeof(q->key))) {
		q->again = altfib_asked_before(t, cookie, &q->key);
		return NULL;
	}
	q->again = true;
	return e->sernum == q->sernum ? &e->told : NULL;
}

/* It was the answer. */
static void altfib_told_used(const struct altfib_question *q, struct altfib_told *told)
{
	if (q->flows)
		altfib_flow_used(&container_of(told, struct altfib_host_entry, told)->e);
	else
		altfib_socket_used(container_of(told, struct altfib_socket, told));
}

/* Remember what the original has told, if anybody still does. Context: RCU read side. */
static void altfib_remember(const struct altfib_redirect *r, const struct sock *sk,
			    const struct altfib_question *q, const struct altfib_told *told)
{
	struct altfib_sockets *t;
	struct altfib_socket *s;

	if (q->flows) {
		struct altfib_entry *e;

		/* Another one may have another seed. */
		if (altfib_rust_flows(r->owner, q->key.family == AF_INET6) != q->flows ||
		    q->ticket.generation & 1)
			return;
		e = altfib_flow_new(q->flows, sizeof(struct altfib_host_entry), told->dst,
				    &q->ticket);
		if (!e)
			return;
		e->key = q->words;
		e->host = true;
		container_of(e, struct altfib_host_entry, e)->told = *told;
		altfib_flow_keep(q->flows, e, q->ticket.hash);
		return;
	}
	t = rcu_dereference(r->sockets);
	if (!t)
		return;
	s = kzalloc_obj(*s, GFP_ATOMIC | __GFP_NOWARN);
	if (!s)
		return;
	if (!dst_hold_safe(told->dst)) {
		kfree(s);
		return;
	}
	s->cookie = atomic64_read(&sk->sk_cookie);
	s->sernum = q->sernum;
	s->used = jiffies;
	s->key = q->key;
	s->told = *told;
	altfib_socket_store(t, s);
}

/* ---- IPv4 ------------------------------------------------------------- */

static void altfib_flow4(const struct flowi4 *fl4, struct altfib_flow *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(&key->daddr, &fl4->daddr, sizeof(fl4->daddr));
	memcpy(&key->saddr, &fl4->saddr, sizeof(fl4->saddr));
	key->oif = fl4->flowi4_oif;
	key->l3mdev = fl4->flowi4_l3mdev;
	key->mark = fl4->flowi4_mark;
	key->uid = fl4->flowi4_uid;
	key->hash = fl4->flowi4_multipath_hash;
	key->dscp = inet_dscp_to_dsfield(fl4->flowi4_dscp);
	key->scope = fl4->flowi4_scope;
	key->proto = fl4->flowi4_proto;
	key->flags = fl4->flowi4_flags;
	key->family = AF_INET;
}

/*
 * Does a change move the generation whenever the answer changes? Not if rules or a
 * choice between paths or default routers come in, nor for what is no unicast.
 */
static bool altfib_may_remember4(struct altfib_redirect *r, const struct flowi4 *fl4,
				 const struct rtable *rt)
{
	struct net *net = (struct net *)r->net;
	struct fib_table *tb = (struct fib_table *)r->table;
	struct hlist_head *head;
	struct altfib_leaf *leaf;
	struct fib_result res;

	/* KNOWN_NH: made for one packet, and not found when an exception comes. */
	if (fl4->flowi4_tun_key.tun_id || dst_xfrm(&rt->dst) ||
	    fl4->flowi4_flags & FLOWI_FLAG_KNOWN_NH ||
	    rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL))
		return false;
#ifdef CONFIG_IP_MULTIPLE_TABLES
	if (net->ipv4.fib_has_custom_rules)
		return false;
#endif
	leaf = altfib_rust_leaf(r->owner, ntohl(fl4->daddr));
	head = leaf ? READ_ONCE(leaf->head) : NULL;
	if (!head || head == ALTFIB_LEAF_DEAD)
		return false;
	if (!altfib_read_leaf(head, tb, fl4, &res, FIB_LOOKUP_NOREF))
		return false;
	if (!res.prefixlen && tb->tb_num_default > 1)
		return false;
	return res.fi->nh ? !res.fi->nh->is_group : fib_info_num_path(res.fi) == 1;
}

/* What decides in IPv4 without moving the generation: the end of a redirect, the carrier. */
static bool altfib_still_there4(const struct dst_entry *dst)
{
	const struct net_device *dev = dst_dev_rcu(dst);
	unsigned long expires = READ_ONCE(dst->expires);

	if (expires && time_after(jiffies, expires))
		return false;
	return netif_carrier_ok(dev) || !ip_ignore_linkdown(dev);
}

static bool altfib_same_dst(const struct dst_entry *a, const struct dst_entry *b)
{
	if (a == b)
		return true;
	return a->dev == b->dev && a->ops == b->ops && a->input == b->input &&
	       a->output == b->output && dst_metrics_ptr((struct dst_entry *)a) ==
					 dst_metrics_ptr((struct dst_entry *)b);
}

static bool altfib_same_rtable(const struct rtable *a, const struct rtable *b)
{
	return altfib_same_dst(&a->dst, &b->dst) && a->rt_type == b->rt_type &&
	       a->rt_flags == b->rt_flags && a->rt_gw_family == b->rt_gw_family &&
	       !memcmp(&a->rt_gw6, &b->rt_gw6,
		       a->rt_gw_family == AF_INET6 ? sizeof(a->rt_gw6) : sizeof(a->rt_gw4));
}

static struct rtable *altfib_original_flow(struct net *net, struct flowi4 *fl4,
					   const struct sock *sk)
{
	struct rtable *rt;
	int idx;

	/* It may sleep (xfrm_lookup_route()): unloading waits for it. */
	idx = srcu_read_lock(&altfib_output_srcu);
	rt = altfib_original_output_flow(net, fl4, sk);
	srcu_read_unlock(&altfib_output_srcu, idx);
	return rt;
}

/* The original has answered. Context: any but hard interrupt. */
static noinline void altfib_answered4(struct net *net, const struct sock *sk,
				      const struct flowi4 *fl4, const struct altfib_question *q,
				      struct rtable *rt)
{
	struct altfib_told told = {
		.dst = &rt->dst,
		.oif = fl4->flowi4_oif,
		.iif = fl4->flowi4_iif,
	};
	struct altfib_redirect *r;

	memcpy(&told.saddr, &fl4->saddr, sizeof(fl4->saddr));
	rcu_read_lock();
	r = altfib_redirect_of(rcu_access_pointer(net->ipv4.fib_main));
	if (r && altfib_may_remember4(r, fl4, rt))
		altfib_remember(r, sk, q, &told);
	rcu_read_unlock();
}

static notrace struct rtable *altfib_route_output_flow(struct net *net, struct flowi4 *fl4,
						       const struct sock *sk)
{
	struct altfib_question q;
	struct altfib_redirect *r;
	struct altfib_told *told;
	struct rtable *theirs;
	struct rtable *rt;

	q.remember = false;
	rcu_read_lock();
	r = altfib_redirect_of(rcu_access_pointer(net->ipv4.fib_main));
	if (!r || ipv4_is_multicast(fl4->daddr) || !fl4->daddr)
		goto original;
	altfib_flow4(fl4, &q.key);
	told = altfib_ask(r, net, sk, &q);
	if (!q.remember)
		goto original;
	if (!told || !altfib_dst_holds(told) || !altfib_still_there4(told->dst))
		goto miss;
	rt = dst_rtable(told->dst);
	if (!altfib_check_due(r)) {
		if (!dst_hold_safe(&rt->dst))
			goto miss;
		memcpy(&fl4->saddr, &told->saddr, sizeof(fl4->saddr));
		fl4->flowi4_oif = told->oif;
		fl4->flowi4_iif = told->iif;
		altfib_told_used(&q, told);
		altfib_asked_count(r, &q, ALTFIB_ASKED_HIT);
		rcu_read_unlock();
		return rt;
	}
	theirs = altfib_original_output_flow(net, fl4, sk);
	if (!IS_ERR(theirs) && altfib_same_rtable(rt, theirs) && fl4->flowi4_oif == told->oif &&
	    !memcmp(&fl4->saddr, &told->saddr, sizeof(fl4->saddr)))
		altfib_asked_count(r, &q, ALTFIB_ASKED_CHECKED);
	else
		altfib_suspect(r, told);
	rcu_read_unlock();
	return theirs;

miss:
	altfib_asked_count(r, &q, ALTFIB_ASKED_MISS);
original:
	rcu_read_unlock();
	rt = altfib_original_flow(net, fl4, sk);
	if (q.remember && q.again && !IS_ERR(rt))
		altfib_answered4(net, sk, fl4, &q, rt);
	return rt;
}

/* ---- IPv6 ------------------------------------------------------------- */

static void altfib_flow6(const struct flowi6 *fl6, const struct sock *sk, struct altfib_flow *key)
{
	memset(key, 0, sizeof(*key));
	key->daddr = fl6->daddr;
	key->saddr = fl6->saddr;
	key->flowlabel = fl6->flowlabel;
	key->oif = fl6->flowi6_oif;
	key->l3mdev = fl6->flowi6_l3mdev;
	key->mark = fl6->flowi6_mark;
	key->uid = fl6->flowi6_uid;
	key->hash = fl6->mp_hash;
	key->scope = fl6->flowi6_scope;
	key->proto = fl6->flowi6_proto;
	key->flags = fl6->flowi6_flags;
	key->prefs = sk ? READ_ONCE(inet6_sk(sk)->srcprefs) : 0;
	key->bound = sk && READ_ONCE(sk->sk_bound_dev_if);
	key->family = AF_INET6;
}

/*
 * As for IPv4. And it must be the first route of the longest prefix: a host takes
 * another one while the first one's gateway does not answer.
 */
static bool altfib_may_remember6(const struct altfib_redirect *r, const struct flowi6 *fl6,
				 const struct rt6_info *rt)
{
	struct net *net = (struct net *)r->net;
	const struct altfib_route6 *route;
	const struct fib6_info *from;
	const struct fib6_info *next;

	if (fl6->flowi6_tun_key.tun_id || rt->dst.error || dst_xfrm(&rt->dst) ||
	    rt->rt6i_flags & (RTF_CACHE | RTF_LOCAL | RTF_ANYCAST | RTF_REJECT))
		return false;
	if (fib6_has_custom_rules(net) || fib6_routes_require_src(net))
		return false;
	from = rcu_dereference(rt->from);
	if (!from || READ_ONCE(from->fib6_nsiblings) ||
	    (from->nh && nexthop_is_multipath(from->nh)))
		return false;
	next = rcu_dereference(from->fib6_next);
	if (next && next->fib6_metric == from->fib6_metric)
		return false;
	route = altfib_rust_route6(r->owner,
				   be64_to_cpup((const __be64 *)&fl6->daddr.s6_addr32[0]),
				   be64_to_cpup((const __be64 *)&fl6->daddr.s6_addr32[2]));
	return route && rcu_access_pointer(route->rt) == from;
}

/*
 * What decides in IPv6 without moving the number: the carrier; whether the gateway
 * of a host answers; and whether a neighbour does, while an address is optimistic.
 */
static bool altfib_still_there6(const struct net *net, const struct dst_entry *dst,
				const struct in6_addr *daddr)
{
	const struct rt6_info *rt = dst_rt6_info(dst);
	struct net_device *dev = dst_dev_rcu(dst);
	const struct neighbour *n;

	if (!netif_carrier_ok(dev) && ip6_ignore_linkdown(dev))
		return false;
	n = __ipv6_neigh_lookup_noref(dev, rt6_nexthop(rt, daddr));
	if (n)
		return READ_ONCE(n->nud_state) & NUD_VALID;
	return !(rt->rt6i_flags & RTF_GATEWAY) || READ_ONCE(net->ipv6.devconf_all->forwarding);
}

/*
 * A source that the kernel has chosen is chosen again: it depends on lifetimes, labels
 * and settings of addresses, of whose changes no number tells.
 */
static bool altfib_same_source6(struct net *net, const struct altfib_flow *key,
				const struct altfib_told *told)
{
	struct in6_addr saddr;

	if (!ipv6_addr_any(&key->saddr))
		return true;
	return !ip6_route_get_saddr(net, rcu_dereference(dst_rt6_info(told->dst)->from),
				    &key->daddr, key->prefs, key->l3mdev, &saddr) &&
	       ipv6_addr_equal(&saddr, &told->saddr);
}

static bool altfib_same_rt6(const struct rt6_info *a, const struct rt6_info *b)
{
	return altfib_same_dst(&a->dst, &b->dst) && a->rt6i_flags == b->rt6i_flags &&
	       ipv6_addr_equal(&a->rt6i_gateway, &b->rt6i_gateway);
}

static struct dst_entry *altfib_original_flow6(struct net *net, const struct sock *sk,
					       struct flowi6 *fl6,
					       const struct in6_addr *final_dst)
{
	struct dst_entry *dst;
	int idx;

	idx = srcu_read_lock(&altfib_output_srcu);
	dst = altfib_original_output_flow6(net, sk, fl6, final_dst);
	srcu_read_unlock(&altfib_output_srcu, idx);
	return dst;
}

/*
 * What is remembered, or what the original says of it if that is to be compared.
 *
 * Return: a dst or an error; NULL to have the original asked.
 */
static struct dst_entry *altfib_recall6(struct net *net, const struct sock *sk,
					struct flowi6 *fl6, struct altfib_question *q)
{
	struct dst_entry *dst = NULL;
	struct altfib_redirect *r;
	struct altfib_told *told;

	rcu_read_lock();
	r = altfib_redirect_of(&net->ipv6.fib6_main_tbl->tb6_root);
	if (!r || (sk && sk->sk_family != AF_INET6) || ipv6_addr_any(&fl6->daddr) ||
	    ipv6_addr_type(&fl6->daddr) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL |
					   IPV6_ADDR_LOOPBACK | IPV6_ADDR_MAPPED))
		goto out;
	altfib_flow6(fl6, sk, &q->key);
	told = altfib_ask(r, net, sk, q);
	if (!q->remember)
		goto out;
	if (!told || !altfib_dst_holds(told) ||
	    !altfib_still_there6(net, told->dst, &fl6->daddr) ||
	    !altfib_same_source6(net, &q->key, told))
		goto miss;
	dst = told->dst;
	if (!altfib_check_due(r)) {
		if (!dst_hold_safe(dst)) {
			dst = NULL;
			goto miss;
		}
		fl6->saddr = told->saddr;
		fl6->flowi6_oif = told->oif;
		fl6->flowi6_iif = told->iif;
		altfib_told_used(q, told);
		altfib_asked_count(r, q, ALTFIB_ASKED_HIT);
		goto out;
	}
	dst = altfib_original_output_flow6(net, sk, fl6, NULL);
	if (!IS_ERR(dst) && altfib_same_rt6(dst_rt6_info(told->dst), dst_rt6_info(dst)) &&
	    fl6->flowi6_oif == told->oif && ipv6_addr_equal(&fl6->saddr, &told->saddr))
		altfib_asked_count(r, q, ALTFIB_ASKED_CHECKED);
	else
		altfib_suspect(r, told);
	goto out;
miss:
	altfib_asked_count(r, q, ALTFIB_ASKED_MISS);
out:
	rcu_read_unlock();
	return dst;
}

/* The original has answered. */
static void altfib_answered6(struct net *net, const struct sock *sk, const struct flowi6 *fl6,
			     const struct altfib_question *q, struct dst_entry *dst)
{
	struct altfib_redirect *r;
	struct altfib_told told;

	if (!q->remember || !q->again || IS_ERR(dst))
		return;
	rcu_read_lock();
	r = altfib_redirect_of(&net->ipv6.fib6_main_tbl->tb6_root);
	if (r && altfib_may_remember6(r, fl6, dst_rt6_info(dst))) {
		told = (struct altfib_told){
			.dst = dst,
			.saddr = fl6->saddr,
			.oif = fl6->flowi6_oif,
			.iif = fl6->flowi6_iif,
			.dst_cookie = rt6_get_cookie(dst_rt6_info(dst)),
		};
		altfib_remember(r, sk, q, &told);
	}
	rcu_read_unlock();
}

static notrace struct dst_entry *altfib_dst_lookup_flow(struct net *net, const struct sock *sk,
							struct flowi6 *fl6,
							const struct in6_addr *final_dst)
{
	struct altfib_question q;
	struct dst_entry *dst = NULL;

	q.remember = false;
	if (!final_dst)
		dst = altfib_recall6(net, sk, fl6, &q);
	if (dst)
		return dst;
	dst = altfib_original_flow6(net, sk, fl6, final_dst);
	altfib_answered6(net, sk, fl6, &q, dst);
	return dst;
}

#ifdef ALTFIB_REDIRECT_FTRACE
/*
 * The compiler has put a copy of ip6_dst_lookup_flow() into this one, which is what
 * UDP and raw sockets call.
 */
static notrace struct dst_entry *altfib_sk_dst_lookup_flow(struct sock *sk, struct flowi6 *fl6,
							   const struct in6_addr *final_dst,
							   bool connected)
{
	struct altfib_question q;
	struct dst_entry *dst = NULL;
	int idx;

	q.remember = false;
	/* Else the socket has a route of its own. */
	if (!final_dst && !connected && !rcu_access_pointer(sk->sk_dst_cache))
		dst = altfib_recall6(sock_net(sk), sk, fl6, &q);
	if (dst)
		return dst;
	idx = srcu_read_lock(&altfib_output_srcu);
	dst = static_call(altfib_sk_flow6_original)(sk, fl6, final_dst, connected);
	srcu_read_unlock(&altfib_output_srcu, idx);
	altfib_answered6(sock_net(sk), sk, fl6, &q, dst);
	return dst;
}
#endif

/*
 * Looks at the suspects again.
 *
 * Context: process, RTNL held, so that no change is under way, or it is found out.
 *
 * Return: how many still hold in the kernel's terms, and so are wrong.
 */
unsigned int altfib_helper_redirect_suspects(struct altfib_redirect *r)
{
	struct altfib_sockets *t;
	struct altfib_socket *e;
	unsigned int wrong = 0;
	unsigned int i;

	rcu_read_lock();
	t = rcu_dereference(r->sockets);
	for (i = 0; t && i < 1U << t->bits; i++) {
		e = rcu_dereference(t->slots[i]);
		if (!e || !READ_ONCE(e->told.suspect))
			continue;
		WRITE_ONCE(e->told.suspect, false);
		if (altfib_dst_holds(&e->told) &&
		    (e->key.family == AF_INET || e->sernum == rt_genid_ipv6(r->net)))
			wrong++;
	}
	rcu_read_unlock();
	return wrong;
}

static bool altfib_entry_is_wrong(struct altfib_entry *e, const struct altfib_ticket *now)
{
	struct altfib_told *told = &container_of(e, struct altfib_host_entry, e)->told;

	if (!e->host || !READ_ONCE(told->suspect))
		return false;
	WRITE_ONCE(told->suspect, false);
	return altfib_flow_current(e, now) && altfib_dst_holds(told);
}

/* The same of the flows in a cache. */
unsigned int altfib_helper_flows_suspects(struct altfib_flows *t)
{
	u64 size = altfib_flows_size(t), at;
	struct altfib_ticket now;
	struct altfib_entry *e;
	unsigned int wrong = 0;
	unsigned int cpu;

	rcu_read_lock();
	altfib_ticket_now(t, &now);
	for (at = 0; at < size; at++) {
		if (t->buckets) {
			hlist_for_each_entry_rcu(e, &t->buckets[at].head, node)
				wrong += altfib_entry_is_wrong(e, &now);
			continue;
		}
		cpu = at / (t->mask + 1);
		e = cpu_possible(cpu) ? rcu_dereference(t->places[cpu][at & t->mask]) : NULL;
		if (e)
			wrong += altfib_entry_is_wrong(e, &now);
	}
	rcu_read_unlock();
	return wrong;
}

/*
 * Nobody is in our code any more who came by one of the two functions, which no
 * longer lead here: nobody on the way to srcu_read_lock(), nobody between that and
 * srcu_read_unlock(), nobody on the way back from there. Who is preempted outside of
 * both is seen by Tasks RCU only.
 */
static void altfib_wait_for_flows(void)
{
	synchronize_rcu_tasks();
	synchronize_rcu();
	synchronize_srcu(&altfib_output_srcu);
	synchronize_rcu_tasks();
	synchronize_rcu();
	rcu_barrier();
}
#else
unsigned int altfib_helper_redirect_suspects(struct altfib_redirect *r)
{
	return 0;
}

unsigned int altfib_helper_flows_suspects(struct altfib_flows *t)
{
	return 0;
}
#endif /* there is a way */

/*
 * Drop the routes that no socket has asked for in so many jiffies; all, if 0.
 *
 * Context: any but hard interrupt.
 *
 * Return: how many there are left.
 */
unsigned int altfib_helper_sockets_sweep(struct altfib_sockets *t, unsigned long age)
{
	struct altfib_socket *e;
	unsigned int left = 0;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < 1U << t->bits; i++) {
		e = rcu_dereference(t->slots[i]);
		if (!e)
			continue;
		if (age && time_before(jiffies, READ_ONCE(e->used) + age)) {
			left++;
			continue;
		}
		/* Who has just stored another one keeps it. */
		if (cmpxchg((__force void **)&t->slots[i], e, NULL) == e)
			altfib_socket_free(e);
	}
	rcu_read_unlock();
	return left;
}

/* A socket tells nobody when it ends: its route goes when it was not used for a minute. */
#define ALTFIB_AGEING	(10 * HZ)
#define ALTFIB_AGE_MAX	(60 * HZ)

static void altfib_sockets_age(struct work_struct *work)
{
	struct altfib_sockets *t = container_of(to_delayed_work(work), struct altfib_sockets,
						ageing);

	altfib_helper_sockets_sweep(t, ALTFIB_AGE_MAX);
	queue_delayed_work(system_dfl_wq, &t->ageing, ALTFIB_AGEING);
}

/*
 * Places for the routes of 1 << bits sockets, empty.
 *
 * Context: process, may sleep.
 */
struct altfib_sockets *altfib_helper_sockets_alloc(unsigned int bits)
{
	struct altfib_sockets *t = kvzalloc_flex(*t, slots, 1UL << bits);

	if (!t)
		return NULL;
	t->asked = kvzalloc_objs(*t->asked, 1UL << bits);
	if (!t->asked) {
		kvfree(t);
		return NULL;
	}
	t->bits = bits;
	INIT_DEFERRABLE_WORK(&t->ageing, altfib_sockets_age);
	queue_delayed_work(system_dfl_wq, &t->ageing, ALTFIB_AGEING);
	return t;
}

/*
 * Frees what nobody finds any more.
 *
 * Context: process, may sleep; a grace period after the last use.
 */
void altfib_helper_sockets_free(struct altfib_sockets *t)
{
	cancel_delayed_work_sync(&t->ageing);
	altfib_helper_sockets_sweep(t, 0);
	kvfree(t->asked);
	kvfree(t);
}

/* The sockets of a namespace have their routes there from now on; nowhere, if NULL. */
void altfib_helper_redirect_set_sockets(struct altfib_redirect *r, struct altfib_sockets *t)
{
	rcu_assign_pointer(r->sockets, t);
}

/* Drop all routes of sockets. Context: any but hard interrupt. */
void altfib_helper_redirect_forget(struct altfib_redirect *r)
{
	struct altfib_sockets *t;

	rcu_read_lock();
	t = rcu_dereference(r->sockets);
	if (t)
		altfib_helper_sockets_sweep(t, 0);
	rcu_read_unlock();
}
