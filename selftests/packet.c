// SPDX-License-Identifier: GPL-2.0
/* Frames as text, both ways: "udp src=... ttl=..." to bytes, bytes to a line. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

struct stamp {
	uint32_t magic, epoch, seq;
};

uint32_t pkt_sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	if (len)
		sum += p[0] << 8;
	return sum;
}

uint16_t pkt_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Of the pseudo header: what each checksum behind an IP header starts from. */
static uint32_t pseudo_sum(const struct iphdr *ip, size_t len)
{
	return pkt_sum16(&ip->saddr, 8, ip->protocol + len);
}

void pkt_spec_init(struct pkt_spec *s)
{
	memset(s, 0, sizeof(*s));
	s->proto = IPPROTO_UDP;
	s->n = 1;
	s->ttl = 64;
	s->len = 32;
	s->id = 1;
	s->sport = 1000;
	s->dport = 2000;
	s->tcpflags = TH_SYN;
	s->icmptype = ICMP_ECHO;
	s->six.ext = IPPROTO_NONE;
	memcpy(s->smac, "\x02\0\0\0\xff\x01", 6);
}

static bool parse_mac(const char *v, uint8_t *mac)
{
	return sscanf(v, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		      &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

static bool parse_ip(const char *v, uint32_t *ip)
{
	struct in_addr a;

	if (inet_pton(AF_INET, v, &a) != 1)
		return false;
	*ip = ntohl(a.s_addr);
	return true;
}

static bool parse_opt(struct pkt_spec *s, const char *v)
{
	static const uint8_t ts[8] = { IPOPT_TIMESTAMP, 8, 5, 0 };
	static const uint8_t rr[8] = { IPOPT_RR, 7, 4 };
	static const uint8_t ra[4] = { 148, 4 };
	static const uint8_t nop[4] = { 1, 1, 1, 0 };
	static const uint8_t bad[4] = { IPOPT_RR, 40, 4, 0 };
	const uint8_t *o;
	uint32_t hop;

	s->optlen = 4;
	if (!strcmp(v, "ts") || !strcmp(v, "rr")) {
		o = v[0] == 't' ? ts : rr;
		s->optlen = 8;
	} else if (!strcmp(v, "ra")) {
		o = ra;
	} else if (!strcmp(v, "nop")) {
		o = nop;
	} else if (!strcmp(v, "bad")) {
		o = bad;
	} else if ((!strncmp(v, "lsrr:", 5) || !strncmp(v, "ssrr:", 5)) &&
		   parse_ip(v + 5, &hop)) {
		hop = htonl(hop);
		s->opt[0] = v[0] == 'l' ? IPOPT_LSRR : IPOPT_SSRR;
		s->opt[1] = 7;
		s->opt[2] = 4;
		memcpy(s->opt + 3, &hop, 4);
		s->optlen = 8;
		return true;
	} else {
		return false;
	}
	memcpy(s->opt, o, s->optlen);
	return true;
}

const char *pkt_spec_arg(struct pkt_spec *s, const char *arg)
{
	const char *v = strchr(arg, '=');
	size_t k;

	if (!v) {
		if (!strcmp(arg, "udp"))
			s->proto = IPPROTO_UDP;
		else if (!strcmp(arg, "tcp"))
			s->proto = IPPROTO_TCP;
		else if (!strcmp(arg, "icmp"))
			s->proto = IPPROTO_ICMP;
		else if (!strcmp(arg, "df"))
			s->df = true;
		else if (!strcmp(arg, "mf"))
			s->mf = true;
		else if (!strcmp(arg, "badsum"))
			s->badsum = true;
		else
			return "unknown word";
		return NULL;
	}
	if (pkt6_spec_arg(s, arg))
		return NULL;
	k = v++ - arg;
#define IS(name) (k == strlen(name) && !strncmp(arg, name, k))
	if (IS("src"))
		return parse_ip(v, &s->src) ? NULL : "bad address";
	if (IS("dst"))
		return parse_ip(v, &s->dst) ? NULL : "bad address";
	if (IS("dmac"))
		return parse_mac(v, s->dmac) ? NULL : "bad MAC address";
	if (IS("smac"))
		return parse_mac(v, s->smac) ? NULL : "bad MAC address";
	if (IS("quote"))
		return parse_ip(v, &s->quote) ? NULL : "bad address";
	if (IS("rest") && parse_ip(v, &s->rest))
		return NULL;
	if (IS("opt"))
		return parse_opt(s, v) ? NULL : "unknown IP option";
	if (IS("n"))
		s->n = atoi(v);
	else if (IS("len"))
		s->len = atoi(v);
	else if (IS("ttl"))
		s->ttl = atoi(v);
	else if (IS("tos"))
		s->tos = strtoul(v, NULL, 0);
	else if (IS("sport"))
		s->sport = atoi(v);
	else if (IS("dport"))
		s->dport = atoi(v);
	else if (IS("proto"))
		s->proto = atoi(v);
	else if (IS("id"))
		s->id = atoi(v);
	else if (IS("gso"))
		s->gso = atoi(v);
	else if (IS("frag"))
		s->frag = atoi(v);
	else if (IS("flags"))
		s->tcpflags = strtoul(v, NULL, 0);
	else if (IS("type"))
		s->icmptype = atoi(v);
	else if (IS("code"))
		s->icmpcode = atoi(v);
	else if (IS("rest"))
		s->rest = atoi(v);
	else if (IS("dstep"))
		s->dstep = strtoul(v, NULL, 0);
	else if (IS("sstep"))
		s->sstep = strtoul(v, NULL, 0);
	else
		return "unknown key";
#undef IS
	if (s->len > PKT_MAX - 192)
		return "len is too big";
	return NULL;
}

/*
 * What an ICMP error is about: an echo reply that the receiver sent to s->quote.
 * Of those the kernel believes what it is told without a socket.
 */
static void put_quote(const struct pkt_spec *s, uint8_t *p)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.ttl = 63,
		.protocol = IPPROTO_ICMP,
		.tot_len = htons(1500),
		.frag_off = htons(IP_DF),
		.saddr = htonl(s->dst),
		.daddr = htonl(s->quote),
	};

	ip.check = htons(pkt_fold(pkt_sum16(&ip, sizeof(ip), 0)));
	memcpy(p, &ip, sizeof(ip));
	memset(p + sizeof(ip), 0, sizeof(struct icmphdr));
}

