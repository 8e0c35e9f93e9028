// SPDX-License-Identifier: GPL-2.0
/* The kernel's IPv6 counters. */
#include <stdio.h>
#include <string.h>

#include "counters.h"

/*
 * Each address joins a group, and MLD reports it twice, by timers, as unanswered
 * solicitations are repeated: both are taken out of the counters that they are
 * part of, and not shown by themselves. One whose link is gone, or has IPv6 off, when
 * its timer ends is in OutRequests or OutDiscards and in no other counter, so these
 * are not shown: what is sent is in OutTransmits, and what is forwarded at the taps.
 */
static const char *const less[][2] = {
	{ "Ip6InReceives", "Ip6InMcastPkts" },
	{ "Ip6InNoECTPkts", "Ip6InMcastPkts" },
	{ "Ip6InOctets", "Ip6InMcastOctets" },
	{ "Ip6OutTransmits", "Ip6OutMcastPkts" },
	{ "Ip6OutOctets", "Ip6OutMcastOctets" },
	{ "Icmp6OutMsgs", "Icmp6OutMLDv2Reports" },
	{ "Icmp6OutMsgs", "Icmp6OutNeighborSolicits" },
	{ NULL, NULL },
};

static struct counter *find(struct counter *c, int n, const char *name)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(c[i].name, name))
			return &c[i];
	return NULL;
}

static int hidden(const char *name)
{
	return strstr(name, "Mcast") || strstr(name, "MLD") ||
	       !strcmp(name, "Ip6OutRequests") ||
	       !strcmp(name, "Ip6OutDiscards") ||
	       !strcmp(name, "Icmp6OutType143") ||
	       !strcmp(name, "Icmp6OutNeighborSolicits") ||
	       !strcmp(name, "Icmp6OutType135");
}

int counters6_read(const char *path, struct counter *c, int max)
{
	FILE *f = fopen(path, "re");
	struct counter *a, *b;
	int n = 0, i, k;

	if (!f)
		return -1;
	/* Two that are equal are equal in each byte. */
	memset(c, 0, max * sizeof(*c));
	while (n < max && fscanf(f, "%63s %lld", c[n].name, &c[n].val) == 2)
		n++;
	fclose(f);
	for (k = 0; less[k][0]; k++) {
		a = find(c, n, less[k][0]);
		b = find(c, n, less[k][1]);
		if (a && b)
			a->val -= b->val;
	}
	for (i = 0; i < n; i++)
		if (hidden(c[i].name))
			c[i].val = 0;
	return n;
}
