// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family. Part of helpers.c, behind helpers_redirect.c and
 * helpers_cache.c.
 *
 * Operations, policies and the family itself are generated from
 * Documentation/netlink/specs/altfib.yaml (netlink-gen.c). Here attributes become
 * a struct altfib_nl_request; what answers it is Rust's (src/control/netlink.rs),
 * which writes its messages with the helpers below.
 *
 * There is no MODULE_ALIAS_GENL_FAMILY(): whoever asks for the family by name, and
 * that is anybody, would load the module, which takes over at once.
 */

#include <linux/rwsem.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

/* A reply with all counters and reasons, and their causes. */
#define ALTFIB_NL_REPLY		8192
#define ALTFIB_NL_EVENT		1024

/* ---- requests --------------------------------------------------------- */

/* Return: AF_INET or AF_INET6, or an error. */
static int altfib_nl_address(const struct nlattr *attr, u8 *address,
			     struct netlink_ext_ack *extack)
{
	int len = nla_len(attr);

	if (len != sizeof(struct in_addr) && len != sizeof(struct in6_addr)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	memcpy(address, nla_data(attr), len);
	return len == sizeof(struct in_addr) ? AF_INET : AF_INET6;
}

static int altfib_nl_reply(struct genl_info *info, const struct altfib_nl_request *request)
{
	const char *why = NULL;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = genlmsg_new(ALTFIB_NL_REPLY, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_iput(skb, info);
	if (!hdr) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	err = altfib_rust_nl_reply(genl_info_net(info), info->genlhdr->cmd, request, skb, &why);
	if (err) {
		nlmsg_free(skb);
		if (why && info->extack)
			info->extack->_msg = why;
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

int altfib_nl_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct altfib_nl_request request = {};
	int family;

	if (GENL_REQ_ATTR_CHECK(info, ALTFIB_A_LOOKUP_DST))
		return -EINVAL;
	family = altfib_nl_address(attrs[ALTFIB_A_LOOKUP_DST], request.dst, info->extack);
	if (family < 0)
		return family;
	request.family = family;
	if (attrs[ALTFIB_A_LOOKUP_SRC]) {
		request.has_src = true;
		family = altfib_nl_address(attrs[ALTFIB_A_LOOKUP_SRC], request.src, info->extack);
		if (family < 0)
			return family;
		if (family != request.family) {
			NL_SET_ERR_MSG_ATTR(info->extack, attrs[ALTFIB_A_LOOKUP_SRC],
					    "source and destination are of two families");
			return -EINVAL;
		}
	}
	request.iif = nla_get_u32_default(attrs[ALTFIB_A_LOOKUP_IIF], 0);
	/* ip_route_input_slow() takes no packet without. */
	if (request.iif && request.family == AF_INET &&
	    GENL_REQ_ATTR_CHECK(info, ALTFIB_A_LOOKUP_SRC))
		return -EINVAL;
	request.mark = nla_get_u32_default(attrs[ALTFIB_A_LOOKUP_MARK], 0);
	request.has_mark = attrs[ALTFIB_A_LOOKUP_MARK];
	request.dscp = nla_get_u8_default(attrs[ALTFIB_A_LOOKUP_DSCP], 0);
	request.has_dscp = attrs[ALTFIB_A_LOOKUP_DSCP];
	return altfib_nl_reply(info, &request);
}

int altfib_nl_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct altfib_nl_request request = {};

	if (GENL_REQ_ATTR_CHECK(info, ALTFIB_A_STATS_FAMILY))
		return -EINVAL;
	request.family = nla_get_u8(info->attrs[ALTFIB_A_STATS_FAMILY]);
	return altfib_nl_reply(info, &request);
}

int altfib_nl_audit_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct altfib_nl_request request = {};

	return altfib_nl_reply(info, &request);
}

int altfib_nl_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct altfib_nl_request request = {};

	return altfib_nl_reply(info, &request);
}

int altfib_nl_audit_start_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = altfib_rust_nl_audit_start(genl_info_net(info));

	if (err == -EBUSY)
		GENL_SET_ERR_MSG(info, "an audit runs already");
	return err;
}

/*
 * One message after the other until the buffer is full. Rust moves the cursor,
 * which counts once the message has found its place.
 */