size_t pkt_put_payload(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		       uint8_t *l4)
{
	struct stamp st = { htonl(PKT_MAGIC), htonl(epoch), htonl(i) };
	size_t head = 0, j;

	/* A later fragment has no L4 header of its own. */
	if (!s->frag) {
		if (s->proto == IPPROTO_UDP)
			head = sizeof(struct udphdr);
		else if (s->proto == IPPROTO_TCP)
			head = sizeof(struct tcphdr);
		else if (s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6)
			head = sizeof(struct icmphdr);
	}
	memset(l4, 0, head);
	for (j = 0; j < s->len; j++)
		l4[head + j] = j;
	if (s->len >= sizeof(st))
		memcpy(l4 + head, &st, sizeof(st));
	return head + s->len;
}

void pkt_finish_l4(const struct pkt_spec *s, uint8_t *l4, size_t l4len,
		   uint32_t pseudo)
{
	if (s->frag)
		return;
	if (s->proto == IPPROTO_UDP) {
		struct udphdr *udp = (void *)l4;

		udp->source = htons(s->sport);
		udp->dest = htons(s->dport);
		udp->len = htons(l4len);
		/* The checksum of a fragmented datagram is not ours to know. */
		if (s->gso)
			udp->check = htons(pkt_fold(pseudo) ^ 0xffff);
		else if (!s->mf)
			udp->check = htons(pkt_fold(pkt_sum16(l4, l4len, pseudo)));
	} else if (s->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)l4;

		tcp->source = htons(s->sport);
		tcp->dest = htons(s->dport);
		tcp->seq = htonl(1000);
		tcp->th_flags = s->tcpflags;
		tcp->doff = 5;
		tcp->window = htons(1024);
		tcp->check = htons(s->gso ? pkt_fold(pseudo) ^ 0xffff :
					    pkt_fold(pkt_sum16(l4, l4len, pseudo)));
	}
}

