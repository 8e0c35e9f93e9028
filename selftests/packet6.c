// SPDX-License-Identifier: GPL-2.0
/* IPv6 frames as text, both ways; see packet.c. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

#define SRH_TYPE		4
#define MLD2_REPORT		143
#define ROUTER_ALERT		5

static bool parse_ip6(const char *v, uint8_t *addr)
{
	return strchr(v, ':') && inet_pton(AF_INET6, v, addr) == 1;
}

/*
 * dst: destination options; hbh: hop by hop, ra with a router alert, bad with an
 * option that is unknown and to be complained of; rh:ADDRESS of type 2, which only
 * Mobile IPv6 takes, srh:ADDRESS segment routing.
 */
static bool parse_ext(struct pkt_spec *s, const char *v)
{
	if (!strcmp(v, "hbh")) {
		s->six.ext = IPPROTO_HOPOPTS;
		return true;
	}
	if (!strcmp(v, "ra") || !strcmp(v, "bad")) {
		s->six.ext = IPPROTO_HOPOPTS;
		s->six.opt = v[0] == 'r' ? ROUTER_ALERT : 0x9e;
		return true;
	}
	if (!strcmp(v, "dst")) {
		s->six.ext = IPPROTO_DSTOPTS;
		return true;
	}
	s->six.ext = IPPROTO_ROUTING;
	if (!strncmp(v, "rh:", 3)) {
		s->six.rh = 2;
		return parse_ip6(v + 3, s->six.via);
	}
	s->six.rh = SRH_TYPE;
	return !strncmp(v, "srh:", 4) && parse_ip6(v + 4, s->six.via);
}

static bool parse_data(struct pkt_spec *s, const char *v)
{
	unsigned int n = 0;

	for (; v[0] && v[1]; v += 2) {
		if (n == sizeof(s->six.data) ||
		    sscanf(v, "%2hhx", &s->six.data[n++]) != 1)
			return false;
	}
	s->six.datalen = n;
	s->len = n;
	return !v[0];
}

bool pkt6_spec_arg(struct pkt_spec *s, const char *arg)
{
	const char *v = strchr(arg, '=') + 1;
	size_t k = v - arg;

#define IS(name) (k == strlen(name) && !strncmp(arg, name, k))
	if (IS("ext="))
		return parse_ext(s, v);
	if (IS("hex="))
		return parse_data(s, v);
	if (IS("src=") && parse_ip6(v, s->six.src))
		s->six.on = true;
	else if (IS("dst=") && parse_ip6(v, s->six.dst))
		s->six.on = true;
	else if (IS("quote=") && parse_ip6(v, s->six.quote))
		s->quote = 1;
	else if (IS("label="))
		s->six.label = strtoul(v, NULL, 0);
	else if (IS("lstep="))
		s->six.label_step = strtoul(v, NULL, 0);
	else if (IS("hop="))
		s->ttl = atoi(v);
	else if (IS("tclass="))
		s->tos = strtoul(v, NULL, 0);
	else
		return false;
#undef IS
	return true;
}

/* The address @i steps on, in the last 32 bits. */
static void put_addr(struct in6_addr *to, const uint8_t *from, uint32_t add)
{
	uint32_t last;

	memcpy(to, from, sizeof(*to));
	memcpy(&last, from + 12, sizeof(last));
	last = htonl(ntohl(last) + add);
	memcpy(to->s6_addr + 12, &last, sizeof(last));
}

static uint32_t pseudo_sum(const struct ip6_hdr *ip, const struct in6_addr *dst,
			   uint8_t proto, size_t len)
{
	uint32_t sum = pkt_sum16(&ip->ip6_src, 16, proto + len);

	return pkt_sum16(dst, 16, sum);
}

/* What an ICMPv6 error is about: as for IPv4, an echo reply. */
static void put_quote(const struct pkt_spec *s, uint8_t *p)
{
	struct ip6_hdr ip = {
		.ip6_vfc = 6 << 4,
		.ip6_nxt = IPPROTO_ICMPV6,
		.ip6_hlim = 63,
		.ip6_plen = htons(1460),
	};

	memcpy(&ip.ip6_src, s->six.dst, 16);
	memcpy(&ip.ip6_dst, s->six.quote, 16);
	memcpy(p, &ip, sizeof(ip));
	memset(p + sizeof(ip), 0, sizeof(struct icmp6_hdr));
	p[sizeof(ip)] = ICMP6_ECHO_REPLY;
}

