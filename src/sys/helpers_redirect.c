// SPDX-License-Identifier: GPL-2.0
/*
 * The longest-prefix match of the kernel's own lookups, in altfib's tables. Part of
 * helpers.c.
 *
 * fib_table_lookup() and fib6_node_lookup() are replaced, for all of the kernel, as
 * long as a namespace wants it; a table that nobody has named here is the
 * original's. Only the walk is saved: which alias of a prefix counts, and which
 * route of a node, is decided as the original does, on the kernel's own lists. On
 * any doubt the original is called.
 *
 * There are two ways to get there, and both end in the same functions. A kernel
 * with scripts/kernel/patches/ has a static call; any other one on x86-64 is told
 * by ftrace to jump here (register_ftrace_direct() with a jmp), and the original
 * goes on behind that jump.
 */

#ifdef ALTFIB_REDIRECT_STATIC_CALL
#include <net/fib_redirect.h>
#elif defined(CONFIG_X86_64) && defined(CONFIG_DYNAMIC_FTRACE_WITH_JMP) && \
	defined(CONFIG_KPROBES)
#define ALTFIB_REDIRECT_FTRACE
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/static_call.h>
#endif

/* ---- whose table it is ------------------------------------------------ */

#define ALTFIB_REDIRECT_BITS	8

static struct hlist_head altfib_redirects[1 << ALTFIB_REDIRECT_BITS];
static DEFINE_SPINLOCK(altfib_redirects_lock);

/* ---- IPv4 ------------------------------------------------------------- */

/* As in net/ipv4/fib_lookup.h, which is private. */
struct altfib_alias {
	struct hlist_node fa_list;
	struct fib_info *fa_info;
	dscp_t fa_dscp;
	u8 fa_type;
	u8 fa_state;
	u8 fa_slen;
	u32 tb_id;
	s16 fa_default;
	u8 offload;
	u8 trap;
	u8 offload_failed;
	struct rcu_head rcu;
};

#define ALTFIB_FA_ACCESSED	1

/* The part of a leaf in net/ipv4/fib_trie.c, which is private too. */
struct altfib_key_vector {
	u32 key;
	unsigned char pos;
	unsigned char bits;
	unsigned char slen;
	struct hlist_head leaf;
};

/* In altfib_leaf.head: the prefix is gone. */
#define ALTFIB_LEAF_DEAD	((struct hlist_head *)1)

#ifdef ALTFIB_REDIRECT_STATIC_CALL
#define altfib_original_lookup		__fib_table_lookup
#define altfib_original_lookup6		__fib6_node_lookup
#define altfib_original_output_flow	__ip_route_output_flow
#define altfib_original_output_flow6	__ip6_dst_lookup_flow
#elif defined(ALTFIB_REDIRECT_FTRACE)
static struct fib6_node *altfib_no_lookup6(struct fib6_node *root, const struct in6_addr *daddr,
					   const struct in6_addr *saddr)
{
	return NULL;
}

static struct dst_entry *altfib_no_sk_flow6(struct sock *sk, struct flowi6 *fl6,
					    const struct in6_addr *final_dst, bool connected)
{
	return ERR_PTR(-ENETUNREACH);
}

/* What is behind the jump, before anybody comes by it; see helpers_arm.c. */
DEFINE_STATIC_CALL(altfib_lookup_original, fib_table_lookup);
DEFINE_STATIC_CALL(altfib_lookup6_original, altfib_no_lookup6);
DEFINE_STATIC_CALL(altfib_flow_original, ip_route_output_flow);
DEFINE_STATIC_CALL(altfib_flow6_original, ip6_dst_lookup_flow);
DEFINE_STATIC_CALL(altfib_sk_flow6_original, altfib_no_sk_flow6);
#define altfib_original_lookup		static_call(altfib_lookup_original)
#define altfib_original_lookup6		static_call(altfib_lookup6_original)
#define altfib_original_output_flow	static_call(altfib_flow_original)
#define altfib_original_output_flow6	static_call(altfib_flow6_original)
#endif

