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
	uint16_t gso;			/* payload of each segment to come */
	uint16_t sport, dport;
	uint16_t frag;			/* offset in bytes */
	uint8_t proto, ttl, tos, tcpflags, icmptype, icmpcode;
	bool df, mf, badsum;
	uint8_t opt[40];
	unsigned int optlen;		/* a multiple of four */
	/* IPv6, if one of the addresses is. tos and ttl mean what they do there. */
	struct {
		bool on;
		uint8_t src[16], dst[16], quote[16];
		uint8_t via[16];	/* in a routing header */
		uint32_t label, label_step;
		uint8_t ext;		/* the header in front, or IPPROTO_NONE */
		uint8_t rh;		/* type of the routing header */
		uint8_t opt;		/* option in the header in front */
		unsigned int datalen;
		uint8_t data[128];	/* instead of the payload's start */
	} six;
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

/*
 * Shared by the two families. @pseudo is the sum of the pseudo header.
 *
 * Room for the L4 header, then the payload; returns the length of both.
 */
size_t pkt_put_payload(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		       uint8_t *l4);
void pkt_finish_l4(const struct pkt_spec *s, uint8_t *l4, size_t l4len,
		   uint32_t pseudo);
void pkt_describe_l4(uint8_t proto, const uint8_t *l4, size_t len, bool whole,
		     bool quoted, uint32_t pseudo, char *out, size_t size);
uint32_t pkt_sum16(const void *data, size_t len, uint32_t sum);
uint16_t pkt_fold(uint32_t sum);
void pkt_add(char *out, size_t size, const char *fmt, ...);

/* packet6.c: true if the argument is one of IPv6's. */
bool pkt6_spec_arg(struct pkt_spec *s, const char *arg);
size_t pkt6_build(const struct pkt_spec *s, unsigned int i, uint32_t epoch,
		  uint8_t *p);

/*
 * Neighbour discovery only with @nd; never MLD reports, which come by timers
 * whenever an address does.
 */
bool pkt6_describe(const uint8_t *p, size_t len, bool nd, char *out, size_t size);

#endif