/* The header in front, if there is one; returns its length. */
static size_t put_ext(const struct pkt_spec *s, uint8_t *p, uint8_t next)
{
	size_t len = 8;

	if (s->six.ext == IPPROTO_NONE)
		return 0;
	memset(p, 0, 32);
	p[0] = next;
	if (s->six.ext != IPPROTO_ROUTING && s->six.opt) {
		p[2] = s->six.opt;
		p[3] = 2;
		p[6] = IP6OPT_PADN;
	} else if (s->six.ext != IPPROTO_ROUTING) {
		p[2] = IP6OPT_PADN;
		p[3] = 4;
	} else {
		/* One more segment, the last. */
		len += 16;
		p[1] = 2;
		p[2] = s->six.rh;
		p[3] = 1;
		memcpy(p + 8, s->six.via, 16);
		if (s->six.rh == SRH_TYPE) {
			/* The second entry of the list is where it is now. */
			len += 16;
			p[1] = 4;
			p[4] = 1;
			memcpy(p + 24, s->six.dst, 16);
		}
	}
	return len;
}

size_t pkt6_build(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		  uint8_t *buf)
{
	struct ether_header *eth = (void *)(buf - sizeof(*eth));
	struct ip6_hdr *ip = (void *)buf;
	uint8_t proto = s->proto, next, *l4 = (uint8_t *)(ip + 1);
	bool fragment = s->frag || s->mf;
	uint32_t label, pseudo;
	struct pkt_spec copy;
	struct in6_addr dst;
	size_t l4len;

	eth->ether_type = htons(ETHERTYPE_IPV6);
	if (proto == IPPROTO_ICMP) {
		proto = IPPROTO_ICMPV6;
		copy = *s;
		copy.proto = proto;
		s = &copy;
	}
	memset(ip, 0, sizeof(*ip));
	label = (s->six.label + i * s->six.label_step) & 0xfffff;
	ip->ip6_flow = htonl(6u << 28 | (uint32_t)s->tos << 20 | label);
	ip->ip6_hlim = s->ttl;
	put_addr(&ip->ip6_src, s->six.src, i * s->sstep);
	put_addr(&ip->ip6_dst, s->six.dst, i * s->dstep);

	next = fragment ? IPPROTO_FRAGMENT : proto;
	ip->ip6_nxt = s->six.ext == IPPROTO_NONE ? next : s->six.ext;
	l4 += put_ext(s, l4, next);
	if (fragment) {
		struct ip6_frag *frag = (void *)l4;

		frag->ip6f_nxt = proto;
		frag->ip6f_reserved = 0;
		frag->ip6f_offlg = htons(s->frag | s->mf);
		frag->ip6f_ident = htonl(s->id);
		l4 += sizeof(*frag);
	}
	l4len = pkt_put_payload(s, i, epoch, l4);
	/* The sum is over where the packet goes in the end. */
	dst = ip->ip6_dst;
	if (s->six.ext == IPPROTO_ROUTING)
		memcpy(&dst, s->six.via, sizeof(dst));
	pseudo = pseudo_sum(ip, &dst, proto, l4len);
	if (proto == IPPROTO_ICMPV6 && !s->frag) {
		struct icmp6_hdr *icmp = (void *)l4;

		icmp->icmp6_type = s->icmptype == 8 ? ICMP6_ECHO_REQUEST : s->icmptype;
		icmp->icmp6_code = s->icmpcode;
		icmp->icmp6_id = htons(s->sport);
		icmp->icmp6_seq = htons(i);
		if (s->rest || s->quote)
			icmp->icmp6_data32[0] = htonl(s->rest);
		if (s->quote && s->len >= 48)
			put_quote(s, (uint8_t *)(icmp + 1));
		memcpy(icmp + 1, s->six.data, s->six.datalen);
		icmp->icmp6_cksum = htons(pkt_fold(pkt_sum16(l4, l4len, pseudo)));
		if (s->badsum)
			icmp->icmp6_cksum ^= 0xffff;
	} else {
		pkt_finish_l4(s, l4, l4len, pseudo);
	}
	ip->ip6_plen = htons(l4 + l4len - (uint8_t *)(ip + 1));
	return l4 + l4len - buf;
}

static void describe_icmp(const uint8_t *l4, size_t len, bool quoted, char *out,
			  size_t size);