#if defined(ALTFIB_REDIRECT_STATIC_CALL) || defined(ALTFIB_REDIRECT_FTRACE)

static struct altfib_redirect *altfib_redirect_of(const void *table)
{
	struct altfib_redirect *r;

	hlist_for_each_entry_rcu(r, &altfib_redirects[hash_ptr(table, ALTFIB_REDIRECT_BITS)], node,
				 true) {
		if (r->table == table)
			return r;
	}
	return NULL;
}

static void altfib_redirect_count(const struct altfib_redirect *r, unsigned int what)
{
	this_cpu_inc(r->counters[r->first + what]);
}

/* One in r->every lookups is compared with the original's. */
static DEFINE_PER_CPU(u32, altfib_unchecked);

static bool altfib_check_due(const struct altfib_redirect *r)
{
	u32 every = READ_ONCE(r->every);

	/* As in altfib_due(), in any context. */
	if (likely((u32)this_cpu_dec_return(altfib_unchecked) < every - 1))
		return false;
	this_cpu_write(altfib_unchecked, every - 1);
	return true;
}

/* fib_lookup_good_nhc() */
static bool altfib_good_nhc(const struct fib_nh_common *nhc, int fib_flags,
			    const struct flowi4 *flp)
{
	if (nhc->nhc_flags & RTNH_F_DEAD)
		return false;
	if (ip_ignore_linkdown(nhc->nhc_dev) && nhc->nhc_flags & RTNH_F_LINKDOWN &&
	    !(fib_flags & FIB_LOOKUP_IGNORE_LINKSTATE))
		return false;
	return !flp->flowi4_oif || flp->flowi4_oif == nhc->nhc_oif;
}

/* nexthop_get_nhc_lookup(), and the loop over the paths of a route without an object. */
static struct fib_nh_common *altfib_first_nhc(struct fib_info *fi, int fib_flags,
					      const struct flowi4 *flp, int *nhsel)
{
	struct nh_info *nhi;
	int i;

	if (likely(!fi->nh)) {
		for (i = 0; i < fib_info_num_path(fi); i++) {
			if (altfib_good_nhc(fib_info_nhc(fi, i), fib_flags, flp)) {
				*nhsel = i;
				return fib_info_nhc(fi, i);
			}
		}
	} else if (fi->nh->is_group) {
		struct nh_group *nhg = rcu_dereference(fi->nh->nh_grp);

		for (i = 0; i < nhg->num_nh; i++) {
			nhi = rcu_dereference(nhg->nh_entries[i].nh->nh_info);
			if (altfib_good_nhc(&nhi->fib_nhc, fib_flags, flp)) {
				*nhsel = i;
				return &nhi->fib_nhc;
			}
		}
	} else {
		nhi = rcu_dereference(fi->nh->nh_info);
		if (altfib_good_nhc(&nhi->fib_nhc, fib_flags, flp)) {
			*nhsel = 0;
			return &nhi->fib_nhc;
		}
	}
	return NULL;
}

/*
 * The third step of fib_table_lookup(): which alias of the leaf it is.
 *
 * Return: whether there is one that is no reject route; *res is then filled in.
 */