static int altfib_nl_dump(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct altfib_nl_request *request)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct altfib_nl_cursor *cursor = (void *)cb->ctx;
	int err;

	NL_ASSERT_CTX_FITS(struct altfib_nl_cursor);
	for (;;) {
		struct altfib_nl_cursor next = *cursor;
		void *hdr;

		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  info->family, NLM_F_MULTI, info->genlhdr->cmd);
		if (!hdr)
			return -EMSGSIZE;
		err = altfib_rust_nl_list(genl_info_net(info), info->genlhdr->cmd, request, &next,
					  skb, &cb->seq);
		if (err <= 0) {
			genlmsg_cancel(skb, hdr);
			return err;
		}
		genlmsg_end(skb, hdr);
		genl_dump_check_consistent(cb, hdr);
		*cursor = next;
	}
}

int altfib_nl_routes_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	const struct altfib_nl_request request = {
		.family = nla_get_u8_default(info->attrs[ALTFIB_A_ROUTE_FAMILY], 0),
		.table = nla_get_u32_default(info->attrs[ALTFIB_A_ROUTE_TABLE], 0),
		.has_table = info->attrs[ALTFIB_A_ROUTE_TABLE],
	};

	return altfib_nl_dump(skb, cb, &request);
}

int altfib_nl_nexthops_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct altfib_nl_request request = {};

	return altfib_nl_dump(skb, cb, &request);
}

int altfib_nl_caches_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct altfib_nl_request request = {};

	return altfib_nl_dump(skb, cb, &request);
}

int altfib_nl_traffic_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct altfib_nl_request request = {};

	return altfib_nl_dump(skb, cb, &request);
}

/* ---- messages --------------------------------------------------------- */

int altfib_helper_nl_text(struct sk_buff *skb, int attr, const char *text, size_t len)
{
	struct nlattr *nla = nla_reserve(skb, attr, len + 1);
	char *to;

	if (!nla)
		return -EMSGSIZE;
	to = nla_data(nla);
	memcpy(to, text, len);
	to[len] = 0;
	return 0;
}

int altfib_helper_nl_uint(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_uint(skb, attr, value);
}

struct nlattr *altfib_helper_nl_nest(struct sk_buff *skb, int attr)
{
	return nla_nest_start(skb, attr);
}

void altfib_helper_nl_nest_end(struct sk_buff *skb, struct nlattr *nest, bool whole)
{
	if (whole)
		nla_nest_end(skb, nest);
	else
		nla_nest_cancel(skb, nest);
}

/* ---- events ----------------------------------------------------------- */

/* Who sends an event while the family goes. */
static DECLARE_RWSEM(altfib_nl_senders);
static bool altfib_nl_registered;

int altfib_helper_nl_register(void)
{
	int err = genl_register_family(&altfib_nl_family);

	if (err)
		return err;
	down_write(&altfib_nl_senders);
	altfib_nl_registered = true;
	up_write(&altfib_nl_senders);
	return 0;
}

/* No operation and no event is under way when this returns. */
void altfib_helper_nl_unregister(void)
{
	down_write(&altfib_nl_senders);
	altfib_nl_registered = false;
	up_write(&altfib_nl_senders);
	genl_unregister_family(&altfib_nl_family);
}

bool altfib_helper_nl_has_listeners(struct net *net)
{
	bool result;

	down_read(&altfib_nl_senders);
	result = altfib_nl_registered &&
		 genl_has_listeners(&altfib_nl_family, net, ALTFIB_NLGRP_EVENTS);
	up_read(&altfib_nl_senders);
	return result;
}

/*
 * Begin an event, to be ended by altfib_helper_nl_event_end(); or NULL if it cannot
 * be sent.
 *
 * Context: process, may sleep.
 */
struct sk_buff *altfib_helper_nl_event(u8 cmd, void **hdr)
{
	struct sk_buff *skb;

	down_read(&altfib_nl_senders);
	skb = altfib_nl_registered ? genlmsg_new(ALTFIB_NL_EVENT, GFP_KERNEL) : NULL;
	if (!skb)
		goto none;
	*hdr = genlmsg_put(skb, 0, 0, &altfib_nl_family, 0, cmd);
	if (*hdr)
		return skb;
	nlmsg_free(skb);
none:
	up_read(&altfib_nl_senders);
	return NULL;
}

