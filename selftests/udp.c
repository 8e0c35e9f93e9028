// SPDX-License-Identifier: GPL-2.0
/*
 * udp: a server and a sender of UDP with one unconnected socket each, as a DNS
 * server has it: the kernel looks up a route for each datagram that is sent.
 *
 *	udp serve PORT COUNT	answers COUNT requests with as many bytes, and ends
 *	udp send PORT ROUNDS [SOURCE-PORT]
 *				sends ROUNDS times a datagram to each of the addresses
 *				on standard input, IPv4 and IPv6, one a line
 *	udp ask ADDR PORT COUNT [SOURCE]
 *				sends COUNT requests, one after the other, from a
 *				connected socket, and waits for each answer; from the
 *				address SOURCE, which need not be on a device
 *
 * Each prints one line: how many datagrams, how many errors of which kind, and
 * the time in sendto(), which means something where nothing is emulated.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_ADDRESSES	2000000
#define MAX_ERRNO	134
#define ANSWER_MS	5000

static long errors[MAX_ERRNO];
static long sent;
static uint64_t ns_sending;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void count(ssize_t result)
{
	if (result >= 0)
		sent++;
	else
		errors[errno < MAX_ERRNO ? errno : 0]++;
}

static void summary(const char *what)
{
	int i;

	printf("%s %ld", what, sent);
	for (i = 0; i < MAX_ERRNO; i++)
		if (errors[i])
			printf(", %ld %s", errors[i], strerror(i));
	printf("\n# %.0f ns a sendto\n",
	       sent ? (double)ns_sending / sent : 0.0);
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

/* One socket for both families: an IPv6 one that takes IPv4 as well. */
static int bound(int port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	struct sockaddr_in any4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof(any)))
		return fd;
	fd = open_socket(AF_INET);
	if (bind(fd, (struct sockaddr *)&any4, sizeof(any4)))
		fail("bind");
	return fd;
}

static void serve(int port, long n)
{
	struct sockaddr_storage from;
	int fd = bound(port);
	char data[2048];
	socklen_t len;
	uint64_t t;
	ssize_t got;

	while (n--) {
		len = sizeof(from);
		got = recvfrom(fd, data, sizeof(data), 0,
			       (struct sockaddr *)&from, &len);
		if (got < 0)
			fail("recvfrom");
		t = now_ns();
		count(sendto(fd, data, got, 0, (struct sockaddr *)&from, len));
		ns_sending += now_ns() - t;
	}
	summary("answered");
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static size_t parse(const char *text, int port, union address *to)
{
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		return sizeof(to->v4);
	}
	if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) == 1) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons(port);
		return sizeof(to->v6);
	}
	fprintf(stderr, "udp: no address: %s\n", text);
	exit(2);
}

static void send_all(int port, long rounds, int source)
{
	union address *to = calloc(MAX_ADDRESSES, sizeof(*to));
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = htons(source),
	};
	struct sockaddr_in6 any6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(source),
	};
	const int only = 1;
	char line[128], data[32] = "altfib";
	int fd4 = open_socket(AF_INET);
	int fd6 = socket(AF_INET6, SOCK_DGRAM, 0);
	size_t n = 0, i;
	uint64_t t;

	if (!to)
		fail("addresses");
	if (source && bind(fd4, (struct sockaddr *)&any, sizeof(any)))
		fail("bind");
	setsockopt(fd6, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (source && fd6 >= 0 && bind(fd6, (struct sockaddr *)&any6, sizeof(any6)))
		fail("bind");
	while (n < MAX_ADDRESSES && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		parse(line, port, &to[n++]);
	}
	while (rounds--) {
		t = now_ns();
		for (i = 0; i < n; i++) {
			if (to[i].any.sa_family == AF_INET)
				count(sendto(fd4, data, sizeof(data), 0,
					     &to[i].any, sizeof(to[i].v4)));
			else
				count(sendto(fd6, data, sizeof(data), 0,
					     &to[i].any, sizeof(to[i].v6)));
		}
		ns_sending += now_ns() - t;
	}
	summary("sent");
	free(to);
}

/* To an address that is the machine's by a local route only. */
static void bind_to(int fd, const char *addr)
{
	union address from;
	size_t len = parse(addr, 0, &from);
	int on = 1, err;

	if (from.any.sa_family == AF_INET)
		err = setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	else
		err = setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	if (err || bind(fd, &from.any, len))
		fail("bind");
}

static void ask(const char *addr, int port, long n, const char *source)
{
	char data[32] = "altfib";
	struct pollfd p = { .events = POLLIN };
	union address to;
	size_t len = parse(addr, port, &to);
	long answers = 0;
	uint64_t t;

	p.fd = open_socket(to.any.sa_family);
	if (source)
		bind_to(p.fd, source);
	if (connect(p.fd, &to.any, len))
		fail("connect");
	while (n--) {
		t = now_ns();
		count(send(p.fd, data, sizeof(data), 0));
		ns_sending += now_ns() - t;
		if (poll(&p, 1, ANSWER_MS) == 1 &&
		    recv(p.fd, data, sizeof(data), 0) == sizeof(data))
			answers++;
	}
	summary("asked");
	printf("answers %ld\n", answers);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]), atol(argv[3]));
	else if ((argc == 4 || argc == 5) && !strcmp(argv[1], "send"))
		send_all(atoi(argv[2]), atol(argv[3]),
			 argc == 5 ? atoi(argv[4]) : 0);
	else if ((argc == 5 || argc == 6) && !strcmp(argv[1], "ask"))
		ask(argv[2], atoi(argv[3]), atol(argv[4]),
		    argc == 6 ? argv[5] : NULL);
	else
		goto usage;
	return 0;
usage:
	fprintf(stderr, "usage: udp serve PORT COUNT | send PORT ROUNDS [SOURCE-PORT] | ask ADDR PORT COUNT [SOURCE]\n");
	return 2;
}