size_t pkt_build(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		 uint8_t *buf)
{
	struct ether_header *eth = (void *)buf;
	struct iphdr *ip = (void *)(eth + 1);
	uint8_t *l4 = (uint8_t *)(ip + 1) + s->optlen;
	size_t l4len;

	memcpy(eth->ether_dhost, s->dmac, 6);
	memcpy(eth->ether_shost, s->smac, 6);
	if (s->six.on)
		return sizeof(*eth) + pkt6_build(s, i, epoch, buf + sizeof(*eth));
	eth->ether_type = htons(ETHERTYPE_IP);

	l4len = pkt_put_payload(s, i, epoch, l4);
	memset(ip, 0, sizeof(*ip));
	memcpy(ip + 1, s->opt, s->optlen);
	ip->version = 4;
	ip->ihl = 5 + s->optlen / 4;
	ip->tos = s->tos;
	ip->tot_len = htons(ip->ihl * 4 + l4len);
	ip->id = htons(s->id + (s->frag || s->mf ? 0 : i));
	ip->frag_off = htons((s->df ? IP_DF : 0) | (s->mf ? IP_MF : 0) |
			     s->frag >> 3);
	ip->ttl = s->ttl;
	ip->protocol = s->proto;
	ip->saddr = htonl(s->src + i * s->sstep);
	ip->daddr = htonl(s->dst + i * s->dstep);
	ip->check = htons(pkt_fold(pkt_sum16(ip, ip->ihl * 4, 0)));
	if (s->badsum)
		ip->check ^= 0xffff;

	if (s->proto == IPPROTO_ICMP && !s->frag) {
		struct icmphdr *icmp = (void *)l4;

		icmp->type = s->icmptype;
		icmp->code = s->icmpcode;
		icmp->un.echo.id = htons(s->sport);
		icmp->un.echo.sequence = htons(i);
		if (s->quote && s->len >= 28) {
			icmp->un.gateway = htonl(s->rest);
			put_quote(s, (uint8_t *)(icmp + 1));
		}
		icmp->checksum = htons(pkt_fold(pkt_sum16(l4, l4len, 0)));
	} else {
		pkt_finish_l4(s, l4, l4len, pseudo_sum(ip, l4len));
	}
	return sizeof(*eth) + ip->ihl * 4 + l4len;
}

/* Left for the device to finish, as veth never does: not an error. */
static bool partial_sum(uint32_t pseudo, uint16_t check)
{
	return check == htons(pkt_fold(pseudo) ^ 0xffff);
}

void pkt_add(char *out, size_t size, const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + used, size - used, fmt, ap);
	va_end(ap);
}

void pkt_describe_l4(uint8_t proto, const uint8_t *l4, size_t len, bool whole,
		     bool quoted, uint32_t pseudo, char *out, size_t size)
{
	uint32_t w[2];

	if (proto == IPPROTO_UDP) {
		const struct udphdr *udp = (const void *)l4;

		pkt_add(out, size, " udp %u>%u", ntohs(udp->source),
			ntohs(udp->dest));
		if (whole && udp->check &&
		    pkt_fold(pkt_sum16(l4, len, pseudo)) &&
		    !partial_sum(pseudo, udp->check))
			pkt_add(out, size, " BADSUM");
		if (len >= 20 && !quoted) {
			memcpy(w, l4 + 8, sizeof(w));
			if (ntohl(w[0]) == PKT_MAGIC && w[1])
				pkt_add(out, size, " e=%u", ntohl(w[1]));
		}
	} else if (proto == IPPROTO_TCP) {
		const struct tcphdr *tcp = (const void *)l4;

		pkt_add(out, size, " tcp %u>%u", ntohs(tcp->source),
			ntohs(tcp->dest));
		if (len >= sizeof(*tcp) && !quoted)
			pkt_add(out, size, " flags=%#x", tcp->th_flags);
	} else {
		pkt_add(out, size, " proto=%u", proto);
	}
}

static const char *ip4(uint32_t a, char *buf)
{
	struct in_addr in = { .s_addr = a };

	return inet_ntop(AF_INET, &in, buf, INET_ADDRSTRLEN);
}