static void describe_ip(const uint8_t *p, size_t len, bool quoted, char *out,
			size_t size)
{
	const struct ip6_hdr *ip = (const void *)p;
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	size_t at = sizeof(*ip), plen, off = 0;
	bool more = false, whole;
	uint32_t flow, pseudo;
	uint8_t next;

	if (len < sizeof(*ip)) {
		pkt_add(out, size, " ip6 truncated");
		return;
	}
	flow = ntohl(ip->ip6_flow);
	plen = ntohs(ip->ip6_plen);
	pkt_add(out, size, "%s>%s hop=%u", inet_ntop(AF_INET6, &ip->ip6_src, a, sizeof(a)),
		inet_ntop(AF_INET6, &ip->ip6_dst, b, sizeof(b)), ip->ip6_hlim);
	if (flow >> 20 & 0xff)
		pkt_add(out, size, " tclass=%#x", flow >> 20 & 0xff);
	if (flow & 0xfffff)
		pkt_add(out, size, " label=%#x", flow & 0xfffff);
	pkt_add(out, size, " len=%zu", plen);
	whole = !quoted && at + plen <= len;
	if (at + plen < len)
		len = at + plen;
	next = ip->ip6_nxt;
	while ((next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
		next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT) && at + 8 <= len) {
		if (next == IPPROTO_FRAGMENT) {
			const struct ip6_frag *frag = (const void *)(p + at);

			off = ntohs(frag->ip6f_offlg) & ~7;
			more = ntohs(frag->ip6f_offlg) & 1;
			pkt_add(out, size, " frag=%zu%s", off, more ? "+" : "");
			next = frag->ip6f_nxt;
			at += sizeof(*frag);
			continue;
		}
		pkt_add(out, size, " ext=%u/%u", next, p[at + 2]);
		if (next == IPPROTO_ROUTING) {
			pkt_add(out, size, "/%u", p[at + 3]);
			/* Which address the sum is over is not followed. */
			whole = false;
		}
		next = p[at];
		at += (p[at + 1] + 1) * 8;
	}
	if (off || at + 8 > len) {
		pkt_add(out, size, " proto=%u", next);
		return;
	}
	whole = whole && !more;
	len -= at;
	pseudo = pseudo_sum(ip, &ip->ip6_dst, next, len);
	if (next != IPPROTO_ICMPV6) {
		pkt_describe_l4(next, p + at, len, whole, quoted, pseudo, out, size);
		return;
	}
	describe_icmp(p + at, len, quoted, out, size);
	if (whole && pkt_fold(pkt_sum16(p + at, len, pseudo)))
		pkt_add(out, size, " BADSUM");
}

static void describe_icmp(const uint8_t *l4, size_t len, bool quoted, char *out,
			  size_t size)
{
	const struct icmp6_hdr *icmp = (const void *)l4;
	const uint8_t *inner = (const void *)(icmp + 1);
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	pkt_add(out, size, " icmp6 %u/%u", icmp->icmp6_type, icmp->icmp6_code);
	if (icmp->icmp6_type == ICMP6_PACKET_TOO_BIG)
		pkt_add(out, size, " mtu=%u", ntohl(icmp->icmp6_mtu));
	if (icmp->icmp6_type == ICMP6_PARAM_PROB)
		pkt_add(out, size, " at=%u", ntohl(icmp->icmp6_pptr));
	len -= sizeof(*icmp);
	if (icmp->icmp6_type == ND_REDIRECT && len >= 32)
		pkt_add(out, size, " gw=%s for=%s",
			inet_ntop(AF_INET6, inner, a, sizeof(a)),
			inet_ntop(AF_INET6, inner + 16, b, sizeof(b)));
	if ((icmp->icmp6_type == ND_NEIGHBOR_SOLICIT ||
	     icmp->icmp6_type == ND_NEIGHBOR_ADVERT) && len >= 16)
		pkt_add(out, size, " of=%s", inet_ntop(AF_INET6, inner, a, sizeof(a)));
	if (!quoted && icmp->icmp6_type < 128) {
		pkt_add(out, size, " [");
		describe_ip(inner, len, true, out, size);
		pkt_add(out, size, "]");
	}
}

/* Reports, solicitations, advertisements: none is an answer to a test's packet. */
static bool is_noise(const uint8_t *p, size_t len, bool nd)
{
	const struct ip6_hdr *ip = (const void *)p;
	size_t at = sizeof(*ip);
	uint8_t type;

	/* MLD comes behind a router alert. */
	if (len >= at + 8 && ip->ip6_nxt == IPPROTO_HOPOPTS && p[at] == IPPROTO_ICMPV6)
		at += (p[at + 1] + 1) * 8;
	else if (ip->ip6_nxt != IPPROTO_ICMPV6)
		return false;
	if (len <= at)
		return false;
	type = p[at];
	if (type == MLD2_REPORT || type == MLD_LISTENER_REPORT ||
	    type == MLD_LISTENER_REDUCTION || type == ND_ROUTER_SOLICIT)
		return true;
	return !nd && (type == ND_NEIGHBOR_SOLICIT || type == ND_NEIGHBOR_ADVERT);
}

bool pkt6_describe(const uint8_t *p, size_t len, bool nd, char *out, size_t size)
{
	if (len < sizeof(struct ip6_hdr) || is_noise(p, len, nd))
		return false;
	describe_ip(p, len, false, out, size);
	return true;
}
