// SPDX-License-Identifier: GPL-2.0
/*
 * Network configuration without a process each: the tests that race packets
 * with changes need thousands of them and to know when each has returned, and
 * under emulation a process costs more than all packets of a test.
 */
#include <arpa/inet.h>
#include <net/if.h>	/* has to come before <linux/if.h> */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtnl.h"

#define MAX_WORDS 24

struct req {
	struct nlmsghdr n;
	char body[512];
};

int rtnl_open(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (void *)&nl, sizeof(nl))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Room for @len bytes at the end of the message. */
static void *put(struct req *q, size_t len)
{
	void *p = (char *)q + NLMSG_ALIGN(q->n.nlmsg_len);

	q->n.nlmsg_len = NLMSG_ALIGN(q->n.nlmsg_len) + len;
	return p;
}

static struct rtattr *attr(struct req *q, int type, const void *data,
			   size_t len)
{
	struct rtattr *a = put(q, RTA_LENGTH(len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	return a;
}

static void attr_end(struct req *q, struct rtattr *a)
{
	q->n.nlmsg_len = NLMSG_ALIGN(q->n.nlmsg_len);
	a->rta_len = (char *)q + q->n.nlmsg_len - (char *)a;
}

static void *start(struct req *q, int type, int flags, size_t head)
{
	memset(q, 0, sizeof(*q));
	q->n.nlmsg_len = NLMSG_LENGTH(0);
	q->n.nlmsg_type = type;
	q->n.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return put(q, head);
}

static int talk(int fd, struct req *q)
{
	char buf[2048];
	struct nlmsghdr *h = (void *)buf;
	struct nlmsgerr *err = NLMSG_DATA(h);

	if (send(fd, q, q->n.nlmsg_len, 0) < 0)
		return -errno;
	do {
		if (recv(fd, buf, sizeof(buf), 0) < 0)
			return -errno;
	} while (h->nlmsg_type != NLMSG_ERROR);
	return err->error;
}

static int route(int fd, const struct rtnl_route *r, int type, int flags)
{
	size_t alen = r->family == AF_INET ? 4 : 16;
	struct req q;
	struct rtmsg *m = start(&q, type, flags, sizeof(*m));

	m->rtm_family = r->family;
	m->rtm_dst_len = r->plen;
	m->rtm_table = RT_TABLE_MAIN;
	if (type == RTM_NEWROUTE) {
		m->rtm_protocol = RTPROT_BOOT;
		m->rtm_type = RTN_UNICAST;
		m->rtm_scope = r->gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	} else {
		m->rtm_scope = RT_SCOPE_NOWHERE;
	}
	if (r->plen)
		attr(&q, RTA_DST, r->dst, alen);
	if (r->gw)
		attr(&q, RTA_GATEWAY, r->gw, alen);
	if (r->oif)
		attr(&q, RTA_OIF, &r->oif, sizeof(r->oif));
	if (r->metric)
		attr(&q, RTA_PRIORITY, &r->metric, sizeof(r->metric));
	return talk(fd, &q);
}

int rtnl_add(int fd, const struct rtnl_route *r, bool replace)
{
	return route(fd, r, RTM_NEWROUTE,
		     NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL));
}

int rtnl_del(int fd, const struct rtnl_route *r)
{
	return route(fd, r, RTM_DELROUTE, 0);
}

#define MAX_LINKS 32

struct link {
	int index, parent;	/* parent: only of a VLAN device */
	bool up, carrier_known;
	unsigned int mtu;
};

static void read_link(const struct nlmsghdr *h, struct link *l)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int len = IFLA_PAYLOAD(h), nested, below = 0;
	const char *kind = "";
	struct rtattr *a, *k;
	uint8_t state = 0;

	memset(l, 0, sizeof(*l));
	for (a = IFLA_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_OPERSTATE)
			state = *(uint8_t *)RTA_DATA(a);
		if (a->rta_type == IFLA_MTU)
			l->mtu = *(uint32_t *)RTA_DATA(a);
		if (a->rta_type == IFLA_LINK)
			below = *(int *)RTA_DATA(a);
		if (a->rta_type != IFLA_LINKINFO)
			continue;
		nested = RTA_PAYLOAD(a);
		for (k = RTA_DATA(a); RTA_OK(k, nested);
		     k = RTA_NEXT(k, nested))
			if (k->rta_type == IFLA_INFO_KIND)
				kind = RTA_DATA(k);
	}
	l->index = m->ifi_index;
	l->up = m->ifi_flags & IFF_UP;
	l->parent = strcmp(kind, "vlan") ? 0 : below;
	l->carrier_known = !l->up || (strcmp(kind, "veth") && strcmp(kind, "vlan")) ||
			   (state == IF_OPER_UP) == !!(m->ifi_flags & IFF_LOWER_UP);
}

