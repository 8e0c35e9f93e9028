/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ALTFIB_SELFTEST_PACKET_H
#define ALTFIB_SELFTEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PKT_MAX		9216
#define PKT_MAGIC	0x41464942	/* "AFIB", first word of each payload */

/* What `send` and `flood` can say about a frame. Addresses in host order. */
struct pkt_spec {
	uint8_t dmac[6], smac[6];
	uint32_t src, dst;
	uint32_t sstep, dstep;		/* added for each further packet */
	uint32_t quote, rest;		/* ICMP errors: about whom, second word */
	unsigned int n;
	unsigned int len;		/* payload after the L4 header */
	unsigned int id;
	uint16_t sport, dport;
	uint16_t frag;			/* offset in bytes */
	uint8_t proto, ttl, tos, tcpflags, icmptype, icmpcode;
	bool df, mf, badsum;
	uint8_t opt[40];
	unsigned int optlen;		/* a multiple of four */
};

void pkt_spec_init(struct pkt_spec *s);

/* Returns NULL, or what is wrong with the argument. */
const char *pkt_spec_arg(struct pkt_spec *s, const char *arg);

/* Frame number @i of @s, stamped with @epoch; returns its length. */
size_t pkt_build(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		 uint8_t *buf);

/*
 * One line that names everything a router may change or must keep, and nothing
 * that differs between two equal runs (IP id and checksums are verified, not
 * printed). Returns false for a frame that is neither IPv4 nor, with @arp, ARP.
 */
bool pkt_describe(const uint8_t *buf, size_t len, bool arp, char *out,
		  size_t size);

/* The stamp of a UDP frame of ours; false if it is none. */
bool pkt_stamp(const uint8_t *buf, size_t len, uint32_t *epoch);

#endif
