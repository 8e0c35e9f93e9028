// SPDX-License-Identifier: GPL-2.0
/*
 * Caches of flows, and the way without any cache. Part of helpers.c, behind
 * helpers_ipv6.c. What they are for is in src/cache/. The flows of the host's own
 * packets, which have no input device, are in helpers_sockets.c.
 *
 * A flow's entry says where a packet of this source, destination, device, DSCP
 * and mark went. It holds one reference on that route, taken from a next hop's
 * slot or the kernel's own place, never from a packet. It counts while all of
 * this stands still, which is looked at on each hit:
 *
 * - the generation of the mirror, which each change moves before and behind
 *   itself: in between it is odd, and no entry counts. So whoever found it even
 *   and equal may follow e->nhc in his read side section: the mirror gives its
 *   reference on the path back while it is odd;
 * - the kernel's generation: rt_genid (IPv4), the serial number of the tables
 *   (IPv6), which routes, addresses and policy rules move;
 * - what no number tells of: the input device's settings, on which the verdict
 *   about the source depends, the route's own state, the link, exceptions.
 *
 * Both numbers are those from before the packet was decided.
 */

/* Without a slot: what the kernel itself would find for this next hop. */
static __always_inline enum altfib_outcome altfib_find_kernels(const struct altfib_packet *pkt,
							       const struct altfib_nexthop *nh,
							       struct altfib_choice *choice)
{
	enum altfib_outcome reason;
	struct fib_nh_common *nhc;
	struct rtable *rt;

	reason = altfib_find_path(pkt, nh, &nhc, choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION || !nhc))
		return reason;
	/* Whose they are is not noted anywhere. */
	if (unlikely(nh->type != RTN_LOCAL && rcu_access_pointer(nhc->nhc_exceptions)))
		return ALTFIB_EXCEPTION;
	rt = rcu_dereference(nhc->nhc_rth_input);
	if (unlikely(!rt || !altfib_dst_valid(pkt->net, nh, rt) || !rt->rt_is_input ||
		     rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)))
		return ALTFIB_NO_DST;
	choice->dst = &rt->dst;
	choice->group = NULL;
	return ALTFIB_NO_OBJECTION;
}

/* As altfib_helper_attach(), without a slot. */
enum altfib_outcome altfib_helper_attach_uncached(const struct altfib_packet *pkt,
						  struct altfib_nexthop *nh, bool probe, u32 every)
{
	struct altfib_choice choice;
	enum altfib_outcome reason;

	reason = altfib_find_kernels(pkt, nh, &choice);
	if (unlikely(reason != ALTFIB_NO_OBJECTION))
		return reason;
	altfib_serve(nh);
	return altfib_attach_choice(pkt, nh, &choice, probe, every);
}

/* As altfib_helper_verify(), without a slot. */
enum altfib_verdict altfib_helper_verify_uncached(const struct altfib_packet *pkt,
						  const struct altfib_nexthop *nh,
						  struct altfib_difference *diff)
{
	struct altfib_choice choice;

	if (altfib_find_kernels(pkt, nh, &choice) != ALTFIB_NO_OBJECTION)
		return ALTFIB_UNDECIDED;
	return altfib_compare(pkt, choice.dst,
			      choice.group ? ALTFIB_AGREES_ON_PATH : ALTFIB_AGREES, diff);
}

/* Addresses; input and output device; DSCP (IPv6 with rules: the flow label too) and mark. */
struct altfib_flow_key {
	u64 word[6];
};

/* Words that are in use. */
#define ALTFIB_FLOW4	3
#define ALTFIB_FLOW6	6

/* Read under RCU; written once, but for used. */
struct altfib_entry {
	struct hlist_node node;
	struct altfib_flow_key key;
	struct dst_entry *dst;
	const struct fib_nh_common *nhc;	/* IPv4 */
	unsigned long used;			/* jiffies, about */
	u32 generation;
	int genid;
	u8 rp_filter;
	u8 in_flags;
	u8 local;
	u8 hairpin;				/* leaves where it came in */
	u8 host;				/* part of a struct altfib_host_entry */
	struct rcu_head rcu;
};

struct altfib_bucket {
	struct hlist_head head;
	spinlock_t lock;			/* for changes */
};

/* A cache is one of the two: buckets of chains, or one place for each hash and CPU. */
struct altfib_flows {
	struct net *net;
	struct altfib_bucket *buckets;
	u32 mask;				/* of the buckets, or of the places of a CPU */
	bool six;
	u32 first;				/* of the counters of enum altfib_cached */
	u64 __percpu *counters;
	atomic_t *generation;
	hsiphash_key_t seed;
	struct altfib_cache_limits limits;

