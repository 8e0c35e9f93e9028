/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ALTFIB_SELFTEST_RTNL_H
#define ALTFIB_SELFTEST_RTNL_H

#include <stdbool.h>
#include <stdint.h>

struct rtnl_route {
	int family;
	const void *dst;	/* 4 or 16 bytes, network order */
	const void *gw;		/* NULL: none */
	uint8_t plen;
	int oif;
	uint32_t metric;
};

/* A socket in the network namespace of the calling thread; < 0 on error. */
int rtnl_open(void);

/*
 * Add, replace or delete one route and wait for the kernel's answer: when this
 * returns, the change is in force. Returns 0 or a negative errno.
 */
int rtnl_add(int fd, const struct rtnl_route *r, bool replace);
int rtnl_del(int fd, const struct rtnl_route *r);

/*
 * RTNL_LATE: the kernel has not noticed of each veth and VLAN device whether it has
 * a carrier: a device that comes up sends from then on, before that it drops. Makes
 * the kernel notice.
 * RTNL_FOLLOWS: a VLAN device is not up or down as its parent is, or has a larger
 * MTU. A work queue sees to that, but not if the device was set down by itself.
 */
enum rtnl_links { RTNL_READY, RTNL_LATE, RTNL_FOLLOWS };
enum rtnl_links rtnl_links_ready(void);

/*
 * The few forms of ip(8) that nearly every test uses, without a process:
 *	link add D index I netns N address M type veth
 *	     peer name P index I netns N address M
 *	link set D up|down|mtu N|arp on|off	link del D
 *	addr add|del A/L [brd +] dev D [nodad]
 *	neigh add|replace A lladdr M nud permanent dev D
 *	route add|replace|del P [via A] [dev D] [metric N]
 * Returns 0, a negative errno, or 1 for what is not among them.
 */
int rtnl_ip(const char *args, const char *netns_dir);

#endif