static bool altfib_read_leaf(struct hlist_head *head, struct fib_table *tb,
			     const struct flowi4 *flp, struct fib_result *res, int fib_flags)
{
	const struct altfib_key_vector *n = container_of(head, struct altfib_key_vector, leaf);
	u32 index = ntohl(flp->daddr) ^ n->key;
	struct altfib_alias *fa;

	hlist_for_each_entry_rcu(fa, head, fa_list) {
		struct fib_info *fi = fa->fa_info;
		struct fib_nh_common *nhc;
		u8 state;
		int nhsel;

		if (index >= 1UL << fa->fa_slen)
			continue;
		if (fa->fa_dscp && !fib_dscp_masked_match(fa->fa_dscp, flp))
			continue;
		if (READ_ONCE(fi->fib_dead))
			continue;
		if (fi->fib_scope < flp->flowi4_scope)
			continue;
		/* The original marks and rejects, or marks and goes on. */
		if (unlikely(fa->fa_type > RTN_MULTICAST || fi->fib_flags & RTNH_F_DEAD))
			return false;
		if (unlikely(fi->nh && nexthop_is_blackhole(fi->nh)))
			return false;
		nhc = altfib_first_nhc(fi, fib_flags, flp, &nhsel);
		if (unlikely(!nhc))
			return false;

		state = READ_ONCE(fa->fa_state);
		if (!(state & ALTFIB_FA_ACCESSED))
			WRITE_ONCE(fa->fa_state, state | ALTFIB_FA_ACCESSED);
		if (!(fib_flags & FIB_LOOKUP_NOREF))
			refcount_inc(&fi->fib_clntref);
		res->prefix = htonl(n->key);
		res->prefixlen = 32 - fa->fa_slen;
		res->nh_sel = nhsel;
		res->nhc = nhc;
		res->type = fa->fa_type;
		res->scope = fi->fib_scope;
		res->dscp = fa->fa_dscp;
		res->fi = fi;
		res->table = tb;
		res->fa_head = head;
		return true;
	}
	return false;
}

/*
 * The same without a look at the leaf and its aliases, which are two cache misses of a
 * large table: from what the mirror knows of the first alias. That is the one for all
 * lookups unless something is wrong with it or with the DSCP. It is marked as accessed
 * already, since the leaf was learned from it.
 */
static bool altfib_read_record(const struct altfib_leaf *leaf, struct hlist_head *head,
			       struct fib_table *tb, const struct flowi4 *flp,
			       struct fib_result *res, int fib_flags)
{
	struct fib_info *fi = READ_ONCE(leaf->fi);
	u32 key = READ_ONCE(leaf->key);
	u8 slen = READ_ONCE(leaf->slen);
	u8 type = READ_ONCE(leaf->type);
	struct fib_nh_common *nhc;
	int nhsel;

	/* Pairs with xchg() in altfib_helper_leaf_kill(): what follows that was not read. */
	smp_rmb();
	if (unlikely(READ_ONCE(leaf->head) != head))
		return false;
	if (unlikely(!fi || fi->nh || type > RTN_MULTICAST || READ_ONCE(fi->fib_dead) ||
		     fi->fib_flags & RTNH_F_DEAD || fi->fib_scope < flp->flowi4_scope ||
		     !(fib_flags & FIB_LOOKUP_NOREF)))
		return altfib_read_leaf(head, tb, flp, res, fib_flags);
	nhc = altfib_first_nhc(fi, fib_flags, flp, &nhsel);
	if (unlikely(!nhc))
		return false;
	res->prefix = htonl(key);
	res->prefixlen = 32 - slen;
	res->nh_sel = nhsel;
	res->nhc = nhc;
	res->type = type;
	res->scope = fi->fib_scope;
	res->dscp = 0;
	res->fi = fi;
	res->table = tb;
	res->fa_head = head;
	return true;
}

/* All that fib_table_lookup() sets. */
static bool altfib_same_result(const struct fib_result *a, const struct fib_result *b)
{
	return a->prefix == b->prefix && a->prefixlen == b->prefixlen && a->nh_sel == b->nh_sel &&
	       a->nhc == b->nhc && a->type == b->type && a->scope == b->scope &&
	       a->dscp == b->dscp && a->fi == b->fi && a->table == b->table &&
	       a->fa_head == b->fa_head;
}

/*
 * The original's answer, from which the leaf of the prefix is learned; only if we
 * read that leaf as the kernel does.
 */
static noinline int altfib_learn(struct altfib_leaf *leaf, struct fib_table *tb,
				 const struct flowi4 *flp, struct fib_result *res, int fib_flags)
{
	const struct altfib_key_vector *n;
	const struct fib_info *fi;
	struct fib_result ours;
	int err;

	err = altfib_original_lookup(tb, flp, res, fib_flags);
	if (err || !res->fa_head)
		return err;
	n = container_of(res->fa_head, struct altfib_key_vector, leaf);
	if (n->key != READ_ONCE(leaf->key) || n->pos || n->bits)
		return err;
	/* The first alias is to be the one that is marked now: see altfib_read_record(). */
	fi = READ_ONCE(leaf->fi);
	if (fi && (fi != res->fi || res->prefixlen != 32 - READ_ONCE(leaf->slen)))
		return err;
	if (!altfib_read_leaf(res->fa_head, tb, flp, &ours, fib_flags | FIB_LOOKUP_NOREF) ||
	    !altfib_same_result(&ours, res))
		return err;
	/* Not over ALTFIB_LEAF_DEAD. */
	cmpxchg(&leaf->head, NULL, res->fa_head);
	return err;
}