/* Whether a VLAN device has what its parent's state and MTU lead to. */
static bool follows(const struct link *l, const struct link *all, int n)
{
	int i;

	for (i = 0; l->parent && i < n; i++)
		if (all[i].index == l->parent)
			return l->up == all[i].up && l->mtu <= all[i].mtu;
	return true;
}

enum rtnl_links rtnl_links_ready(void)
{
	enum rtnl_links ready = RTNL_READY;
	static struct link links[MAX_LINKS];
	static char buf[32768];
	struct nlmsghdr *h = NULL;
	struct req q;
	int fd = rtnl_open(), len, i, n = 0;

	start(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	q.n.nlmsg_flags &= ~NLM_F_ACK;
	if (fd < 0 || send(fd, &q, q.n.nlmsg_len, 0) < 0)
		return RTNL_LATE;
	do {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len <= 0)
			break;
		for (h = (void *)buf; NLMSG_OK(h, (unsigned int)len);
		     h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_DONE ||
			    h->nlmsg_type == NLMSG_ERROR)
				break;
			if (n < MAX_LINKS)
				read_link(h, &links[n++]);
		}
	} while (!NLMSG_OK(h, (unsigned int)len));
	for (i = 0; i < n; i++)
		if (!follows(&links[i], links, n))
			ready = RTNL_FOLLOWS;
	/* What may wait up to a second is done at once if one asks for the device. */
	for (i = 0; i < n; i++) {
		struct ifinfomsg *m;

		if (links[i].carrier_known)
			continue;
		ready = RTNL_LATE;
		m = start(&q, RTM_GETLINK, 0, sizeof(*m));
		m->ifi_index = links[i].index;
		talk(fd, &q);
	}
	close(fd);
	return ready;
}