static void describe_ip(const uint8_t *p, size_t len, bool quoted, char *out,
			size_t size)
{
	const struct iphdr *ip = (const void *)p;
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];
	size_t hl = ip->ihl * 4, tot = ntohs(ip->tot_len), off;
	const uint8_t *l4 = p + hl;
	bool whole;

	if (len < sizeof(*ip) || len < hl || hl < sizeof(*ip)) {
		pkt_add(out, size, " ip truncated");
		return;
	}
	pkt_add(out, size, "%s>%s ttl=%u tos=%#x", ip4(ip->saddr, a),
	    ip4(ip->daddr, b), ip->ttl, ip->tos);
	if (pkt_fold(pkt_sum16(ip, hl, 0)))
		pkt_add(out, size, " BADIPSUM");
	if (ip->frag_off & htons(IP_DF))
		pkt_add(out, size, " df");
	off = (ntohs(ip->frag_off) & IP_OFFMASK) << 3;
	if (off || (ip->frag_off & htons(IP_MF)))
		pkt_add(out, size, " frag=%zu%s", off,
		    ip->frag_off & htons(IP_MF) ? "+" : "");
	if (hl > sizeof(*ip))
		/* Not the bytes: a timestamp option is filled in on the way. */
		pkt_add(out, size, " opt=%u/%zu", p[20], hl - sizeof(*ip));
	whole = !quoted && !off && !(ip->frag_off & htons(IP_MF)) && tot <= len;
	pkt_add(out, size, " len=%zu", tot);
	if (tot < len)
		len = tot;
	if (off || len < hl + 8) {
		pkt_add(out, size, " proto=%u", ip->protocol);
		return;
	}
	len -= hl;
	if (ip->protocol == IPPROTO_ICMP) {
		const struct icmphdr *icmp = (const void *)l4;

		pkt_add(out, size, " icmp %u/%u", icmp->type, icmp->code);
		if (whole && pkt_fold(pkt_sum16(l4, len, 0)))
			pkt_add(out, size, " BADSUM");
		if (icmp->type == ICMP_DEST_UNREACH &&
		    icmp->code == ICMP_FRAG_NEEDED)
			pkt_add(out, size, " mtu=%u", ntohs(icmp->un.frag.mtu));
		if (icmp->type == ICMP_REDIRECT)
			pkt_add(out, size, " gw=%s", ip4(icmp->un.gateway, a));
		if (!quoted && (icmp->type == ICMP_DEST_UNREACH ||
				icmp->type == ICMP_TIME_EXCEEDED ||
				icmp->type == ICMP_REDIRECT ||
				icmp->type == ICMP_PARAMETERPROB)) {
			pkt_add(out, size, " [");
			describe_ip(l4 + 8, len - 8, true, out, size);
			pkt_add(out, size, "]");
		}
	} else {
		pkt_describe_l4(ip->protocol, l4, len, whole, quoted,
				pseudo_sum(ip, len), out, size);
	}
}

bool pkt_describe(const uint8_t *buf, size_t len, bool arp, char *out,
		  size_t size)
{
	const struct ether_header *eth = (const void *)buf;
	const uint8_t *m = eth->ether_dhost;
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

	out[0] = '\0';
	if (len < sizeof(*eth))
		return false;
	pkt_add(out, size, "%02x:%02x:%02x:%02x:%02x:%02x ", m[0], m[1], m[2], m[3],
	    m[4], m[5]);
	if (eth->ether_type == htons(ETHERTYPE_IP)) {
		describe_ip(buf + sizeof(*eth), len - sizeof(*eth), false, out,
			    size);
		return true;
	}
	if (eth->ether_type == htons(ETHERTYPE_IPV6))
		return pkt6_describe(buf + sizeof(*eth), len - sizeof(*eth), arp,
				     out, size);
	if (arp && eth->ether_type == htons(ETHERTYPE_ARP) && len >= 42) {
		uint32_t spa, tpa;

		memcpy(&spa, buf + 28, 4);
		memcpy(&tpa, buf + 38, 4);
		pkt_add(out, size, "arp %s %s>%s", buf[21] == 1 ? "who-has" : "is-at",
		    ip4(spa, a), ip4(tpa, b));
		return true;
	}
	return false;
}

bool pkt_stamp(const uint8_t *buf, size_t len, uint32_t *epoch)
{
	const struct iphdr *ip = (const void *)(buf + 14);
	size_t head = 14 + 20 + 8;
	uint32_t w[2];

	if (len < head + 20 + sizeof(struct stamp))
		return false;
	if (buf[12] == 0x86 && buf[13] == 0xdd && buf[20] == IPPROTO_UDP)
		head += 20;
	else if (buf[12] != 8 || buf[13] || ip->ihl != 5 ||
		 ip->protocol != IPPROTO_UDP)
		return false;
	memcpy(w, buf + head, sizeof(w));
	*epoch = ntohl(w[1]);
	return ntohl(w[0]) == PKT_MAGIC;
}