/* Is what we say what the original has said? What we do not answer is no difference. */
static bool altfib_agrees(const struct altfib_leaf *leaf, struct hlist_head *head,
			  struct fib_table *tb, const struct flowi4 *flp,
			  const struct fib_result *res, int fib_flags, int err)
{
	struct fib_result ours;

	if (!altfib_read_record(leaf, head, tb, flp, &ours, fib_flags | FIB_LOOKUP_NOREF))
		return true;
	return !err && altfib_same_result(&ours, res);
}

/* The original's answer, compared. What differs may be a change under way: see below. */
static noinline int altfib_check_leaf(struct altfib_redirect *r, const struct altfib_leaf *leaf,
				      struct hlist_head *head, struct fib_table *tb,
				      const struct flowi4 *flp, struct fib_result *res,
				      int fib_flags)
{
	int err = altfib_original_lookup(tb, flp, res, fib_flags);

	if (altfib_agrees(leaf, head, tb, flp, res, fib_flags, err)) {
		altfib_redirect_count(r, ALTFIB_LOOKUP_CHECKED);
		return err;
	}
	if (cmpxchg(&r->pending, 0, 1) == 0) {
		memcpy(r->daddr, &flp->daddr, sizeof(flp->daddr));
		r->oif = flp->flowi4_oif;
		r->flags = fib_flags;
		r->scope = flp->flowi4_scope;
		r->dscp = inet_dscp_to_dsfield(flp->flowi4_dscp);
		/* Pairs with altfib_helper_redirect_again(). */
		smp_store_release(&r->pending, 2);
		altfib_rust_differs(r->owner);
	}
	return err;
}

static noinline void altfib_trace_result(const struct net *net, const struct flowi4 *flp,
					 const struct fib_result *res)
{
	trace_call__lookup(net, AF_INET, 0, &flp->daddr, ALTFIB_FOUND_ROUTE, res->type,
			   fib_info_num_path(res->fi) == 1 ? res->nhc->nhc_oif : 0);
}

static notrace int altfib_table_lookup(struct fib_table *tb, const struct flowi4 *flp,
				       struct fib_result *res, int fib_flags)
{
	struct altfib_redirect *r = altfib_redirect_of(tb);
	struct altfib_leaf *leaf;
	struct hlist_head *head;

	if (!r)
		goto original;
	leaf = altfib_rust_leaf(r->owner, ntohl(flp->daddr));
	if (!leaf)
		goto left;
	/* Pairs with cmpxchg() in altfib_learn(); all is read through it. */
	head = READ_ONCE(leaf->head);
	if (unlikely(!head)) {
		altfib_redirect_count(r, ALTFIB_LOOKUP_LEARNED);
		return altfib_learn(leaf, tb, flp, res, fib_flags);
	}
	if (unlikely(head == ALTFIB_LEAF_DEAD))
		goto left;
	if (unlikely(altfib_check_due(r)))
		return altfib_check_leaf(r, leaf, head, tb, flp, res, fib_flags);
	if (unlikely(!altfib_read_record(leaf, head, tb, flp, res, fib_flags)))
		goto left;
	altfib_redirect_count(r, ALTFIB_LOOKUP_ANSWERED);
	if (trace_lookup_enabled())
		altfib_trace_result(r->net, flp, res);
	return 0;
left:
	altfib_redirect_count(r, ALTFIB_LOOKUP_LEFT);
original:
	return altfib_original_lookup(tb, flp, res, fib_flags);
}

/* ---- IPv6 ------------------------------------------------------------- */