	atomic_t entries ____cacheline_aligned;

	/* The collector's. */
	struct delayed_work gc;
	unsigned long collected;		/* jiffies of its last run */
	bool pressed;				/* somebody has asked for one since */
	unsigned long reseed;			/* jiffies of the next seed */
	unsigned long age;			/* in jiffies, while there are too many */
	u64 seen;				/* places, with that age */
	u32 position;

	struct altfib_entry __rcu **places[];	/* by CPU */
};

/* Old Linux: ip_rt_gc_min_interval, ip_rt_secret_interval; and how long a run may take. */
#define ALTFIB_GC_PAUSE		(HZ / 2)
#define ALTFIB_RESEED		(600 * HZ)
#define ALTFIB_GC_NS		(10 * NSEC_PER_MSEC)

static void altfib_cache_count(const struct altfib_flows *t, enum altfib_cached what)
{
	altfib_count_packet(&t->counters[t->first + what]);
}

static void altfib_flow_key4(const struct altfib_packet *pkt, struct altfib_flow_key *key)
{
	key->word[0] = (u64)pkt->daddr << 32 | pkt->saddr;
	/* The lower half would be the output device, which a received packet has not yet. */
	key->word[1] = (u64)pkt->dev->ifindex << 32;
	key->word[2] = (u64)pkt->skb->mark << 32 |
		       inet_dscp_to_dsfield(ip4h_dscp(ip_hdr(pkt->skb)));
}

static void altfib_flow_key6(const struct altfib_packet6 *pkt, struct altfib_flow_key *key)
{
	const struct ipv6hdr *iph = ipv6_hdr(pkt->skb);
	__be32 flow = ip6_flowinfo(iph);

	/* Nobody but a rule looks at the label. */
	if (!(pkt->in_flags & ALTFIB_IN_RULES))
		flow &= IPV6_TCLASS_MASK;
	memcpy(&key->word[0], &iph->daddr, sizeof(iph->daddr));
	memcpy(&key->word[2], &iph->saddr, sizeof(iph->saddr));
	key->word[4] = (u64)pkt->skb->dev->ifindex << 32;
	key->word[5] = (u64)pkt->skb->mark << 32 | (__force u32)flow;
}

static __always_inline bool altfib_flow_is(const struct altfib_entry *e,
					   const struct altfib_flow_key *key, unsigned int words)
{
	u64 differ = 0;
	unsigned int i;

	for (i = 0; i < words; i++)
		differ |= e->key.word[i] ^ key->word[i];
	return !differ;
}

/* As things are now. The generation first: what is read behind it is not older. */
static __always_inline void altfib_ticket_take(const struct altfib_flows *t,
					       const struct altfib_flow_key *key,
					       unsigned int words, struct altfib_ticket *ticket)
{
	ticket->generation = atomic_read_acquire(t->generation);
	ticket->genid = t->six ? rt_genid_ipv6(t->net) : rt_genid_ipv4(t->net);
	/* Pairs with the kernel's writers, as in altfib_recall6(). */
	smp_rmb();
	ticket->hash = hsiphash(key->word, words * sizeof(u64), &t->seed);
}

static __always_inline struct altfib_entry *altfib_flow_find(const struct altfib_flows *t,
							     const struct altfib_flow_key *key,
							     unsigned int words, u32 hash,
							     unsigned int cpu)
{
	struct altfib_entry *e;

	if (!t->buckets) {
		e = rcu_dereference(t->places[cpu][hash & t->mask]);
		return e && altfib_flow_is(e, key, words) ? e : NULL;
	}
	hlist_for_each_entry_rcu(e, &t->buckets[hash & t->mask].head, node) {
		if (altfib_flow_is(e, key, words))
			return e;
		altfib_cache_count(t, ALTFIB_CACHE_SEARCH);
	}
	return NULL;
}

static __always_inline bool altfib_flow_current(const struct altfib_entry *e,
						const struct altfib_ticket *ticket)
{
	return e->generation == ticket->generation && e->genid == ticket->genid &&
	       !(ticket->generation & 1) &&
	       READ_ONCE(e->dst->obsolete) == DST_OBSOLETE_FORCE_CHK;
}

/*
 * What no number tells of. Return: ALTFIB_NO_OBJECTION, ALTFIB_NOT_CACHED if
 * the packet must be decided anew, or why it is the kernel's.
 */