/* Send it, unless it is not whole. */
void altfib_helper_nl_event_end(struct net *net, struct sk_buff *skb, void *hdr, bool whole)
{
	if (whole) {
		genlmsg_end(skb, hdr);
		genlmsg_multicast_netns(&altfib_nl_family, net, skb, 0, ALTFIB_NLGRP_EVENTS,
					GFP_KERNEL);
	} else {
		nlmsg_free(skb);
	}
	up_read(&altfib_nl_senders);
}

/* ---- what altfib would do, without doing it ---------------------------- */

/* As find_exception() of net/ipv4/route.c would find, whose hash is secret. */
static bool altfib_has_exception(const struct fib_nh_common *nhc, __be32 daddr)
{
	const struct fnhe_hash_bucket *hash = rcu_dereference(nhc->nhc_exceptions);
	const struct fib_nh_exception *fnhe;
	int i;

	for (i = 0; hash && i < FNHE_HASH_SIZE; i++)
		for (fnhe = rcu_dereference(hash[i].chain); fnhe;
		     fnhe = rcu_dereference(fnhe->fnhe_next))
			if (fnhe->fnhe_daddr == daddr)
				return true;
	return false;
}

/*
 * What altfib_helper_attach() would attach, if need be after a fill; kept says
 * whether there are slots.
 *
 * Context: RCU read side, bottom halves off.
 *
 * Return: ALTFIB_NO_OBJECTION and *dst, or the reason, as there.
 */
enum altfib_outcome altfib_helper_peek(const struct altfib_packet *pkt,
				       const struct altfib_nexthop *nh, bool kept,
				       const struct dst_entry **dst)
{
	enum altfib_outcome reason = ALTFIB_NO_DST;
	struct altfib_choice choice;
	struct fib_nh_common *nhc;
	struct fib_info *fi;
	struct rtable *rt;

	if (kept)
		reason = altfib_find_dst(pkt, nh, &choice);
	if (reason == ALTFIB_NO_DST)
		reason = altfib_find_kernels(pkt, nh, &choice);
	if (reason == ALTFIB_NO_OBJECTION) {
		*dst = choice.dst;
		return reason;
	}
	fi = rcu_dereference(nh->fi);
	if (!kept || reason != ALTFIB_EXCEPTION || !fi ||
	    altfib_single_path(fi, &nhc) != ALTFIB_NO_OBJECTION ||
	    altfib_has_exception(nhc, htonl(pkt->daddr)))
		return reason;
	/* A fill would note that they are other destinations'. */
	rt = rcu_dereference(nhc->nhc_rth_input);
	if (!rt || !altfib_dst_valid(pkt->net, nh, rt))
		return ALTFIB_NO_DST;
	*dst = &rt->dst;
	return ALTFIB_NO_OBJECTION;
}

/* As altfib_helper_peek(), for IPv6. */
enum altfib_outcome altfib_helper_peek6(const struct altfib_packet6 *pkt,
					const struct altfib_route6 *route,
					const struct dst_entry **dst)
{
	struct altfib_choice6 choice;
	enum altfib_outcome reason;

	reason = altfib_find_dst6(pkt, route, &choice);
	if (reason == ALTFIB_NO_OBJECTION)
		*dst = choice.dst;
	return reason;
}

/* As altfib_flow_find(), which counts. */
static const struct altfib_entry *altfib_flow_look(const struct altfib_flows *t,
						   const struct altfib_flow_key *key,
						   unsigned int words, u32 hash, unsigned int cpu)
{
	const struct altfib_entry *e;

	if (!t->buckets) {
		e = rcu_dereference(t->places[cpu][hash & t->mask]);
		return e && altfib_flow_is(e, key, words) ? e : NULL;
	}
	hlist_for_each_entry_rcu(e, &t->buckets[hash & t->mask].head, node)
		if (altfib_flow_is(e, key, words))
			return e;
	return NULL;
}

/*
 * What is kept of the packet's flow, on any CPU; pkt or pkt6. If it holds, *dst is
 * its route.
 *
 * Context: RCU read side, bottom halves off.
 */
