// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/altfib.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/altfib.h>

/* Sparse enums validation callbacks */
static int
altfib_a_route_family_validate(const struct nlattr *attr,
			       struct netlink_ext_ack *extack)
{
	switch (nla_get_u8(attr)) {
	case ALTFIB_ADDRESS_FAMILY_IPV4:
		fallthrough;
	case ALTFIB_ADDRESS_FAMILY_IPV6:
		return 0;
	}
	NL_SET_ERR_MSG_ATTR(extack, attr, "invalid enum value");
	return -EINVAL;
}

static int
altfib_a_stats_family_validate(const struct nlattr *attr,
			       struct netlink_ext_ack *extack)
{
	switch (nla_get_u8(attr)) {
	case ALTFIB_ADDRESS_FAMILY_IPV4:
		fallthrough;
	case ALTFIB_ADDRESS_FAMILY_IPV6:
		return 0;
	}
	NL_SET_ERR_MSG_ATTR(extack, attr, "invalid enum value");
	return -EINVAL;
}

/* ALTFIB_CMD_GET - do */
static const struct nla_policy altfib_get_nl_policy[ALTFIB_A_LOOKUP_DSCP + 1] = {
	[ALTFIB_A_LOOKUP_DST] = NLA_POLICY_MAX_LEN(16),
	[ALTFIB_A_LOOKUP_SRC] = NLA_POLICY_MAX_LEN(16),
	[ALTFIB_A_LOOKUP_IIF] = NLA_POLICY_MIN(NLA_U32, 1),
	[ALTFIB_A_LOOKUP_MARK] = { .type = NLA_U32, },
	[ALTFIB_A_LOOKUP_DSCP] = NLA_POLICY_MAX(NLA_U8, 63),
};

/* ALTFIB_CMD_ROUTES - dump */
static const struct nla_policy altfib_routes_nl_policy[ALTFIB_A_ROUTE_TABLE + 1] = {
	[ALTFIB_A_ROUTE_FAMILY] = NLA_POLICY_VALIDATE_FN(NLA_U8, &altfib_a_route_family_validate),
	[ALTFIB_A_ROUTE_TABLE] = { .type = NLA_U32, },
};

/* ALTFIB_CMD_STATS - do */
static const struct nla_policy altfib_stats_nl_policy[ALTFIB_A_STATS_FAMILY + 1] = {
	[ALTFIB_A_STATS_FAMILY] = NLA_POLICY_VALIDATE_FN(NLA_U8, &altfib_a_stats_family_validate),
};

/* Ops table for altfib */
static const struct genl_split_ops altfib_nl_ops[] = {
	{
		.cmd		= ALTFIB_CMD_GET,
		.doit		= altfib_nl_get_doit,
		.policy		= altfib_get_nl_policy,
		.maxattr	= ALTFIB_A_LOOKUP_DSCP,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ALTFIB_CMD_ROUTES,
		.dumpit		= altfib_nl_routes_dumpit,
		.policy		= altfib_routes_nl_policy,
		.maxattr	= ALTFIB_A_ROUTE_TABLE,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= ALTFIB_CMD_NEXTHOPS,
		.dumpit	= altfib_nl_nexthops_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= ALTFIB_CMD_CACHES,
		.dumpit	= altfib_nl_caches_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ALTFIB_CMD_STATS,
		.doit		= altfib_nl_stats_doit,
		.policy		= altfib_stats_nl_policy,
		.maxattr	= ALTFIB_A_STATS_FAMILY,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ALTFIB_CMD_AUDIT_START,
		.doit	= altfib_nl_audit_start_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ALTFIB_CMD_AUDIT_GET,
		.doit	= altfib_nl_audit_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ALTFIB_CMD_FLUSH,
		.doit	= altfib_nl_flush_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ALTFIB_CMD_TRAFFIC,
		.dumpit	= altfib_nl_traffic_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group altfib_nl_mcgrps[] = {
	[ALTFIB_NLGRP_EVENTS] = { "events", },
};

struct genl_family altfib_nl_family __ro_after_init = {
	.name		= ALTFIB_FAMILY_NAME,
	.version	= ALTFIB_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= altfib_nl_ops,
	.n_split_ops	= ARRAY_SIZE(altfib_nl_ops),
	.mcgrps		= altfib_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(altfib_nl_mcgrps),
};