static __always_inline enum altfib_outcome altfib_flow_check(const struct altfib_packet *pkt,
							     const struct altfib_entry *e)
{
	const struct fib_nh_common *nhc = e->nhc;

	if (unlikely(e->rp_filter != pkt->rp_filter || e->in_flags != pkt->in_flags))
		return ALTFIB_NOT_CACHED;
	/* Without carrier it depends on settings. */
	if (unlikely(READ_ONCE(nhc->nhc_flags) & (RTNH_F_DEAD | RTNH_F_LINKDOWN)))
		return ALTFIB_NOT_CACHED;
	if (!e->local) {
		if (unlikely(rcu_access_pointer(nhc->nhc_exceptions)))
			return ALTFIB_NOT_CACHED;
		if (unlikely(e->hairpin)) {
			const struct in_device *in_dev = __in_dev_get_rcu(pkt->dev);

			if (!in_dev || IN_DEV_TX_REDIRECTS(in_dev))
				return ALTFIB_NOT_CACHED;
		}
	}
	return ALTFIB_NO_OBJECTION;
}

/* As altfib_find_path6() and altfib_check_path6(), for a route that has one path. */
static __always_inline enum altfib_outcome altfib_flow_check6(const struct altfib_packet6 *pkt,
							      const struct altfib_entry *e,
							      const struct dst_entry *dst)
{
	const struct rt6_info *rt = dst_rt6_info(dst);
	const struct fib6_info *from = rcu_dereference(rt->from);
	const struct fib6_nh *nh;

	if (unlikely(!from || from->nh || !rcu_access_pointer(from->fib6_node) ||
		     fib6_check_expired(from) || (e && e->in_flags != pkt->in_flags)))
		return ALTFIB_NOT_CACHED;
	nh = from->fib6_nh;
	if (unlikely(READ_ONCE(nh->fib_nh_flags) & (RTNH_F_DEAD | RTNH_F_LINKDOWN)))
		return ALTFIB_NOT_CACHED;
	if (unlikely(nh->fib_nh_gw_family && !READ_ONCE(pkt->net->ipv6.devconf_all->forwarding)))
		return ALTFIB_NOT_CACHED;
	if (unlikely((unsigned long)rcu_access_pointer(nh->rt6i_exception_bucket) & ~1UL &&
		     READ_ONCE(pkt->net->ipv6.rt6_stats->fib_rt_cache)))
		return ALTFIB_NOT_CACHED;
	return ALTFIB_NO_OBJECTION;
}

static void altfib_flow_used(struct altfib_entry *e)
{
	unsigned long now = jiffies;

	if (READ_ONCE(e->used) != now)
		WRITE_ONCE(e->used, now);
}

/*
 * Attach the route of the packet's flow, if there is one that holds; and write
 * the ticket with which it may be kept, if not.
 *
 * Context: RCU read side, bottom halves off.
 *
 * Return: as altfib_helper_attach(), or ALTFIB_NOT_CACHED.
 */
enum altfib_outcome altfib_helper_flow_attach(struct altfib_flows *t,
					      const struct altfib_packet *pkt, bool probe,
					      u32 every, struct altfib_ticket *ticket)
{
	enum altfib_outcome outcome = ALTFIB_NOT_CACHED;
	struct altfib_flow_key key;
	struct altfib_entry *e;

	altfib_flow_key4(pkt, &key);
	altfib_ticket_take(t, &key, ALTFIB_FLOW4, ticket);
	e = altfib_flow_find(t, &key, ALTFIB_FLOW4, ticket->hash, smp_processor_id());
	if (e && likely(altfib_flow_current(e, ticket)))
		outcome = altfib_flow_check(pkt, e);
	if (outcome != ALTFIB_NO_OBJECTION) {
		altfib_cache_count(t, ALTFIB_CACHE_MISS);
		return outcome;
	}
	altfib_cache_count(t, ALTFIB_CACHE_HIT);
	altfib_flow_used(e);
	if (probe && altfib_socket_claims(pkt->net, pkt->skb))
		return ALTFIB_EARLY_DEMUX;
	if (unlikely(altfib_due(pkt->net, e->dst, every)))
		return ALTFIB_VERIFY_DUE;
	skb_dst_set_noref(pkt->skb, e->dst);
	return e->local ? ALTFIB_LOCAL : ALTFIB_FORWARD;
}