static enum altfib_slot_state altfib_flow_peek(const struct altfib_flows *t,
					       const struct altfib_packet *pkt,
					       const struct altfib_packet6 *pkt6,
					       const struct dst_entry **dst)
{
	unsigned int words = pkt ? ALTFIB_FLOW4 : ALTFIB_FLOW6;
	enum altfib_slot_state state = ALTFIB_SLOT_EMPTY;
	const struct altfib_entry *e;
	struct altfib_ticket ticket;
	struct altfib_flow_key key;
	enum altfib_outcome check;
	unsigned int cpu;

	if (pkt)
		altfib_flow_key4(pkt, &key);
	else
		altfib_flow_key6(pkt6, &key);
	altfib_ticket_take(t, &key, words, &ticket);
	for_each_possible_cpu(cpu) {
		e = altfib_flow_look(t, &key, words, ticket.hash, cpu);
		if (e) {
			state = ALTFIB_SLOT_STALE;
			check = ALTFIB_NOT_CACHED;
			if (altfib_flow_current(e, &ticket))
				check = pkt ? altfib_flow_check(pkt, e) :
					      altfib_flow_check6(pkt6, e, e->dst);
			if (check == ALTFIB_NO_OBJECTION) {
				*dst = e->dst;
				return ALTFIB_SLOT_CACHED;
			}
		}
		/* One for all CPUs. */
		if (t->buckets)
			break;
	}
	return state;
}

enum altfib_slot_state altfib_helper_flow_peek(const struct altfib_flows *t,
					       const struct altfib_packet *pkt,
					       const struct dst_entry **dst)
{
	return altfib_flow_peek(t, pkt, NULL, dst);
}

enum altfib_slot_state altfib_helper_flow_peek6(const struct altfib_flows *t,
						const struct altfib_packet6 *pkt,
						const struct dst_entry **dst)
{
	return altfib_flow_peek(t, NULL, pkt, dst);
}

/* ---- the host's own packets -------------------------------------------- */

static struct flowi4 altfib_output_flow(const struct altfib_nl_request *request)
{
	struct flowi4 fl4 = {
		.flowi4_iif = LOOPBACK_IFINDEX,
		.flowi4_mark = request->mark,
		.flowi4_dscp = inet_dsfield_to_dscp(request->dscp << 2),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_proto = IPPROTO_UDP,
		.flowi4_uid = current_uid(),
	};

	memcpy(&fl4.daddr, request->dst, sizeof(fl4.daddr));
	memcpy(&fl4.saddr, request->src, sizeof(fl4.saddr));
	return fl4;
}

static struct flowi6 altfib_output_flow6(const struct altfib_nl_request *request)
{
	struct flowi6 fl6 = {
		.flowi6_iif = LOOPBACK_IFINDEX,
		.flowi6_mark = request->mark,
		.flowlabel = ip6_make_flowinfo(request->dscp << 2, 0),
		.flowi6_uid = current_uid(),
	};

	memcpy(&fl6.daddr, request->dst, sizeof(fl6.daddr));
	memcpy(&fl6.saddr, request->src, sizeof(fl6.saddr));
	return fl6;
}

/*
 * The tables for a packet of the host's own.
 *
 * Context: RCU read side.
 *
 * Return: false if no policy rules choose them; *plan is not written then.
 */
bool altfib_helper_output_plan(struct net *net, const struct altfib_nl_request *request,
			       struct altfib_plan *plan)
{
	if (request->family == AF_INET) {
		struct flowi4 fl4 = altfib_output_flow(request);

		if (!fib4_has_custom_rules(net))
			return false;
		altfib_walk_rules(net, net->ipv4.rules_ops, flowi4_to_flowi(&fl4), 0, true, plan);
	} else {
		struct flowi6 fl6 = altfib_output_flow6(request);

		if (!fib6_has_custom_rules(net))
			return false;
		altfib_walk_rules(net, net->ipv6.fib6_rules_ops, flowi6_to_flowi(&fl6),
				  request->has_src ? RT6_LOOKUP_F_HAS_SADDR : 0, true, plan);
	}
	return true;
}

/* ---- what the kernel does ---------------------------------------------- */

/* Its own lookup, whoever answers others'. */
#if defined(ALTFIB_REDIRECT_STATIC_CALL) || defined(ALTFIB_REDIRECT_FTRACE)
#define altfib_kernels_lookup	altfib_original_lookup
#else
#define altfib_kernels_lookup	fib_table_lookup
#endif

static int altfib_ask_tables(struct net *net, struct flowi4 *fl4, struct fib_result *res)
{
	static const u32 ids[] = { RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT };
	struct fib_table *table;
	int err = -EAGAIN;
	int i;

	if (fib4_has_custom_rules(net)) {
		err = __fib_lookup(net, fl4, res, FIB_LOOKUP_NOREF);
		return err == -ENETUNREACH ? -EAGAIN : err;
	}
	for (i = 0; i < ARRAY_SIZE(ids) && err == -EAGAIN; i++) {
		table = altfib_get_table(net, ids[i]);
		if (table)
			err = altfib_kernels_lookup(table, fl4, res, FIB_LOOKUP_NOREF);
	}
	return err;
}

