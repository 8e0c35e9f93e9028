// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink family altfib from its rough side: what a well-behaved library never
 * sends.
 *
 *	nl fuzz SEED SECONDS	random and mutated messages; prints what came of them
 *	nl change COMMAND...	a dump of the routes, and COMMAND after its first part:
 *				says whether the rest was marked as inconsistent
 *	nl hold			begins a dump, and waits for the end of its input
 *
 * Exit status: 0, or 1 when something was not as it must be.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../include/uapi/linux/altfib.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define ROOM 2048

struct message {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	unsigned char attrs[ROOM];
};

static uint16_t family;
static uint32_t group;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- sockets ---------------------------------------------------------- */

static int open_socket(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int one = 1;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return fd;
}

static void begin(struct message *m, uint16_t type, uint8_t cmd, uint16_t flags)
{
	memset(m, 0, sizeof(*m));
	m->nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->nlh.nlmsg_type = type;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | flags;
	m->nlh.nlmsg_seq = 1;
	m->genl.cmd = cmd;
	m->genl.version = 1;
}

static void put(struct message *m, uint16_t type, const void *data, size_t len)
{
	size_t at = NLMSG_ALIGN(m->nlh.nlmsg_len);
	struct nlattr nla = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	if (at + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(*m))
		return;
	memcpy((char *)m + at, &nla, sizeof(nla));
	memcpy((char *)m + at + NLA_HDRLEN, data, len);
	m->nlh.nlmsg_len = at + NLA_HDRLEN + NLA_ALIGN(len);
}

static ssize_t send_message(int fd, const struct message *m, size_t len)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };

	return sendto(fd, m, len, 0, (struct sockaddr *)&to, sizeof(to));
}

static const struct nlattr *attribute(const void *attrs, size_t len, uint16_t type)
{
	const char *at = attrs;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *nla = (const void *)at;
		size_t step = NLA_ALIGN(nla->nla_len);

		if (nla->nla_len < NLA_HDRLEN || nla->nla_len > len)
			return NULL;
		if ((nla->nla_type & NLA_TYPE_MASK) == type)
			return nla;
		if (step > len)
			return NULL;
		at += step;
		len -= step;
	}
	return NULL;
}

/* The numbers of the family and of its group. */
static void find_family(void)
{
	const struct nlattr *groups, *id;
	struct message m, reply;
	int fd = open_socket();
	ssize_t len;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put(&m, CTRL_ATTR_FAMILY_NAME, ALTFIB_FAMILY_NAME, sizeof(ALTFIB_FAMILY_NAME));
	if (send_message(fd, &m, m.nlh.nlmsg_len) < 0)
		die("send");
	len = recv(fd, &reply, sizeof(reply), 0);
	if (len < 0)
		die("recv");
	len -= NLMSG_LENGTH(GENL_HDRLEN);
	id = attribute(reply.attrs, len, CTRL_ATTR_FAMILY_ID);
	groups = attribute(reply.attrs, len, CTRL_ATTR_MCAST_GROUPS);
	if (reply.nlh.nlmsg_type != GENL_ID_CTRL || !id || !groups) {
		fprintf(stderr, "there is no family %s\n", ALTFIB_FAMILY_NAME);
		exit(1);
	}
	family = *(uint16_t *)(id + 1);
	/* There is one, in a nest of its own. */
	id = attribute((char *)(groups + 2), groups->nla_len - 2 * NLA_HDRLEN,
		       CTRL_ATTR_MCAST_GRP_ID);
	if (id)
		group = *(uint32_t *)(id + 1);
	close(fd);
}

/* ---- what comes back -------------------------------------------------- */

static unsigned long answers, errors, dones, malformed;
static unsigned long answered[256];
static unsigned long by_errno[256];

/* Nests are marked as such, and what is in them is well-formed, too. */
static void check_attributes(const char *at, size_t len, int depth)
{
	while (len) {
		const struct nlattr *nla = (const void *)at;
		size_t step;

		if (len < NLA_HDRLEN || nla->nla_len < NLA_HDRLEN || nla->nla_len > len ||
		    depth > 4) {
			malformed++;
			return;
		}
		if (nla->nla_type & NLA_F_NESTED)
			check_attributes(at + NLA_HDRLEN, nla->nla_len - NLA_HDRLEN, depth + 1);
		step = NLA_ALIGN(nla->nla_len);
		if (step > len)
			step = len;
		at += step;
		len -= step;
	}
}