static bool get_mac(const char *s, uint8_t *mac)
{
	return sscanf(s, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		      &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

/* A[/L], IPv4 or IPv6; returns the family, or 0. */
static int get_prefix(const char *s, void *addr, int *plen)
{
	int family = strchr(s, ':') ? AF_INET6 : AF_INET;
	char buf[INET6_ADDRSTRLEN + 4];
	char *slash;

	if (!strcmp(s, "default")) {
		memset(addr, 0, 4);
		*plen = 0;
		return AF_INET;
	}
	snprintf(buf, sizeof(buf), "%s", s);
	slash = strchr(buf, '/');
	*plen = slash ? atoi(slash + 1) : family == AF_INET ? 32 : 128;
	if (slash)
		*slash = '\0';
	return inet_pton(family, buf, addr) == 1 ? family : 0;
}

static int get_netns(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * link add D index I netns N address M type veth
 *	peer name P index I netns N address M
 */
static int veth_add(int fd, char **w, const char *dir)
{
	struct rtattr *info, *data, *peer;
	uint8_t mac[6], peer_mac[6];
	int ns, peer_ns, err = -EINVAL;
	struct ifinfomsg *m;
	struct req q;

	ns = get_netns(dir, w[6]);
	peer_ns = get_netns(dir, w[17]);
	if (ns >= 0 && peer_ns >= 0 && get_mac(w[8], mac) &&
	    get_mac(w[19], peer_mac)) {
		m = start(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
			  sizeof(*m));
		m->ifi_index = atoi(w[4]);
		attr(&q, IFLA_IFNAME, w[2], strlen(w[2]) + 1);
		attr(&q, IFLA_NET_NS_FD, &ns, sizeof(ns));
		attr(&q, IFLA_ADDRESS, mac, sizeof(mac));
		info = attr(&q, IFLA_LINKINFO, NULL, 0);
		attr(&q, IFLA_INFO_KIND, "veth", 4);
		data = attr(&q, IFLA_INFO_DATA, NULL, 0);
		peer = attr(&q, VETH_INFO_PEER, NULL, 0);
		m = put(&q, sizeof(*m));
		m->ifi_index = atoi(w[15]);
		attr(&q, IFLA_IFNAME, w[13], strlen(w[13]) + 1);
		attr(&q, IFLA_NET_NS_FD, &peer_ns, sizeof(peer_ns));
		attr(&q, IFLA_ADDRESS, peer_mac, sizeof(peer_mac));
		attr_end(&q, peer);
		attr_end(&q, data);
		attr_end(&q, info);
		err = talk(fd, &q);
	}
	if (ns >= 0)
		close(ns);
	if (peer_ns >= 0)
		close(peer_ns);
	return err;
}

static int ip_link(int fd, char **w, int n, const char *dir)
{
	struct ifinfomsg *m;
	struct req q;
	uint32_t mtu;

	if (n == 20 && !strcmp(w[1], "add") && !strcmp(w[3], "index") &&
	    !strcmp(w[5], "netns") && !strcmp(w[10], "veth") &&
	    !strcmp(w[14], "index") && !strcmp(w[18], "address"))
		return veth_add(fd, w, dir);
	if (n == 3 && !strcmp(w[1], "del")) {
		m = start(&q, RTM_DELLINK, 0, sizeof(*m));
	} else if (n == 4 && !strcmp(w[1], "set") &&
		   (!strcmp(w[3], "up") || !strcmp(w[3], "down"))) {
		m = start(&q, RTM_NEWLINK, 0, sizeof(*m));
		m->ifi_change = IFF_UP;
		m->ifi_flags = w[3][0] == 'u' ? IFF_UP : 0;
	} else if (n == 5 && !strcmp(w[1], "set") && !strcmp(w[3], "arp")) {
		m = start(&q, RTM_NEWLINK, 0, sizeof(*m));
		m->ifi_change = IFF_NOARP;
		m->ifi_flags = strcmp(w[4], "off") ? 0 : IFF_NOARP;
	} else if (n == 5 && !strcmp(w[1], "set") && !strcmp(w[3], "mtu")) {
		m = start(&q, RTM_NEWLINK, 0, sizeof(*m));
		mtu = atoi(w[4]);
		attr(&q, IFLA_MTU, &mtu, sizeof(mtu));
	} else {
		return 1;
	}
	m->ifi_index = if_nametoindex(w[2]);
	return m->ifi_index ? talk(fd, &q) : -ENODEV;
}

static int ip_addr(int fd, char **w, int n)
{
	bool add = !strcmp(w[1], "add");
	bool brd = n == 7 && !strcmp(w[3], "brd") && !strcmp(w[4], "+");
	bool nodad = n == 6 && !strcmp(w[5], "nodad");
	uint8_t addr[16];
	struct ifaddrmsg *m;
	int family, plen;
	struct req q;
	uint32_t all;

	if (nodad)
		n--;
	if (!(n == 5 || brd) || strcmp(w[n - 2], "dev") ||
	    (!add && strcmp(w[1], "del")))
		return 1;
	family = get_prefix(w[2], addr, &plen);
	m = start(&q, add ? RTM_NEWADDR : RTM_DELADDR,
		  add ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*m));
	m->ifa_family = family;
	m->ifa_prefixlen = plen;
	m->ifa_flags = nodad ? IFA_F_NODAD : 0;
	m->ifa_index = if_nametoindex(w[n - 1]);
	attr(&q, IFA_LOCAL, addr, family == AF_INET ? 4 : 16);
	attr(&q, IFA_ADDRESS, addr, family == AF_INET ? 4 : 16);
	if (brd && family == AF_INET && plen < 31) {
		memcpy(&all, addr, sizeof(all));
		all |= htonl(0xffffffff >> plen);
		attr(&q, IFA_BROADCAST, &all, sizeof(all));
	}
	return m->ifa_index && family ? talk(fd, &q) : -ENODEV;
}

static int ip_neigh(int fd, char **w, int n)
{
	uint8_t addr[16], mac[6];
	struct ndmsg *m;
	int family, plen;
	struct req q;

	if (n != 9 || strcmp(w[3], "lladdr") || strcmp(w[6], "permanent") ||
	    strcmp(w[7], "dev") ||
	    (strcmp(w[1], "add") && strcmp(w[1], "replace")))
		return 1;
	family = get_prefix(w[2], addr, &plen);
	m = start(&q, RTM_NEWNEIGH, NLM_F_CREATE |
		  (w[1][0] == 'a' ? NLM_F_EXCL : NLM_F_REPLACE), sizeof(*m));
	m->ndm_family = family;
	m->ndm_state = NUD_PERMANENT;
	m->ndm_ifindex = if_nametoindex(w[8]);
	attr(&q, NDA_DST, addr, family == AF_INET ? 4 : 16);
	if (!family || !m->ndm_ifindex || !get_mac(w[4], mac))
		return -EINVAL;
	attr(&q, NDA_LLADDR, mac, sizeof(mac));
	return talk(fd, &q);
}

static int ip_route(int fd, char **w, int n)
{
	struct rtnl_route r = { 0 };
	uint8_t dst[16], gw[16];
	int i, plen, gwlen;

	if (n < 3 || n % 2 == 0 ||
	    (strcmp(w[1], "add") && strcmp(w[1], "replace") &&
	     strcmp(w[1], "del")))
		return 1;
	r.family = get_prefix(w[2], dst, &plen);
	if (!r.family)
		return 1;
	r.dst = dst;
	r.plen = plen;
	for (i = 3; i < n; i += 2) {
		if (!strcmp(w[i], "via")) {
			if (get_prefix(w[i + 1], gw, &gwlen) != r.family)
				return 1;
			r.gw = gw;
		} else if (!strcmp(w[i], "dev")) {
			r.oif = if_nametoindex(w[i + 1]);
			if (!r.oif)
				return -ENODEV;
		} else if (!strcmp(w[i], "metric")) {
			r.metric = atoi(w[i + 1]);
		} else {
			return 1;
		}
	}
	if (w[1][0] == 'd')
		return rtnl_del(fd, &r);
	return rtnl_add(fd, &r, w[1][0] == 'r');
}

int rtnl_ip(const char *args, const char *netns_dir)
{
	char buf[512], *w[MAX_WORDS], *save;
	int n = 0, fd, err = 1;

	snprintf(buf, sizeof(buf), "%s", args);
	for (w[0] = strtok_r(buf, "\t ", &save); w[n];
	     w[n] = strtok_r(NULL, "\t ", &save)) {
		if (++n == MAX_WORDS)
			return 1;
	}
	if (n < 3)
		return 1;
	fd = rtnl_open();
	if (fd < 0)
		return -errno;
	if (!strcmp(w[0], "link"))
		err = ip_link(fd, w, n, netns_dir);
	else if (!strcmp(w[0], "addr"))
		err = ip_addr(fd, w, n);
	else if (!strcmp(w[0], "neigh"))
		err = ip_neigh(fd, w, n);
	else if (!strcmp(w[0], "route"))
		err = ip_route(fd, w, n);
	close(fd);
	return err;
}