static struct fib6_node *altfib_node_of(const struct altfib_redirect *r,
					const struct in6_addr *daddr)
{
	const struct altfib_route6 *route;
	const struct fib6_info *rt;

	if (unlikely(fib6_routes_require_src(r->net)))
		return NULL;
	route = altfib_rust_route6(r->owner, be64_to_cpup((const __be64 *)&daddr->s6_addr32[0]),
				   be64_to_cpup((const __be64 *)&daddr->s6_addr32[2]));
	if (!route)
		return NULL;
	rt = rcu_dereference(route->rt);
	if (!rt || !ipv6_prefix_equal(&rt->fib6_dst.addr, daddr, rt->fib6_dst.plen))
		return NULL;
	/* Not linked yet, or not any more: no node. */
	return rcu_dereference(rt->fib6_node);
}

/* Which of the node's routes it will be is for the kernel to say. */
static noinline void altfib_trace_node(const struct net *net, const struct in6_addr *daddr,
				       const struct fib6_node *fn)
{
	const struct fib6_info *rt = rcu_dereference(fn->leaf);

	trace_call__lookup(net, AF_INET6, 0, daddr, ALTFIB_FOUND_ROUTE,
			   rt ? rt->fib6_type : RTN_UNSPEC, 0);
}

static notrace struct fib6_node *altfib_node_lookup(struct fib6_node *root,
						    const struct in6_addr *daddr,
						    const struct in6_addr *saddr)
{
	struct altfib_redirect *r = altfib_redirect_of(root);
	struct fib6_node *theirs;
	struct fib6_node *fn;

	if (!r || unlikely(!daddr))
		goto original;
	fn = altfib_node_of(r, daddr);
	if (unlikely(!fn)) {
		altfib_redirect_count(r, ALTFIB_LOOKUP_LEFT);
		goto original;
	}
	if (unlikely(altfib_check_due(r))) {
		theirs = altfib_original_lookup6(root, daddr, saddr);
		fn = altfib_node_of(r, daddr);
		if (!fn || fn == theirs) {
			altfib_redirect_count(r, ALTFIB_LOOKUP_CHECKED);
		} else if (cmpxchg(&r->pending, 0, 1) == 0) {
			memcpy(r->daddr, daddr, sizeof(r->daddr));
			/* As in altfib_check_leaf(). */
			smp_store_release(&r->pending, 2);
			altfib_rust_differs(r->owner);
		}
		return theirs;
	}
	altfib_redirect_count(r, ALTFIB_LOOKUP_ANSWERED);
	if (trace_lookup_enabled())
		altfib_trace_node(r->net, daddr, fn);
	return fn;
original:
	return altfib_original_lookup6(root, daddr, saddr);
}

/*
 * Looks at a lookup that differed once more.
 *
 * Context: process; no route of the table changes meanwhile, or that is found out
 * afterwards.
 *
 * Return: 1 it differs again, 0 it does not, -1 there is none.
 */
int altfib_helper_redirect_again(struct altfib_redirect *r, bool ipv6)
{
	struct fib_table *tb = (struct fib_table *)r->table;
	struct fib6_node *root = (struct fib6_node *)r->table;
	struct altfib_leaf *leaf;
	struct hlist_head *head;
	struct fib_result res;
	struct in6_addr daddr;
	struct fib6_node *fn;
	struct flowi4 fl4;
	int err;
	int ret = 0;

	/* What was noted is seen. */
	if (smp_load_acquire(&r->pending) != 2)
		return -1;
	rcu_read_lock();
	if (ipv6) {
		memcpy(&daddr, r->daddr, sizeof(daddr));
		fn = altfib_node_of(r, &daddr);
		ret = fn && fn != altfib_original_lookup6(root, &daddr, &in6addr_any);
	} else {
		memset(&fl4, 0, sizeof(fl4));
		memcpy(&fl4.daddr, r->daddr, sizeof(fl4.daddr));
		fl4.flowi4_oif = r->oif;
		fl4.flowi4_scope = r->scope;
		fl4.flowi4_dscp = inet_dsfield_to_dscp(r->dscp);
		leaf = altfib_rust_leaf(r->owner, ntohl(fl4.daddr));
		head = leaf ? READ_ONCE(leaf->head) : NULL;
		if (head && head != ALTFIB_LEAF_DEAD) {
			err = altfib_original_lookup(tb, &fl4, &res, r->flags | FIB_LOOKUP_NOREF);
			ret = !altfib_agrees(leaf, head, tb, &fl4, &res, r->flags, err);
		}
	}
	rcu_read_unlock();
	return ret;
}