/* The same for IPv6. */
enum altfib_outcome altfib_helper_flow_attach6(struct altfib_flows *t,
					       const struct altfib_packet6 *pkt, bool probe,
					       u32 every, struct altfib_ticket *ticket)
{
	enum altfib_outcome outcome = ALTFIB_NOT_CACHED;
	struct altfib_flow_key key;
	struct altfib_entry *e;

	altfib_flow_key6(pkt, &key);
	altfib_ticket_take(t, &key, ALTFIB_FLOW6, ticket);
	e = altfib_flow_find(t, &key, ALTFIB_FLOW6, ticket->hash, smp_processor_id());
	if (e && likely(altfib_flow_current(e, ticket)))
		outcome = altfib_flow_check6(pkt, e, e->dst);
	if (outcome != ALTFIB_NO_OBJECTION) {
		altfib_cache_count(t, ALTFIB_CACHE_MISS);
		return outcome;
	}
	altfib_cache_count(t, ALTFIB_CACHE_HIT);
	altfib_flow_used(e);
	if (probe && altfib_socket_claims6(pkt->net, pkt->skb))
		return ALTFIB_EARLY_DEMUX;
	if (unlikely(altfib_due(pkt->net, e->dst, every)))
		return ALTFIB_VERIFY_DUE;
	skb_dst_set_noref(pkt->skb, e->dst);
	return e->local ? ALTFIB_LOCAL : ALTFIB_FORWARD;
}

/*
 * Compare the kernel's decision with that of the packet's flow: of this CPU, or
 * to look again, of all of them.
 *
 * Context: RCU read side, bottom halves off.
 *
 * Return: ALTFIB_UNDECIDED if no flow holds.
 */
enum altfib_verdict altfib_helper_flow_verify(struct altfib_flows *t,
					      const struct altfib_packet *pkt, bool all,
					      struct altfib_difference *diff)
{
	unsigned int cpu = all && !t->buckets ? 0 : smp_processor_id();
	enum altfib_verdict verdict = ALTFIB_UNDECIDED;
	struct altfib_ticket ticket;
	struct altfib_flow_key key;
	struct altfib_entry *e;

	altfib_flow_key4(pkt, &key);
	altfib_ticket_take(t, &key, ALTFIB_FLOW4, &ticket);
	for (; cpu < nr_cpu_ids; cpu++) {
		if (!cpu_possible(cpu))
			continue;
		e = altfib_flow_find(t, &key, ALTFIB_FLOW4, ticket.hash, cpu);
		if (e && altfib_flow_current(e, &ticket) &&
		    altfib_flow_check(pkt, e) == ALTFIB_NO_OBJECTION) {
			skb_dst_drop(pkt->skb);
			verdict = altfib_compare(pkt, e->dst, ALTFIB_AGREES, diff);
		}
		if (!all || t->buckets || verdict == ALTFIB_DIFFERS)
			break;
	}
	return verdict;
}

/* The same for IPv6. */
enum altfib_verdict altfib_helper_flow_verify6(struct altfib_flows *t,
					       const struct altfib_packet6 *pkt, bool all,
					       struct altfib_difference6 *diff)
{
	unsigned int cpu = all && !t->buckets ? 0 : smp_processor_id();
	enum altfib_verdict verdict = ALTFIB_UNDECIDED;
	struct altfib_ticket ticket;
	struct altfib_flow_key key;
	struct altfib_entry *e;

	altfib_flow_key6(pkt, &key);
	altfib_ticket_take(t, &key, ALTFIB_FLOW6, &ticket);
	for (; cpu < nr_cpu_ids; cpu++) {
		if (!cpu_possible(cpu))
			continue;
		e = altfib_flow_find(t, &key, ALTFIB_FLOW6, ticket.hash, cpu);
		if (e && altfib_flow_current(e, &ticket) &&
		    altfib_flow_check6(pkt, e, e->dst) == ALTFIB_NO_OBJECTION) {
			skb_dst_drop(pkt->skb);
			verdict = altfib_compare6(pkt, e->dst, ALTFIB_AGREES, diff);
		}
		if (!all || t->buckets || verdict == ALTFIB_DIFFERS)
			break;
	}
	return verdict;
}

/* Has it a route that delivers it here? Context: RCU read side. */
bool altfib_helper_is_for_this_host(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	return rt && rt->rt_type == RTN_LOCAL;
}

bool altfib_helper_is_for_this_host6(const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	return dst && dst_rt6_info(dst)->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST);
}

/* ---- who comes and who goes ------------------------------------------- */

static noinline void altfib_trace_flow(const struct altfib_flows *t,
				       const struct altfib_entry *e, enum altfib_cached why)
{
	enum altfib_drop drop;

	switch (why) {
	case ALTFIB_CACHE_EVICT:
		drop = ALTFIB_DROP_EVICT;
		break;
	case ALTFIB_CACHE_STALE:
		drop = ALTFIB_DROP_STALE;
		break;
	case ALTFIB_CACHE_AGE:
		drop = ALTFIB_DROP_AGE;
		break;
	case ALTFIB_CACHE_FLUSH:
		drop = ALTFIB_DROP_FLUSH;
		break;
	default:
		/* It was not kept. */
		return;
	}
	trace_call__dst_drop(t->net, e->dst, true, drop);
}