/* Reads what is there; returns whether any of it was marked as inconsistent. */
static int drain(int fd, int flags, size_t room, int *done)
{
	static char buffer[1 << 17];
	int intr = 0;
	ssize_t len;

	len = recv(fd, buffer, room < sizeof(buffer) ? room : sizeof(buffer), flags);
	for (struct nlmsghdr *nlh = (void *)buffer; len >= (ssize_t)sizeof(*nlh);) {
		size_t step = NLMSG_ALIGN(nlh->nlmsg_len);

		/* What was cut off in too small a buffer. */
		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len)
			break;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			intr = 1;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			int err = *(int *)NLMSG_DATA(nlh);

			errors++;
			if (err <= 0 && err > -256)
				by_errno[-err]++;
			if (done)
				*done = 1;
		} else if (nlh->nlmsg_type == NLMSG_DONE) {
			dones++;
			if (done)
				*done = 1;
		} else if (nlh->nlmsg_type == family) {
			const struct genlmsghdr *genl = NLMSG_DATA(nlh);

			answers++;
			answered[genl->cmd]++;
			check_attributes((char *)(genl + 1),
					 nlh->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), 0);
		}
		if (step > (size_t)len)
			break;
		nlh = (void *)((char *)nlh + step);
		len -= step;
	}
	return intr;
}

/* ---- fuzzing ---------------------------------------------------------- */

static uint64_t state;

static uint32_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static uint32_t below(uint32_t n)
{
	return n ? rnd() % n : 0;
}

static const uint8_t commands[] = {
	ALTFIB_CMD_GET, ALTFIB_CMD_ROUTES, ALTFIB_CMD_NEXTHOPS, ALTFIB_CMD_CACHES,
	ALTFIB_CMD_STATS, ALTFIB_CMD_AUDIT_START, ALTFIB_CMD_AUDIT_GET, ALTFIB_CMD_FLUSH,
	ALTFIB_CMD_TRAFFIC,
};

/* An address that leads somewhere, more often than not. */
static size_t address(unsigned char *to, int v6)
{
	static const uint8_t nets[][4] = {
		{ 10, 1, 0, 0 }, { 10, 0, 1, 0 }, { 127, 0, 0, 0 }, { 11, 0, 0, 0 },
		{ 224, 0, 0, 0 }, { 255, 255, 255, 255 }, { 0, 0, 0, 0 },
	};
	int i;

	for (i = 0; i < 16; i++)
		to[i] = rnd();
	if (v6) {
		if (below(4)) {
			memcpy(to, "\x20\x01\x0d\xb8\x00", 5);
			to[5] = below(16);
		}
		return 16;
	}
	if (below(4))
		memcpy(to, nets[below(7)], 2);
	return 4;
}

/* A message as it should be. */
static void good(struct message *m)
{
	uint8_t cmd = commands[below(sizeof(commands))];
	int dump = cmd == ALTFIB_CMD_ROUTES || cmd == ALTFIB_CMD_NEXTHOPS ||
		   cmd == ALTFIB_CMD_CACHES || cmd == ALTFIB_CMD_TRAFFIC;
	int v6 = below(2);
	unsigned char bytes[16];
	uint8_t af = below(2) ? 2 : 10;
	uint32_t number;

	begin(m, family, cmd, dump ? NLM_F_DUMP : below(2) ? NLM_F_ACK : 0);
	switch (cmd) {
	case ALTFIB_CMD_GET:
		put(m, ALTFIB_A_LOOKUP_DST, bytes, address(bytes, v6));
		if (below(2))
			put(m, ALTFIB_A_LOOKUP_SRC, bytes, address(bytes, v6));
		number = 1 + below(20);
		if (below(2))
			put(m, ALTFIB_A_LOOKUP_IIF, &number, sizeof(number));
		number = rnd();
		if (below(4) == 0)
			put(m, ALTFIB_A_LOOKUP_MARK, &number, sizeof(number));
		bytes[0] = below(64);
		if (below(4) == 0)
			put(m, ALTFIB_A_LOOKUP_DSCP, bytes, 1);
		break;
	case ALTFIB_CMD_ROUTES:
		number = below(2) ? 254 : below(300);
		if (below(2))
			put(m, ALTFIB_A_ROUTE_FAMILY, &af, 1);
		if (below(2))
			put(m, ALTFIB_A_ROUTE_TABLE, &number, sizeof(number));
		break;
	case ALTFIB_CMD_STATS:
		put(m, ALTFIB_A_STATS_FAMILY, &af, 1);
		break;
	}
}

/* Attributes of any type and length. */
static void random_attributes(struct message *m)
{
	unsigned char bytes[256];
	int n = below(6);
	size_t i, len;

	while (n--) {
		len = below(4) ? below(20) : below(sizeof(bytes));
		for (i = 0; i < len; i++)
			bytes[i] = rnd();
		put(m, below(20) | (below(8) ? 0 : NLA_F_NESTED) |
			       (below(16) ? 0 : NLA_F_NET_BYTEORDER), bytes, len);
	}
}