/* Without policy rules one trie has the routes of two tables. */
static u32 altfib_table_of(const struct fib_result *res)
{
	const struct altfib_alias *fa;

	hlist_for_each_entry_rcu(fa, res->fa_head, fa_list)
		if (fa->fa_info == res->fi && fa->fa_slen == 32 - res->prefixlen &&
		    fa->fa_type == res->type && fa->fa_dscp == res->dscp)
			return fa->tb_id;
	return res->table ? res->table->tb_id : 0;
}

static void altfib_tell_result(int err, const struct fib_result *res,
			       const struct altfib_nexthop *nh, bool asked,
			       struct altfib_kernels *k)
{
	k->agrees = asked ? altfib_same_route(nh, err, res) : -1;
	if (err) {
		k->error = err == -EAGAIN ? ENETUNREACH : -err;
		return;
	}
	memcpy(k->prefix, &res->prefix, sizeof(res->prefix));
	k->has_prefix = true;
	k->prefix_len = res->prefixlen;
	k->table = altfib_table_of(res);
	k->type = res->type;
	k->metric = res->fi->fib_priority;
	k->paths = fib_info_num_path(res->fi);
}

static void altfib_tell_dst(struct net *net, const struct dst_entry *dst,
			    struct altfib_kernels *k)
{
	const struct rtable *rt = dst_rtable(dst);

	k->error = -dst->error;
	k->type = rt->rt_type;
	/* On the link the destination itself may stand there. */
	if (rt->rt_uses_gateway) {
		k->gateway_family = rt->rt_gw_family;
		if (rt->rt_gw_family == AF_INET6)
			memcpy(k->gateway, &rt->rt_gw6, sizeof(rt->rt_gw6));
		else
			memcpy(k->gateway, &rt->rt_gw4, sizeof(rt->rt_gw4));
	}
	if (dst->dev) {
		k->ifindex = dst->dev->ifindex;
		strscpy(k->device, dst->dev->name, sizeof(k->device));
	}
}

/*
 * Where the kernel sends the packet, as ip_route_input_slow() finds it. nh is what
 * altfib found, ours what it would attach; without asked it found nothing out.
 *
 * Context: RCU read side, bottom halves off; the packet is a probe.
 */
void altfib_helper_ask_input(struct net *net, struct sk_buff *skb,
			     const struct altfib_nexthop *nh, bool asked,
			     const struct dst_entry *ours, struct altfib_kernels *k)
{
	struct net_device *dev = dev_get_by_index_rcu(net, IPCB(skb)->iif);
	const struct iphdr *iph = ip_hdr(skb);
	const struct dst_entry *theirs;
	enum skb_drop_reason reason;
	struct altfib_answer a, b;
	struct fib_result res = {};
	struct flow_keys keys;
	struct flowi4 fl4 = {
		.daddr = iph->daddr,
		.saddr = iph->saddr,
		.flowi4_iif = IPCB(skb)->iif,
		.flowi4_mark = skb->mark,
		.flowi4_dscp = ip4h_dscp(iph),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_uid = sock_net_uid(net, NULL),
	};

	memset(k, 0, sizeof(*k));
	fib4_rules_early_flow_dissect(net, skb, &fl4, &keys);
	altfib_tell_result(altfib_ask_tables(net, &fl4, &res), &res, nh, asked, k);
	if (!dev)
		return;
	reason = ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph), dev);
	if (reason != SKB_NOT_DROPPED_YET) {
		k->reason = reason;
		if (ours)
			k->agrees = 0;
		return;
	}
	theirs = skb_dst(skb);
	altfib_tell_dst(net, theirs, k);
	if (!ours || ours == theirs)
		return;
	altfib_describe_dst(ours, &a);
	altfib_describe_dst(theirs, &b);
	if (memcmp(&a, &b, sizeof(a)) || ours->input != theirs->input ||
	    ours->output != theirs->output)
		k->agrees = 0;
}

/*
 * Where the kernel sends a packet of the host's own, as ip_route_output_key_hash()
 * finds it.
 *
 * Context: RCU read side.
 */