/* Nobody finds it any more. */
static void altfib_flow_free(struct altfib_flows *t, struct altfib_entry *e,
			     enum altfib_cached why)
{
	altfib_cache_count(t, why);
	if (trace_dst_drop_enabled())
		altfib_trace_flow(t, e, why);
	atomic_dec(&t->entries);
	/* Who has it attached is in a read side section, which the kernel waits for. */
	dst_release(e->dst);
	kfree_rcu(e, rcu);
}

static void altfib_flow_unlink(struct altfib_flows *t, struct altfib_entry *e,
			       enum altfib_cached why)
{
	hlist_del_rcu(&e->node);
	altfib_flow_free(t, e, why);
}

static void altfib_ticket_now(const struct altfib_flows *t, struct altfib_ticket *now)
{
	now->generation = atomic_read_acquire(t->generation);
	now->genid = t->six ? rt_genid_ipv6(t->net) : rt_genid_ipv4(t->net);
}

/*
 * Into its chain, as rt_intern_hash() did: what does not hold goes, and of a
 * chain that is too long the one that was not used for longest.
 *
 * Return: false if there are too many flows, and none of the chain to go.
 */
static bool altfib_flow_link(struct altfib_flows *t, struct altfib_entry *e, u32 hash)
{
	struct altfib_bucket *bucket = &t->buckets[hash & t->mask];
	struct altfib_entry *at, *oldest = NULL;
	struct altfib_ticket now;
	struct hlist_node *next;
	unsigned int length = 0;
	bool full;

	altfib_ticket_now(t, &now);
	full = atomic_inc_return(&t->entries) > READ_ONCE(t->limits.max_size);
	spin_lock_bh(&bucket->lock);
	hlist_for_each_entry_safe(at, next, &bucket->head, node) {
		bool holds = altfib_flow_current(at, &now);

		if (!holds || altfib_flow_is(at, &e->key, ARRAY_SIZE(e->key.word))) {
			altfib_flow_unlink(t, at, holds ? ALTFIB_CACHE_EVICT : ALTFIB_CACHE_STALE);
			full = false;
			continue;
		}
		length++;
		if (!oldest || time_before_eq(READ_ONCE(at->used), READ_ONCE(oldest->used)))
			oldest = at;
	}
	if (oldest && (full || length > READ_ONCE(t->limits.gc_elasticity))) {
		altfib_flow_unlink(t, oldest, ALTFIB_CACHE_EVICT);
		full = false;
	}
	if (!full)
		hlist_add_head_rcu(&e->node, &bucket->head);
	spin_unlock_bh(&bucket->lock);
	return !full;
}

/* Ask for a collection, as rt_garbage_collect() was by each new route above the threshold. */
static void altfib_flows_press(struct altfib_flows *t)
{
	unsigned long delay = 0;

	altfib_cache_count(t, ALTFIB_CACHE_GC_TOTAL);
	if (READ_ONCE(t->pressed)) {
		altfib_cache_count(t, ALTFIB_CACHE_GC_IGNORED);
		return;
	}
	WRITE_ONCE(t->pressed, true);
	if (time_before(jiffies, READ_ONCE(t->collected) + ALTFIB_GC_PAUSE))
		delay = ALTFIB_GC_PAUSE;
	mod_delayed_work(system_dfl_wq, &t->gc, delay);
}

/* Keep a flow whose reference on dst is the caller's to give. */
static void altfib_flow_keep(struct altfib_flows *t, struct altfib_entry *e, u32 hash)
{
	struct altfib_entry *old;

	if (!t->buckets) {
		atomic_inc(&t->entries);
		/* For who is preempted here it may be another CPU's place: nothing is lost. */
		old = (struct altfib_entry *)
			xchg((__force void **)&t->places[raw_smp_processor_id()][hash & t->mask],
			     e);
		if (old) {
			struct altfib_ticket now;

			altfib_ticket_now(t, &now);
			altfib_flow_free(t, old, altfib_flow_current(old, &now) ?
							 ALTFIB_CACHE_EVICT :
							 ALTFIB_CACHE_STALE);
		}
	} else if (!altfib_flow_link(t, e, hash)) {
		altfib_flow_free(t, e, ALTFIB_CACHE_OVERFLOW);
		altfib_flows_press(t);
		return;
	} else if (atomic_read(&t->entries) > READ_ONCE(t->limits.gc_thresh)) {
		altfib_flows_press(t);
	}
	altfib_cache_count(t, ALTFIB_CACHE_INSERT);
}