static size_t mutate(struct message *m)
{
	size_t len = m->nlh.nlmsg_len;
	int n = 1 + below(4);

	while (n--) {
		unsigned char *at = (unsigned char *)m;

		if (len > sizeof(*m))
			len = sizeof(*m);
		switch (below(10)) {
		case 0:
			m->genl.cmd = rnd();
			break;
		case 1:
			m->genl.cmd = commands[below(sizeof(commands))];
			break;
		case 2:
			m->nlh.nlmsg_flags = NLM_F_REQUEST | (rnd() & 0xffff);
			break;
		case 3:
			m->nlh.nlmsg_flags ^= NLM_F_DUMP;
			break;
		case 4:
			len = below(m->nlh.nlmsg_len + 1);
			break;
		case 5:
			m->nlh.nlmsg_len = below(2 * m->nlh.nlmsg_len);
			break;
		case 6:
			m->genl.version = rnd();
			m->genl.reserved = below(2) ? rnd() : 0;
			break;
		default:
			at += below(len ? len : 1);
			*at = below(2) ? rnd() : *at ^ 1u << below(8);
			break;
		}
	}
	return len > sizeof(*m) ? sizeof(*m) : len;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int fuzz(uint64_t seed, double seconds)
{
	unsigned long sent = 0, refused = 0;
	double end = now() + seconds;
	struct message m;
	size_t len, i;
	int fd;

	state = seed * 2654435761u + 88172645463325252ull;
	fd = open_socket();
	while (now() < end) {
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			good(&m);
			len = m.nlh.nlmsg_len;
			break;
		case 3:
			begin(&m, family, commands[below(sizeof(commands))],
			      below(2) ? NLM_F_DUMP : NLM_F_ACK);
			random_attributes(&m);
			len = m.nlh.nlmsg_len;
			break;
		case 4:
			good(&m);
			random_attributes(&m);
			len = m.nlh.nlmsg_len;
			break;
		default:
			good(&m);
			len = mutate(&m);
			/* Of other families others take care. */
			m.nlh.nlmsg_type = family;
			break;
		}
		if (send_message(fd, &m, len) < 0)
			refused++;
		sent++;
		if (below(64) == 0)
			setsockopt(fd, SOL_NETLINK,
				   below(2) ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
				   &group, sizeof(group));
		/* Mostly read to the end, else left half-way. */
		if (below(8)) {
			for (i = 0; i < 1000; i++) {
				unsigned long before = answers + errors + dones;

				drain(fd, MSG_DONTWAIT, below(4) ? 1 << 17 : 1 + below(9000), NULL);
				if (answers + errors + dones == before)
					break;
			}
		}
		if (below(32) == 0) {
			close(fd);
			fd = open_socket();
		}
	}
	close(fd);
	printf("# %lu messages sent, %lu not taken, %lu answers, %lu ends of dumps, %lu errors\n",
	       sent, refused, answers, dones, errors);
	printf("# answers:");
	for (i = 0; i < 256; i++)
		if (answered[i])
			printf(" command %zu: %lu", i, answered[i]);
	printf("\n# errors:");
	for (i = 0; i < 256; i++)
		if (by_errno[i])
			printf(" %s: %lu", i ? strerror(i) : "none", by_errno[i]);
	printf("\n");
	if (malformed)
		printf("%lu answers are malformed\n", malformed);
	/* It must have got as far as each command. */
	for (i = 0; i < sizeof(commands); i++) {
		if (commands[i] == ALTFIB_CMD_AUDIT_START || answered[commands[i]])
			continue;
		printf("command %d never answered\n", commands[i]);
		malformed++;
	}
	return !!malformed;
}

/* ---- dumps ------------------------------------------------------------ */

static void begin_dump(int fd)
{
	struct message m;
	uint32_t main_table = 254;
	uint8_t ipv4 = 2;

	begin(&m, family, ALTFIB_CMD_ROUTES, NLM_F_DUMP);
	put(&m, ALTFIB_A_ROUTE_FAMILY, &ipv4, sizeof(ipv4));
	put(&m, ALTFIB_A_ROUTE_TABLE, &main_table, sizeof(main_table));
	if (send_message(fd, &m, m.nlh.nlmsg_len) < 0)
		die("send");
}

static int change(char **command)
{
	int fd = open_socket();
	int intr = 0, done = 0;
	pid_t pid;

	begin_dump(fd);
	intr |= drain(fd, 0, 1 << 17, &done);
	if (done) {
		printf("the dump has one part only: %lu routes, %lu errors\n",
		       answered[ALTFIB_CMD_ROUTES], errors);
		return 1;
	}
	if (command[0]) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			execvp(command[0], command);
			_exit(127);
		}
		if (waitpid(pid, &done, 0) < 0 || done) {
			printf("the command failed\n");
			return 1;
		}
	}
	while (!done)
		intr |= drain(fd, 0, 1 << 17, &done);
	printf("%lu routes, %s\n", answered[ALTFIB_CMD_ROUTES],
	       intr ? "inconsistent" : "consistent");
	return errors || malformed;
}

static int hold(void)
{
	int fd = open_socket();
	char c;

	begin_dump(fd);
	drain(fd, 0, 1 << 17, NULL);
	printf("%lu routes\n", answered[ALTFIB_CMD_ROUTES]);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	find_family();
	if (argc == 4 && !strcmp(argv[1], "fuzz"))
		return fuzz(strtoull(argv[2], NULL, 0), strtod(argv[3], NULL));
	if (argc >= 2 && !strcmp(argv[1], "change"))
		return change(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	fprintf(stderr, "nl fuzz SEED SECONDS | change COMMAND... | hold\n");
	return 1;
}
