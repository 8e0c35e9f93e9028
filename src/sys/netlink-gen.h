/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/altfib.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_ALTFIB_GEN_H
#define _LINUX_ALTFIB_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/altfib.h>

int altfib_nl_get_doit(struct sk_buff *skb, struct genl_info *info);
int altfib_nl_routes_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int altfib_nl_nexthops_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int altfib_nl_caches_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int altfib_nl_stats_doit(struct sk_buff *skb, struct genl_info *info);
int altfib_nl_audit_start_doit(struct sk_buff *skb, struct genl_info *info);
int altfib_nl_audit_get_doit(struct sk_buff *skb, struct genl_info *info);
int altfib_nl_flush_doit(struct sk_buff *skb, struct genl_info *info);
int altfib_nl_traffic_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

enum {
	ALTFIB_NLGRP_EVENTS,
};

extern struct genl_family altfib_nl_family;

#endif /* _LINUX_ALTFIB_GEN_H */