/* A flow of so many bytes, with a reference on dst; or NULL, counted. */
static struct altfib_entry *altfib_flow_new(struct altfib_flows *t, size_t size,
					    struct dst_entry *dst,
					    const struct altfib_ticket *ticket)
{
	struct altfib_entry *e;

	e = kzalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!e || !dst_hold_safe(dst)) {
		kfree(e);
		altfib_cache_count(t, ALTFIB_CACHE_OVERFLOW);
		return NULL;
	}
	e->dst = dst;
	e->used = jiffies;
	e->generation = ticket->generation;
	e->genid = ticket->genid;
	return e;
}

/* arp_bind_neighbour() made one; here it is only looked for, and not held. */
static void altfib_cache_count_neighbour(const struct altfib_flows *t, const struct neighbour *n)
{
	altfib_cache_count(t, n && READ_ONCE(n->nud_state) & NUD_VALID ?
				      ALTFIB_CACHE_NEIGHBOUR : ALTFIB_CACHE_NO_NEIGHBOUR);
}

/* The only path of a route, if it is such that a change moves the generation first. */
static const struct fib_nh_common *altfib_flow_path(const struct altfib_nexthop *nh)
{
	struct fib_info *fi = rcu_dereference(nh->fi);
	struct fib_nh_common *nhc;

	/* A next-hop object becomes another one before anybody tells. */
	if (!fi || fi->nh || altfib_single_path(fi, &nhc) != ALTFIB_NO_OBJECTION ||
	    READ_ONCE(nhc->nhc_flags) & RTNH_F_LINKDOWN)
		return NULL;
	return nhc;
}

/*
 * Keep the flow of a packet that has just been decided: nh is its next hop, and
 * source that of the source's route, if that was asked for.
 *
 * Context: RCU read side, bottom halves off.
 */
void altfib_helper_flow_keep(struct altfib_flows *t, const struct altfib_packet *pkt,
			     const struct altfib_nexthop *nh, const struct altfib_nexthop *source,
			     const struct altfib_ticket *ticket)
{
	const struct fib_nh_common *nhc = altfib_flow_path(nh);
	struct altfib_choice choice;
	struct altfib_entry *e;

	if (ticket->generation & 1 || !nhc || (source && !altfib_flow_path(source)) ||
	    (pkt->in_flags & ALTFIB_IN_RULES && pkt->net->ipv4.fib_rules_require_fldissect) ||
	    (nh->type != RTN_LOCAL && rcu_access_pointer(nhc->nhc_exceptions)) ||
	    altfib_find_dst(pkt, nh, &choice) != ALTFIB_NO_OBJECTION || choice.group) {
		altfib_cache_count(t, ALTFIB_CACHE_UNCACHED);
		return;
	}
	e = altfib_flow_new(t, sizeof(*e), choice.dst, ticket);
	if (!e)
		return;
	altfib_flow_key4(pkt, &e->key);
	e->nhc = nhc;
	e->rp_filter = pkt->rp_filter;
	e->in_flags = pkt->in_flags;
	e->local = nh->type == RTN_LOCAL;
	e->hairpin = nhc->nhc_oif == pkt->dev->ifindex;
	if (!e->local) {
		const struct rtable *rt = dst_rtable(choice.dst);
		struct net_device *dev = dst_dev_rcu(choice.dst);
		struct neighbour *n;

		if (rt->rt_gw_family == AF_INET6)
			n = __ipv6_neigh_lookup_noref(dev, &rt->rt_gw6);
		else
			n = __ipv4_neigh_lookup_noref(dev, (__force u32)(rt->rt_gw_family ?
									 rt->rt_gw4 :
									 htonl(pkt->daddr)));
		altfib_cache_count_neighbour(t, n);
	}
	altfib_flow_keep(t, e, ticket->hash);
}

/* The same for IPv6. */
void altfib_helper_flow_keep6(struct altfib_flows *t, const struct altfib_packet6 *pkt,
			      const struct altfib_route6 *route,
			      const struct altfib_ticket *ticket)
{
	struct altfib_choice6 choice;
	const struct rt6_info *rt;
	struct altfib_entry *e;

	if (ticket->generation & 1 ||
	    (pkt->in_flags & ALTFIB_IN_RULES && pkt->net->ipv6.fib6_rules_require_fldissect) ||
	    altfib_find_dst6(pkt, route, &choice) != ALTFIB_NO_OBJECTION || choice.several ||
	    altfib_flow_check6(pkt, NULL, choice.dst) != ALTFIB_NO_OBJECTION) {
		altfib_cache_count(t, ALTFIB_CACHE_UNCACHED);
		return;
	}
	e = altfib_flow_new(t, sizeof(*e), choice.dst, ticket);
	if (!e)
		return;
	rt = dst_rt6_info(choice.dst);
	altfib_flow_key6(pkt, &e->key);
	e->in_flags = pkt->in_flags;
	e->local = !!(rt->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST));
	if (!e->local) {
		const struct in6_addr *via = rt6_nexthop(rt, &ipv6_hdr(pkt->skb)->daddr);
		struct net_device *dev = dst_dev_rcu(choice.dst);

		altfib_cache_count_neighbour(t, __ipv6_neigh_lookup_noref(dev, via));
	}
	altfib_flow_keep(t, e, ticket->hash);
}