/*
 * Is what the leaf says for an address (host order) what the original says? What is
 * not known yet, or is the original's, is no difference.
 *
 * Context: RCU read side.
 */
bool altfib_helper_leaf_agrees(struct net *net, const struct altfib_leaf *leaf, u32 addr)
{
	struct fib_table *tb = rcu_dereference(net->ipv4.fib_main);
	struct hlist_head *head = READ_ONCE(leaf->head);
	struct flowi4 fl4 = { .daddr = htonl(addr) };
	struct fib_result res;
	int err;

	if (!tb || !head || head == ALTFIB_LEAF_DEAD)
		return true;
	err = altfib_original_lookup(tb, &fl4, &res, FIB_LOOKUP_NOREF);
	return altfib_agrees(leaf, head, tb, &fl4, &res, FIB_LOOKUP_NOREF, err);
}

#else
bool altfib_helper_leaf_agrees(struct net *net, const struct altfib_leaf *leaf, u32 addr)
{
	return true;
}

int altfib_helper_redirect_again(struct altfib_redirect *r, bool ipv6)
{
	return -1;
}
#endif /* there is a way */

/* The next one that differs may be noted. */
void altfib_helper_redirect_seen(struct altfib_redirect *r)
{
	/* All of it was read. */
	smp_store_release(&r->pending, 0);
}

/* ---- who answers ------------------------------------------------------ */

/*
 * Lookups in the main table of net are r's from now on, which is filled in but for
 * net, table and node. The kernel makes that of IPv4 with the first route and keeps
 * it as long as the namespace; here it is made if it is not there yet.
 *
 * Context: process, may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int altfib_helper_redirect_add(struct net *net, struct altfib_redirect *r, bool ipv6)
{
	r->net = net;
	if (ipv6)
		r->table = &net->ipv6.fib6_main_tbl->tb6_root;
	else
		r->table = fib_new_table(net, RT_TABLE_MAIN);
	if (!r->table)
		return -ENOMEM;
	spin_lock_bh(&altfib_redirects_lock);
	hlist_add_head_rcu(&r->node, &altfib_redirects[hash_ptr(r->table, ALTFIB_REDIRECT_BITS)]);
	spin_unlock_bh(&altfib_redirects_lock);
	return 0;
}

/* They are not any more, for lookups that begin after this. */
void altfib_helper_redirect_del(struct altfib_redirect *r)
{
	spin_lock_bh(&altfib_redirects_lock);
	hlist_del_rcu(&r->node);
	spin_unlock_bh(&altfib_redirects_lock);
}

/* One in so many lookups is compared from now on. */
void altfib_helper_redirect_set_every(struct altfib_redirect *r, u32 every)
{
	WRITE_ONCE(r->every, every);
}

/* ---- leaves ----------------------------------------------------------- */

/* The prefix is gone: nobody reads or learns its leaf after this and a grace period. */
void altfib_helper_leaf_kill(struct altfib_leaf *leaf)
{
	xchg(&leaf->head, ALTFIB_LEAF_DEAD);
}

/*
 * A record that nobody can find yet, for the prefix of this length at this address
 * (host order), whose first route is that of nh.
 */
void altfib_helper_leaf_init(struct altfib_leaf *leaf, u32 key, u8 len,
			     const struct altfib_nexthop *nh)
{
	leaf->fi = nh->flags & ALTFIB_NH_DSCP ? NULL : rcu_dereference_protected(nh->fi, true);
	leaf->key = key;
	leaf->slen = 32 - len;
	leaf->type = nh->type;
	WRITE_ONCE(leaf->head, NULL);
}