void altfib_helper_ask_output(struct net *net, const struct altfib_nl_request *request,
			      const struct altfib_nexthop *nh, bool asked,
			      struct altfib_kernels *k)
{
	struct flowi4 fl4 = altfib_output_flow(request);
	struct fib_result res = {};
	struct rtable *rt;

	memset(k, 0, sizeof(*k));
	altfib_tell_result(altfib_ask_tables(net, &fl4, &res), &res, nh, asked, k);
	/* The rules' lookup has written to it. */
	fl4 = altfib_output_flow(request);
	rt = ip_route_output_key_hash(net, &fl4, NULL);
	if (IS_ERR(rt)) {
		k->error = -PTR_ERR(rt);
		return;
	}
	altfib_tell_dst(net, &rt->dst, k);
	ip_rt_put(rt);
}

/* Is theirs the route ours, or one that is as good? */
static bool altfib_same_route6(const struct fib6_info *ours, const struct fib6_info *theirs)
{
	return ours == theirs ||
	       (rcu_access_pointer(ours->fib6_node) &&
		rcu_access_pointer(ours->fib6_node) == rcu_access_pointer(theirs->fib6_node) &&
		ours->fib6_metric == theirs->fib6_metric);
}

/* stands: altfib is sure that the kernel takes its route. */
static void altfib_tell_dst6(struct net *net, const struct dst_entry *dst,
			     const struct altfib_route6 *route, bool asked, bool stands,
			     struct altfib_kernels *k)
{
	const struct rt6_info *rt = dst_rt6_info(dst);
	const struct fib6_info *from = rcu_dereference(rt->from);
	const struct fib6_info *ours = route ? rcu_dereference(route->rt) : NULL;

	if (from == net->ipv6.fib6_null_entry)
		from = NULL;
	memset(k, 0, sizeof(*k));
	k->error = -dst->error;
	if (dst->dev) {
		k->ifindex = dst->dev->ifindex;
		strscpy(k->device, dst->dev->name, sizeof(k->device));
	}
	if (rt->rt6i_flags & RTF_GATEWAY) {
		k->gateway_family = AF_INET6;
		memcpy(k->gateway, &rt->rt6i_gateway, sizeof(k->gateway));
	}
	if (from) {
		memcpy(k->prefix, &from->fib6_dst.addr, sizeof(k->prefix));
		k->has_prefix = true;
		k->prefix_len = from->fib6_dst.plen;
		k->table = from->fib6_table->tb6_id;
		k->metric = from->fib6_metric;
		k->paths = 1 + READ_ONCE(from->fib6_nsiblings);
		k->type = from->fib6_type;
	}
	if (!asked || (route && !ours))
		k->agrees = -1;
	else if (!ours || !from)
		k->agrees = !ours && !from ? 1 : ours && !stands ? -1 : 0;
	else if (altfib_same_route6(ours, from))
		k->agrees = 1;
	else
		k->agrees = stands ? 0 : -1;
}

/*
 * As altfib_helper_ask_input(), for IPv6.
 *
 * Context: RCU read side, bottom halves off; the packet is a probe.
 */
void altfib_helper_ask_input6(struct net *net, struct sk_buff *skb,
			      const struct altfib_route6 *route, bool asked, bool stands,
			      const struct dst_entry *ours, struct altfib_kernels *k)
{
	const struct dst_entry *theirs;
	struct altfib_answer6 a, b;

	ip6_route_input(skb);
	theirs = skb_dst(skb);
	altfib_tell_dst6(net, theirs, route, asked, stands, k);
	if (!ours || ours == theirs)
		return;
	altfib_describe_dst6(ours, &a);
	altfib_describe_dst6(theirs, &b);
	if (memcmp(&a, &b, sizeof(a)) || ours->input != theirs->input ||
	    ours->output != theirs->output)
		k->agrees = 0;
}

/*
 * As altfib_helper_ask_output(), for IPv6.
 *
 * Context: RCU read side.
 */
void altfib_helper_ask_output6(struct net *net, const struct altfib_nl_request *request,
			       const struct altfib_route6 *route, bool asked,
			       struct altfib_kernels *k)
{
	struct flowi6 fl6 = altfib_output_flow6(request);
	struct dst_entry *dst;

	/* Sets it itself. */
	fl6.flowi6_iif = 0;
	dst = ip6_route_output(net, NULL, &fl6);
	altfib_tell_dst6(net, dst, route, asked, true, k);
	dst_release(dst);
}