/* ---- the collector ---------------------------------------------------- */

/* Buckets, or places of all CPUs. */
static u64 altfib_flows_size(const struct altfib_flows *t)
{
	return (t->buckets ? 1 : nr_cpu_ids) * ((u64)t->mask + 1);
}

/* Whether it may go by its age, which is less for those further down a chain. */
static bool altfib_flow_idle(const struct altfib_entry *e, unsigned long age)
{
	return time_after_eq(jiffies, READ_ONCE(e->used) + age);
}

static void altfib_bucket_collect(struct altfib_flows *t, struct altfib_bucket *bucket,
				  const struct altfib_ticket *now, unsigned long age)
{
	struct hlist_node *next;
	struct altfib_entry *e;

	if (hlist_empty(&bucket->head))
		return;
	spin_lock_bh(&bucket->lock);
	hlist_for_each_entry_safe(e, next, &bucket->head, node) {
		if (!now)
			altfib_flow_unlink(t, e, ALTFIB_CACHE_FLUSH);
		else if (!altfib_flow_current(e, now))
			altfib_flow_unlink(t, e, ALTFIB_CACHE_STALE);
		else if (altfib_flow_idle(e, age))
			altfib_flow_unlink(t, e, ALTFIB_CACHE_AGE);
		else
			age /= 2;
	}
	spin_unlock_bh(&bucket->lock);
}

static void altfib_place_collect(struct altfib_flows *t, struct altfib_entry __rcu **place,
				 const struct altfib_ticket *now, unsigned long age)
{
	enum altfib_cached why = ALTFIB_CACHE_FLUSH;
	struct altfib_entry *e;

	rcu_read_lock();
	e = rcu_dereference(*place);
	if (e && now)
		why = altfib_flow_current(e, now) ? ALTFIB_CACHE_AGE : ALTFIB_CACHE_STALE;
	/* Its CPU may have put another one there meanwhile. */
	if (e && (why != ALTFIB_CACHE_AGE || altfib_flow_idle(e, age)) &&
	    cmpxchg((__force void **)place, e, NULL) == e)
		altfib_flow_free(t, e, why);
	rcu_read_unlock();
}

/* Without now, all flows go. */
static void altfib_flows_collect_at(struct altfib_flows *t, u32 at,
				    const struct altfib_ticket *now, unsigned long age)
{
	unsigned int cpu;

	if (t->buckets) {
		altfib_bucket_collect(t, &t->buckets[at], now, age);
		return;
	}
	cpu = at / (t->mask + 1);
	if (cpu_possible(cpu))
		altfib_place_collect(t, &t->places[cpu][at & t->mask], now, age);
}

/*
 * Every gc_interval so much of the cache that all of it is seen within gc_timeout,
 * as rt_check_expire() did; and while there are more than gc_thresh, all of it,
 * for half the age each time, as rt_garbage_collect() did. A run ends after 10 ms;
 * the next one goes on.
 */
static void altfib_flows_collect(struct work_struct *work)
{
	struct altfib_flows *t = container_of(to_delayed_work(work), struct altfib_flows, gc);
	u32 goal = min(READ_ONCE(t->limits.gc_thresh), READ_ONCE(t->limits.max_size));
	unsigned long interval = READ_ONCE(t->limits.gc_interval) * (unsigned long)HZ;
	unsigned long timeout = READ_ONCE(t->limits.gc_timeout) * (unsigned long)HZ;
	bool over = t->buckets && atomic_read(&t->entries) > goal;
	u64 size = altfib_flows_size(t), share = size, done = 0;
	u64 end = ktime_get_ns() + ALTFIB_GC_NS;
	struct altfib_ticket now;
	bool late = false;

	altfib_cache_count(t, ALTFIB_CACHE_GC_RUN);
	WRITE_ONCE(t->pressed, false);
	WRITE_ONCE(t->collected, jiffies);
	if (time_after(jiffies, t->reseed)) {
		/* Who finds half of the new seed keeps what nobody will find. */
		get_random_bytes(&t->seed, sizeof(t->seed));
		atomic_add_return(2, t->generation);
		t->reseed = jiffies + ALTFIB_RESEED;
	}
	if (!over) {
		t->age = timeout;
		t->seen = 0;
		if (interval < timeout)
			share = div64_u64(size * interval, timeout) + 1;
	}
	altfib_ticket_now(t, &now);
	do {
		altfib_flows_collect_at(t, t->position, &now, t->age);
		t->position = (t->position + 1) % size;
		done++;
		/* All was seen, in this run or several. Down to nothing: then all go. */
		if (over && ++t->seen >= size) {
			t->seen = 0;
			t->age /= 2;
		}
		if (!(done % 64)) {
			cond_resched();
			late = ktime_get_ns() > end;
		}
		if (over && atomic_read(&t->entries) <= goal)
			break;
	} while (!late && (over || done < share));
	if (over ? atomic_read(&t->entries) > goal : done < share) {
		altfib_cache_count(t, ALTFIB_CACHE_GC_GOAL_MISS);
		interval = ALTFIB_GC_PAUSE;
	}
	queue_delayed_work(system_dfl_wq, &t->gc, interval);
}

/*
 * Take all flows of the next places out: their routes are released when this
 * returns, but for those of packets that are on their way.
 *
 * Return: where to go on, 0 at the end.
 */
u64 altfib_helper_flows_flush(struct altfib_flows *t, u64 at)
{
	u64 size = altfib_flows_size(t);
	u64 end = min(at + 1024, size);

	for (; at < end; at++)
		altfib_flows_collect_at(t, at, NULL, 0);
	return at < size ? at : 0;
}

u32 altfib_helper_flows_entries(const struct altfib_flows *t)
{
	return atomic_read(&t->entries);
}

void altfib_helper_flows_set_limits(struct altfib_flows *t,
				    const struct altfib_cache_limits *limits)
{
	WRITE_ONCE(t->limits.gc_thresh, limits->gc_thresh);
	WRITE_ONCE(t->limits.gc_interval, limits->gc_interval);
	WRITE_ONCE(t->limits.gc_timeout, limits->gc_timeout);
	WRITE_ONCE(t->limits.gc_elasticity, limits->gc_elasticity);
	WRITE_ONCE(t->limits.max_size, limits->max_size);
	mod_delayed_work(system_dfl_wq, &t->gc, 0);
}

static void altfib_flows_dealloc(struct altfib_flows *t)
{
	unsigned int cpu;

	if (!t->buckets)
		for (cpu = 0; cpu < nr_cpu_ids; cpu++)
			kvfree(t->places[cpu]);
	kvfree(t->buckets);
	kfree(t);
}

/*
 * A cache without flows: of size buckets, or if percpu, of size places for each
 * CPU; a power of two.
 *
 * Context: process, may sleep.
 */
struct altfib_flows *altfib_helper_flows_alloc(struct net *net, bool six, bool percpu, u32 size,
					       u32 *generation, u64 __percpu *counters, u32 first)
{
	struct altfib_flows *t = kzalloc_flex(*t, places, nr_cpu_ids);
	unsigned int cpu;
	u32 i;

	BUILD_BUG_ON(sizeof(atomic_t) != sizeof(*generation));
	if (!t)
		return NULL;
	t->net = net;
	t->six = six;
	t->mask = size - 1;
	t->first = first;
	t->counters = counters;
	t->generation = (atomic_t *)generation;
	t->collected = jiffies - ALTFIB_GC_PAUSE;
	t->reseed = jiffies + ALTFIB_RESEED;
	get_random_bytes(&t->seed, sizeof(t->seed));
	INIT_DELAYED_WORK(&t->gc, altfib_flows_collect);
	if (percpu) {
		for_each_possible_cpu(cpu) {
			t->places[cpu] = kvcalloc_node(size, sizeof(*t->places[cpu]), GFP_KERNEL,
						       cpu_to_node(cpu));
			if (!t->places[cpu])
				goto err;
		}
		return t;
	}
	t->buckets = kvcalloc(size, sizeof(*t->buckets), GFP_KERNEL);
	if (!t->buckets)
		goto err;
	for (i = 0; i < size; i++)
		spin_lock_init(&t->buckets[i].lock);
	return t;
err:
	altfib_flows_dealloc(t);
	return NULL;
}

/*
 * Frees what nobody finds any more.
 *
 * Context: process, may sleep; a grace period after the last use.
 */
void altfib_helper_flows_free(struct altfib_flows *t)
{
	u64 at = 0;

	cancel_delayed_work_sync(&t->gc);
	do {
		at = altfib_helper_flows_flush(t, at);
		cond_resched();
	} while (at);
	altfib_flows_dealloc(t);
}
