// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one scenario, read from standard input, one command a line, and prints
 * what came of it in a form that is equal for equal behaviour: frames seen at
 * the taps, datagrams at sockets, and counters that moved. Lines that start
 * with '#' are for the reader and are not compared.
 *
 * One process does the work of some hundred, since under emulation each fork
 * costs tens of milliseconds. The commands stand in the table at the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"
#include "packet.h"
#include "rtnl.h"

#define NETNS_DIR	"/run/netns"
#define MAX_TAPS	16
#define MAX_SOCKS	16
#define MAX_FLOODS	4
#define MAX_ARGS	64
#define MAX_LINES	16384
#define MAX_EPOCHS	16384
#define MAX_COUNTERS	1024
#define SETTLE_WAITS	4
#define MAX_NAMESPACES	16
#define FOLLOW_TRIES	10	/* for a VLAN device to follow its parent */

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

static int line_no;
static int home_ns;
static int n_floods;
static const char *arm;		/* a mode of altfib's, or "none" (not loaded) */
static const char *output;	/* what follows a '+' in the arm's name: altfib's output, */
static const char *cache;	/* its cache, */
static bool fast;		/* and its fast path */
static bool show_bytes;

static void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "probe: line %d: ", line_no);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	printf("probe failed in line %d\n", line_no);
	fflush(stdout);
	_exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

static void sleep_us(unsigned int us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000l };

	nanosleep(&ts, NULL);
}

static void to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

/* Namespaces */

static void enter(const char *ns)
{
	char path[128];
	int fd;

	if (!strcmp(ns, "-"))
		return;
	snprintf(path, sizeof(path), NETNS_DIR "/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("namespace %s: %s", ns, strerror(errno));
	close(fd);
}

static void leave(void)
{
	if (setns(home_ns, CLONE_NEWNET))
		die("cannot return from a namespace: %s", strerror(errno));
}

static void netns_drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	umount2(path, MNT_DETACH);
	if (unlink(path) && errno != ENOENT)
		die("cannot remove namespace %s: %s", name, strerror(errno));
}

/*
 * A device that comes up drops what it is given until the kernel has noticed
 * its carrier, from a work queue. So before packets are sent after a change,
 * every device that is up has to be ready.
 */
static char namespaces[MAX_NAMESPACES][32];
static bool links_changed;

/*
 * The same for IPv6 addresses: a work queue takes them from "tentative" to being
 * there, local route and all. In the namespace of the calling thread.
 */
static bool addresses_ready(void)
{
	FILE *f = fopen("/proc/net/if_inet6", "re");
	struct ifreq req = { 0 };
	char line[128];
	bool ready = true;
	unsigned int flags;
	int fd = -1;

	while (f && ready && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %x %15s", &flags, req.ifr_name) != 2 ||
		    !(flags & IFA_F_TENTATIVE))
			continue;
		if (fd < 0)
			fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		/* Kept on a device that is down, it stays so. */
		if (!ioctl(fd, SIOCGIFFLAGS, &req) && req.ifr_flags & IFF_UP)
			ready = false;
	}
	if (f)
		fclose(f);
	if (fd >= 0)
		close(fd);
	return ready;
}

static void wait_links(void)
{
	uint64_t end = now_ms() + 3000;
	enum rtnl_links links;
	int i, tries;

	if (!links_changed)
		return;
	links_changed = false;
	for (i = 0; i < MAX_NAMESPACES; i++) {
		if (!namespaces[i][0])
			continue;
		enter(namespaces[i]);
		for (tries = 0; now_ms() < end; tries++) {
			links = rtnl_links_ready();
			if (links != RTNL_LATE && addresses_ready() &&
			    (links == RTNL_READY || tries >= FOLLOW_TRIES))
				break;
			sleep_us(1000);
		}
		/* That was set a moment before: the lock says it is over. */
		rtnl_ip("link set lo up", NETNS_DIR);
		leave();
	}
}

static void cmd_netns_del(int argc, char **argv)
{
	int i, k;

	for (i = 1; i < argc; i++) {
		netns_drop(argv[i]);
		for (k = 0; k < MAX_NAMESPACES; k++)
			if (!strcmp(namespaces[k], argv[i]))
				namespaces[k][0] = '\0';
	}
}

static void cmd_netns(int argc, char **argv)
{
	char path[128];
	int i, k, fd;

	/* As ip-netns does it: it would otherwise do so later, over our mounts. */
	mkdir(NETNS_DIR, 0755);
	if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) &&
	    (errno != EINVAL ||
	     mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) ||
	     mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL)))
		die("cannot share %s: %s", NETNS_DIR, strerror(errno));
	cmd_netns_del(argc, argv);
	for (i = 1; i < argc; i++) {
		snprintf(path, sizeof(path), NETNS_DIR "/%s", argv[i]);
		fd = open(path, O_RDONLY | O_CREAT | O_EXCL, 0444);
		if (fd < 0)
			die("cannot create %s: %s", path, strerror(errno));
		close(fd);
		if (unshare(CLONE_NEWNET) ||
		    mount("/proc/self/ns/net", path, "none", MS_BIND, NULL))
			die("cannot create namespace %s: %s", argv[i],
			    strerror(errno));
		leave();
		for (k = 0; k < MAX_NAMESPACES - 1 && namespaces[k][0]; k++)
			;
		snprintf(namespaces[k], sizeof(namespaces[k]), "%s", argv[i]);
	}
}

static int write_sysctl(const char *key, const char *value)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void cmd_sysctl(int argc, char **argv)
{
	int err;

	if (argc != 4)
		die("usage: sysctl NS KEY VALUE");
	/* Some bring addresses, or take them. */
	if (!strncmp(argv[2], "net/ipv6/conf/", 14))
		links_changed = true;
	enter(argv[1]);
	err = write_sysctl(argv[2], argv[3]);
	leave();
	if (err)
		die("sysctl %s = %s in %s: %s", argv[2], argv[3], argv[1],
		    strerror(-err));
}

/* For settings of altfib itself, which are not there while it is not loaded. */
static void cmd_altfib_set(int argc, char **argv)
{
	if (strcmp(arm, "none"))
		cmd_sysctl(argc, argv);
}

static void cmd_sh(int argc, char **argv)
{
	int rc;

	fflush(stdout);
	rc = system(argv[1]);
	if (argc != 2 || rc)
		die("exit status %d of: %s", WEXITSTATUS(rc), argv[1]);
}

/*
 * What rtnl_ip() does not know is left to ip(8): such commands are collected,
 * and run as one batch before anything else.
 */

static FILE *batch;
static char *batch_text;
static size_t batch_size;
static char batch_ns[64];
static bool batch_six;

static void flush_batch(void)
{
	char *args[7] = { NULL };
	posix_spawn_file_actions_t actions;
	int rc, fd[2], n = 0;
	pid_t pid;
	FILE *p;

	if (!batch)
		return;
	fclose(batch);
	batch = NULL;
	fflush(stdout);
	args[n++] = "ip";
	if (batch_six)
		args[n++] = "-6";
	if (strcmp(batch_ns, "-")) {
		args[n++] = "-n";
		args[n++] = batch_ns;
	}
	args[n++] = "-batch";
	args[n++] = "-";
	if (pipe2(fd, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[0], 0);
	rc = posix_spawnp(&pid, "ip", &actions, NULL, args, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		die("cannot run ip: %s", strerror(rc));
	close(fd[0]);
	p = fdopen(fd[1], "w");
	fwrite(batch_text, 1, batch_size, p);
	fclose(p);
	if (waitpid(pid, &rc, 0) != pid || rc)
		die("ip failed in namespace %s:\n%s", batch_ns, batch_text);
	free(batch_text);
	batch_text = NULL;
}

/* ip6: the family is IPv6 where the words do not tell. */
static void cmd_ip(int argc, char **argv)
{
	bool six = argv[0][2];
	int err;

	if (argc != 3)
		die("usage: ip[6] NS ARGS");
	if (batch && (strcmp(batch_ns, argv[1]) || batch_six != six))
		flush_batch();
	if (!strncmp(argv[2], "link set ", 9) || !strncmp(argv[2], "addr ", 5))
		links_changed = true;
	if (!batch) {
		enter(argv[1]);
		err = six ? 1 : rtnl_ip(argv[2], NETNS_DIR);
		leave();
		if (err < 0)
			die("ip %s in %s: %s", argv[2], argv[1],
			    strerror(-err));
		if (!err)
			return;
		snprintf(batch_ns, sizeof(batch_ns), "%s", argv[1]);
		batch_six = six;
		batch = open_memstream(&batch_text, &batch_size);
	}
	fprintf(batch, "%s\n", argv[2]);
}

/*
 * What the softirq left to ksoftirqd is still to be routed. It counts as routed
 * when no CPU's backlog has anything (columns 14 and 15, hexadecimal).
 */
static void drain(void)
{
	uint64_t end = now_ms() + 3000;
	unsigned int in = 1, busy = 0;
	char line[512];
	FILE *f;

	while ((in || busy) && !n_floods && now_ms() < end) {
		f = fopen("/proc/net/softnet_stat", "re");
		if (!f)
			die("no /proc/net/softnet_stat");
		in = busy = 0;
		while (!in && !busy && fgets(line, sizeof(line), f))
			sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %x %x",
			       &in, &busy);
		fclose(f);
		if (in || busy)
			sleep_us(200);
	}
}

/*
 * try[6] NS ARGS: ip(8), and whatever it complains of is part of the result. For
 * scenarios made by a machine, which can't know what the kernel will refuse. One
 * ip for each namespace reads its commands as they come; an object that it does
 * not know, and says so, tells that it is done with what came before. try6: the
 * family is IPv6 where the words do not tell.
 */
static struct trier {
	char ns[32];
	bool six;
	pid_t pid;
	FILE *in, *err;
} triers[MAX_NAMESPACES];

static void trier_start(struct trier *t, const char *ns, bool six)
{
	posix_spawn_file_actions_t actions;
	int in[2], err[2], rc, n = 0;
	char *args[8] = { NULL };

	if (pipe2(in, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	args[n++] = "ip";
	if (six)
		args[n++] = "-6";
	args[n++] = "-n";
	args[n++] = (char *)ns;
	args[n++] = "-force";
	args[n++] = "-batch";
	args[n++] = "-";
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, err[1], 2);
	rc = posix_spawnp(&t->pid, "ip", &actions, NULL, args, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		die("cannot run ip: %s", strerror(rc));
	close(in[0]);
	close(err[1]);
	t->in = fdopen(in[1], "w");
	t->err = fdopen(err[0], "r");
	snprintf(t->ns, sizeof(t->ns), "%s", ns);
	t->six = six;
}

static void trier_end(struct trier *t)
{
	fclose(t->in);
	fclose(t->err);
	waitpid(t->pid, NULL, 0);
	t->ns[0] = '\0';
}

static void cmd_try(int argc, char **argv)
{
	bool done = false, six = argv[0][3];
	char line[512];
	struct trier *t;
	int err;

	if (argc != 3)
		die("usage: try[6] NS ARGS");
	drain();
	wait_links();
	if (strstr(argv[2], "link ") || !strncmp(argv[2], "addr ", 5))
		links_changed = true;
	enter(argv[1]);
	err = rtnl_ip(argv[2], NETNS_DIR);
	leave();
	if (err < 0)
		printf("%s %s: %s\n", argv[1], argv[2], strerror(-err));
	if (err <= 0)
		return;
	for (t = triers; t->ns[0] && (strcmp(t->ns, argv[1]) || t->six != six); t++)
		if (t == &triers[MAX_NAMESPACES - 1])
			die("too many namespaces");
	if (!t->ns[0])
		trier_start(t, argv[1], six);
	fprintf(t->in, "%s\nsync\n", argv[2]);
	fflush(t->in);
	while (!done && fgets(line, sizeof(line), t->err)) {
		done = strstr(line, "\"sync\" is unknown");
		/* That is followed by the number of a line. */
		if (!done && strncmp(line, "Command failed", 14))
			printf("%s %s: %s", argv[1], argv[2], line);
	}
	if (!done) {
		printf("%s %s: ip gave up\n", argv[1], argv[2]);
		trier_end(t);
	}
}

/* Taps */

struct tap {
	int vlan;		/* tag of the frame that was read last, or -1 */
	char name[32];
	int fd;
	bool out, arp;
	atomic_ullong frames;
	atomic_ullong stamped[2];	/* by the last bit of the stamp */
};

struct seen {
	char *text;
	unsigned int count;
};

static struct tap taps[MAX_TAPS];
static int n_taps;
static struct seen seen[MAX_LINES];
static int n_seen;

static int packet_socket(const char *ns, const char *dev, int proto)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
	};
	int fd;

	enter(ns);
	ll.sll_ifindex = if_nametoindex(dev);
	if (!ll.sll_ifindex)
		die("no device %s in %s", dev, ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (void *)&ll, sizeof(ll)))
		die("packet socket on %s: %s", dev, strerror(errno));
	leave();
	return fd;
}

static void cmd_tap(int argc, char **argv)
{
	struct tap *t = &taps[n_taps];
	int size = 64 << 20, one = 1, i;

	if (argc < 4 || n_taps == MAX_TAPS)
		die("usage: tap NAME NS DEV [out] [arp] (at most %d)", MAX_TAPS);
	snprintf(t->name, sizeof(t->name), "%s", argv[1]);
	for (i = 4; i < argc; i++) {
		t->out |= !strcmp(argv[i], "out");
		t->arp |= !strcmp(argv[i], "arp");
	}
	t->fd = packet_socket(argv[2], argv[3], ETH_P_ALL);
	setsockopt(t->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(t->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	n_taps++;
}

static void note(const char *tap, const char *text)
{
	char line[512];
	int i;

	snprintf(line, sizeof(line), "%s %s", tap, text);
	/* Latest first: a burst mostly repeats what came before. */
	for (i = n_seen - 1; i >= 0; i--) {
		if (!strcmp(seen[i].text, line)) {
			seen[i].count++;
			return;
		}
	}
	if (n_seen == MAX_LINES)
		die("more than %d different frames", MAX_LINES);
	seen[n_seen].text = strdup(line);
	seen[n_seen++].count = 1;
}

static bool tap_read(struct tap *t, uint8_t *buf, size_t *len)
{
	char aux[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = { buf, PKT_MAX };
	struct tpacket_auxdata data;
	struct sockaddr_ll ll;
	struct cmsghdr *c;
	ssize_t n;

	for (;;) {
		struct msghdr m = {
			.msg_name = &ll, .msg_namelen = sizeof(ll),
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = aux, .msg_controllen = sizeof(aux),
		};

		n = recvmsg(t->fd, &m, MSG_TRUNC);
		if (n < 0) {
			/* A device that went down reports it here, once. */
			if (errno == ENETDOWN)
				continue;
			return false;
		}
		if ((ll.sll_pkttype == PACKET_OUTGOING) != t->out)
			continue;
		*len = n > PKT_MAX ? PKT_MAX : n;
		t->vlan = -1;
		c = CMSG_FIRSTHDR(&m);
		if (c && c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&data, CMSG_DATA(c), sizeof(data));
			if (data.tp_status & TP_STATUS_VLAN_VALID)
				t->vlan = data.tp_vlan_tci;
		}
		return true;
	}
}

/* FNV-1a */
static uint32_t hash_bytes(const uint8_t *p, size_t len)
{
	uint32_t h = 0x811c9dc5;

	while (len--)
		h = (h ^ *p++) * 0x01000193;
	return h;
}

/*
 * Collects until the taps were silent for a while. Several short waits, not one
 * long one: if the machine stood still, its clock jumped past the whole wait,
 * and what was queued has had no CPU yet.
 */
static void settle(int quiet_ms)
{
	static uint8_t buf[PKT_MAX];
	struct pollfd p[MAX_TAPS];
	int i, silent = 0;
	char text[400];
	size_t len;

	for (i = 0; i < n_taps; i++) {
		p[i].fd = taps[i].fd;
		p[i].events = POLLIN;
	}
	drain();
	while (silent < SETTLE_WAITS) {
		if (poll(p, n_taps, quiet_ms / SETTLE_WAITS) <= 0) {
			silent++;
			continue;
		}
		silent = 0;
		for (i = 0; i < n_taps; i++) {
			while (tap_read(&taps[i], buf, &len)) {
				if (!pkt_describe(buf, len, taps[i].arp, text,
						  sizeof(text)))
					continue;
				if (show_bytes) {
					size_t at = strlen(text);

					snprintf(text + at, sizeof(text) - at, " bytes=%08x",
						 hash_bytes(buf, len));
				}
				/* The tag is beside the bytes. */
				if (taps[i].vlan >= 0) {
					size_t at = strlen(text);

					snprintf(text + at, sizeof(text) - at, " vlan=%d/%d",
						 taps[i].vlan & 0xfff, taps[i].vlan >> 13);
				}
				note(taps[i].name, text);
			}
		}
	}
}

static int quiet_ms(int argc, char **argv)
{
	const char *env = getenv("PROBE_SETTLE_MS");

	return argc > 1 ? atoi(argv[1]) : env ? atoi(env) : 48;
}

static void cmd_settle(int argc, char **argv)
{
	settle(quiet_ms(argc, argv));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->text,
		      ((const struct seen *)b)->text);
}

static void cmd_report(int argc, char **argv)
{
	struct tpacket_stats st;
	socklen_t sl = sizeof(st);
	int i;

	settle(quiet_ms(0, NULL));
	printf("== %s\n", argc > 1 ? argv[1] : "report");
	qsort(seen, n_seen, sizeof(*seen), by_text);
	for (i = 0; i < n_seen; i++) {
		printf("%s x%u\n", seen[i].text, seen[i].count);
		free(seen[i].text);
	}
	n_seen = 0;
	for (i = 0; i < n_taps; i++) {
		if (!getsockopt(taps[i].fd, SOL_PACKET, PACKET_STATISTICS, &st,
				&sl) && st.tp_drops)
			die("tap %s lost %u frames: the result says nothing",
			    taps[i].name, st.tp_drops);
	}
}

/*
 * frames TAP WORD... N: since the last report, N frames came to this tap whose text
 * has each of the words; "N+": at least so many. Else the scenario fails: for what
 * must be so in each run, not only the same.
 */
static void cmd_frames(int argc, char **argv)
{
	static int last_line;
	unsigned long want, got = 0;
	size_t len;
	char *end;
	int i, k;

	if (argc < 4)
		die("usage: frames TAP WORD... N[+]");
	want = strtoul(argv[argc - 1], &end, 10);
	len = strlen(argv[1]);
	/* Behind another one, nothing is still to come. */
	if (last_line != line_no - 1)
		settle(quiet_ms(0, NULL));
	last_line = line_no;
	for (i = 0; i < n_seen; i++) {
		if (strncmp(seen[i].text, argv[1], len) || seen[i].text[len] != ' ')
			continue;
		for (k = 2; k < argc - 1 && strstr(seen[i].text, argv[k]); k++)
			;
		if (k == argc - 1)
			got += seen[i].count;
	}
	if (got == want || (*end == '+' && got > want))
		return;
	for (i = 0; i < n_seen; i++)
		printf("# %s x%u\n", seen[i].text, seen[i].count);
	die("%lu frames %s at %s, not %s", got, argv[2], argv[1], argv[argc - 1]);
}

static void cmd_discard(int argc, char **argv)
{
	settle(quiet_ms(argc, argv));
	while (n_seen)
		free(seen[--n_seen].text);
}

/* From here on, frames are equal only if all of their bytes are. */
static void cmd_bytes(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	show_bytes = true;
}

/* Sending */

static void parse_spec(struct pkt_spec *s, int argc, char **argv)
{
	const char *err;
	int i;

	pkt_spec_init(s);
	for (i = 0; i < argc; i++) {
		err = pkt_spec_arg(s, argv[i]);
		if (err)
			die("%s: %s", err, argv[i]);
	}
}

static atomic_uint epoch;

/* What a device would do to a frame of many segments: nothing yet. */
static struct virtio_net_hdr gso_header(const struct pkt_spec *s)
{
	unsigned int l3 = sizeof(struct ether_header), l4 = l3 + (s->six.on ? 40 : 20 + s->optlen);
	bool tcp = s->proto == IPPROTO_TCP;

	return (struct virtio_net_hdr) {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !tcp ? VIRTIO_NET_HDR_GSO_UDP_L4 :
			    s->six.on ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = l4 + (tcp ? 20 : 8),
		.gso_size = s->gso,
		.csum_start = l4,
		.csum_offset = tcp ? 16 : 6,
	};
}

static void cmd_send(int argc, char **argv)
{
	static uint8_t both[sizeof(struct virtio_net_hdr) + PKT_MAX];
	uint8_t *buf = both + sizeof(struct virtio_net_hdr), *out = buf;
	struct virtio_net_hdr gso;
	int on = 1;
	struct pkt_spec s;
	unsigned int i;
	uint64_t end;
	size_t len;
	int fd;

	if (argc < 4)
		die("usage: send NS DEV ARGS");
	parse_spec(&s, argc - 3, argv + 3);
	fd = packet_socket(argv[1], argv[2], 0);
	if (s.gso) {
		if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
			die("PACKET_VNET_HDR: %s", strerror(errno));
		gso = gso_header(&s);
		memcpy(both, &gso, sizeof(gso));
		out = both;
	}
	for (i = 0; i < s.n; i++) {
		len = pkt_build(&s, i, epoch, buf) + (buf - out);
		end = now_ms() + 5000;
		while (send(fd, out, len, 0) < 0) {
			if ((errno != EAGAIN && errno != ENOBUFS) ||
			    now_ms() > end)
				die("send on %s: %s", argv[2], strerror(errno));
			sleep_us(1000);
		}
		/* Keep within the backlog (1000) if its CPU is slow. */
		if (i % 200 == 199)
			settle(0);
	}
	close(fd);
}

/* Sockets */

struct sock {
	char name[32];
	int fd;
};

static struct sock socks[MAX_SOCKS];
static int n_socks;

union any_addr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t addr_len(const union any_addr *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

/* ADDRESS:PORT or [ADDRESS]:PORT */
static union any_addr parse_addr(const char *v)
{
	union any_addr a = { .any.sa_family = v[0] == '[' ? AF_INET6 : AF_INET };
	bool six = v[0] == '[';
	const char *colon = strrchr(v, ':');
	char host[64];
	long len = colon ? colon - v - 2 * six : -1;

	if (len < 0 || len >= (long)sizeof(host))
		die("not ADDRESS:PORT: %s", v);
	memcpy(host, v + six, len);
	host[len] = '\0';
	/* Both have the port in the same place. */
	a.in.sin_port = htons(atoi(colon + 1));
	if (inet_pton(a.any.sa_family, host, six ? (void *)&a.in6.sin6_addr :
						   (void *)&a.in.sin_addr) != 1)
		die("bad address: %s", v);
	return a;
}

static int find_sock(const char *name)
{
	int i;

	for (i = 0; i < n_socks; i++)
		if (!strcmp(socks[i].name, name))
			return i;
	die("no socket %s", name);
	return -1;
}

static void cmd_sock(int argc, char **argv)
{
	struct sock *s = &socks[n_socks];
	int i, one = 1, type = SOCK_DGRAM, family = AF_INET;
	union any_addr sin;
	bool listening = false, soft = false;

	if (argc < 4 || n_socks == MAX_SOCKS)
		die("usage: sock NAME NS [soft] [tcp] [transparent] [dev=D] [bind=A:P] [connect=A:P] [listen]");
	for (i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "tcp"))
			type = SOCK_STREAM;
		soft |= !strcmp(argv[i], "soft");
		if (strchr(argv[i], '['))
			family = AF_INET6;
	}
	snprintf(s->name, sizeof(s->name), "%s", argv[1]);
	enter(argv[2]);
	s->fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	for (i = 3; i < argc; i++) {
		int err = 0;

		if (!strcmp(argv[i], "transparent")) {
			err = family == AF_INET6 ?
				setsockopt(s->fd, SOL_IPV6, IPV6_TRANSPARENT,
					   &one, sizeof(one)) :
				setsockopt(s->fd, SOL_IP, IP_TRANSPARENT, &one,
					   sizeof(one));
		} else if (!strncmp(argv[i], "dev=", 4)) {
			err = setsockopt(s->fd, SOL_SOCKET, SO_BINDTODEVICE,
					 argv[i] + 4, strlen(argv[i] + 4));
		} else if (!strncmp(argv[i], "bind=", 5)) {
			sin = parse_addr(argv[i] + 5);
			err = bind(s->fd, &sin.any, addr_len(&sin));
		} else if (!strncmp(argv[i], "connect=", 8)) {
			sin = parse_addr(argv[i] + 8);
			err = connect(s->fd, &sin.any, addr_len(&sin));
		} else if (!strcmp(argv[i], "listen")) {
			listening = true;
		} else if (strcmp(argv[i], "tcp") && strcmp(argv[i], "soft")) {
			die("unknown word: %s", argv[i]);
		}
		/* A soft one may be refused, if it is so in each run. */
		if (err && soft)
			printf("sock %s: %s: %s\n", argv[1], argv[i],
			       strerror(errno));
		else if (err)
			die("%s: %s", argv[i], strerror(errno));
	}
	if (listening && listen(s->fd, 16))
		die("listen: %s", strerror(errno));
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	leave();
	n_socks++;
}

static void cmd_close(int argc, char **argv)
{
	int i = argc > 1 ? find_sock(argv[1]) : 0;

	if (argc < 2)
		die("usage: close NAME");
	close(socks[i].fd);
	socks[i] = socks[--n_socks];
}

/* connect NAME A:P|none: a datagram socket, once more. */
static void cmd_connect(int argc, char **argv)
{
	union any_addr to = { .any.sa_family = AF_UNSPEC };

	if (argc != 3)
		die("usage: connect NAME A:P|none");
	if (strcmp(argv[2], "none"))
		to = parse_addr(argv[2]);
	if (connect(socks[find_sock(argv[1])].fd, &to.any, addr_len(&to)))
		die("connect %s: %s", argv[2], strerror(errno));
}

/* accept NAME LISTENER: the connection that waits there. */
static void cmd_accept(int argc, char **argv)
{
	struct pollfd p = { .events = POLLIN };

	if (argc != 3 || n_socks == MAX_SOCKS)
		die("usage: accept NAME LISTENER");
	p.fd = socks[find_sock(argv[2])].fd;
	if (poll(&p, 1, 5000) != 1)
		die("nobody connects to %s", argv[2]);
	snprintf(socks[n_socks].name, sizeof(socks[n_socks].name), "%s", argv[1]);
	socks[n_socks].fd = accept4(p.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (socks[n_socks].fd < 0)
		die("accept: %s", strerror(errno));
	n_socks++;
}

/* say NAME [n=N] [len=L] [to=A:P] */
static void cmd_say(int argc, char **argv)
{
	static char buf[PKT_MAX];
	union any_addr sin, *to = NULL;
	int n = 1, len = 32, i, fd;

	if (argc < 2)
		die("usage: say NAME [n=N] [len=L] [to=A:P]");
	fd = socks[find_sock(argv[1])].fd;
	for (i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "n=", 2)) {
			n = atoi(argv[i] + 2);
		} else if (!strncmp(argv[i], "len=", 4)) {
			len = atoi(argv[i] + 4);
		} else if (!strncmp(argv[i], "to=", 3)) {
			sin = parse_addr(argv[i] + 3);
			to = &sin;
		} else {
			die("unknown word: %s", argv[i]);
		}
	}
	for (i = 0; i < n; i++) {
		if (sendto(fd, buf, len, 0, (void *)to, to ? addr_len(to) : 0) < 0)
			printf("say %s: %s\n", argv[1], strerror(errno));
	}
}

static void cmd_read(int argc, char **argv)
{
	char buf[PKT_MAX], from[64], line[128];
	union any_addr sin;
	struct pollfd p = { .events = POLLIN };
	socklen_t sl;
	ssize_t n;
	int fd;

	if (argc != 2)
		die("usage: read NAME");
	fd = socks[find_sock(argv[1])].fd;
	p.fd = fd;
	while (poll(&p, 1, quiet_ms(0, NULL)) > 0) {
		sl = sizeof(sin);
		n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&sin, &sl);
		if (n < 0) {
			snprintf(line, sizeof(line), "error: %s",
				 strerror(errno));
		} else {
			inet_ntop(sin.any.sa_family,
				  sin.any.sa_family == AF_INET6 ?
					  (void *)&sin.in6.sin6_addr :
					  (void *)&sin.in.sin_addr,
				  from, sizeof(from));
			snprintf(line, sizeof(line), "got %zd bytes from %s:%u",
				 n, from, ntohs(sin.in.sin_port));
		}
		note(argv[1], line);
	}
}

/* A real TCP transfer; times and segments differ between runs, bytes do not. */
static void cmd_tcp(int argc, char **argv)
{
	static char buf[65536];
	union any_addr sin;
	uint64_t end = now_ms() + 20000;
	long want, sent = 0, got = 0;
	int l, c, s = -1, one = 1;
	ssize_t n;

	if (argc != 5)
		die("usage: tcp CLIENT_NS SERVER_NS ADDR:PORT BYTES");
	sin = parse_addr(argv[3]);
	want = atol(argv[4]);
	enter(argv[2]);
	l = socket(sin.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, &sin.any, addr_len(&sin)) || listen(l, 1))
		die("cannot listen on %s: %s", argv[3], strerror(errno));
	leave();
	enter(argv[1]);
	c = socket(sin.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(c, &sin.any, addr_len(&sin)) && errno != EINPROGRESS)
		die("cannot connect to %s: %s", argv[3], strerror(errno));
	leave();
	while (now_ms() < end && got < want) {
		if (s < 0)
			s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
		n = want - sent;
		if (n > (long)sizeof(buf))
			n = sizeof(buf);
		n = send(c, buf, n, MSG_NOSIGNAL);
		if (n > 0)
			sent += n;
		n = s < 0 ? -1 : recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += n;
		else
			sleep_us(1000);
	}
	printf("tcp %s: %ld of %ld bytes\n", argv[3], got, want);
	close(c);
	close(l);
	if (s >= 0)
		close(s);
}

/* The kernel's counters, as nstat shows them */

/* Of IPv4, and of IPv6. */
static struct counter bases[2][MAX_COUNTERS];
static int n_bases[2];

/* Whether a command is the one for IPv6: its name ends so. */
static bool is_six(char **argv)
{
	return argv[0][strlen(argv[0]) - 1] == '6';
}

static int read_counters(const char *path, struct counter *c, int n)
{
	static char names[16384], vals[16384];
	FILE *f = fopen(path, "re");
	char *nsave, *vsave, *name, *val, group[32];

	if (!f)
		die("cannot read %s: %s", path, strerror(errno));
	while (fgets(names, sizeof(names), f) && fgets(vals, sizeof(vals), f)) {
		name = strtok_r(names, "\n ", &nsave);
		val = strtok_r(vals, "\n ", &vsave);
		snprintf(group, sizeof(group), "%.*s", (int)strlen(name) - 1,
			 name);
		while ((name = strtok_r(NULL, "\n ", &nsave)) &&
		       (val = strtok_r(NULL, "\n ", &vsave)) &&
		       n < MAX_COUNTERS) {
			snprintf(c[n].name, sizeof(c[n].name), "%s%s", group,
				 name);
			c[n++].val = atoll(val);
		}
	}
	fclose(f);
	return n;
}

static int snapshot(const char *ns, struct counter *c, bool six)
{
	static struct counter again[MAX_COUNTERS];
	int n, i;

	enter(ns);
	if (six) {
		n = counters6_read("/proc/net/snmp6", c, MAX_COUNTERS);
		/* What is being sent is in some of the counters only. */
		for (i = 0; i < 50 && n > 0; i++) {
			sleep_us(10000);
			if (counters6_read("/proc/net/snmp6", again, MAX_COUNTERS) == n &&
			    !memcmp(c, again, n * sizeof(*c)))
				break;
			memcpy(c, again, n * sizeof(*c));
		}
		if (n < 0)
			die("cannot read the IPv6 counters of %s", ns);
	} else {
		n = read_counters("/proc/net/snmp", c, 0);
		n = read_counters("/proc/net/netstat", c, n);
	}
	leave();
	return n;
}

/* counters[6] NS begin; counters[6] NS end [without=PREFIX]... */
static void cmd_counters(int argc, char **argv)
{
	static struct counter c[MAX_COUNTERS];
	bool hide, six = is_six(argv);
	struct counter *base = bases[six];
	int i, j, k, n, n_base = n_bases[six];

	if (argc < 3)
		die("usage: counters NS begin|end [without=PREFIX]...");
	if (!strcmp(argv[2], "begin")) {
		n_bases[six] = snapshot(argv[1], base, six);
		return;
	}
	settle(quiet_ms(0, NULL));
	n = snapshot(argv[1], c, six);
	for (i = 0; i < n; i++) {
		/* IcmpMsg has columns only for the types seen so far. */
		long long old = 0;

		for (j = 0; j < n_base; j++) {
			if (!strcmp(base[j].name, c[i].name)) {
				old = base[j].val;
				break;
			}
		}
		hide = c[i].val == old;
		for (k = 3; k < argc; k++)
			if (!strncmp(argv[k], "without=", 8) &&
			    !strncmp(c[i].name, argv[k] + 8,
				     strlen(argv[k] + 8)))
				hide = true;
		if (!hide)
			printf("counter %s %lld\n", c[i].name, c[i].val - old);
	}
}

/* altfib's own statistics */

/* All that /proc/net/dev and dev_snmp6 tell of the devices of a namespace. */
static int device_counters(const char *ns, struct counter *c)
{
	static const char *const names[] = {
		"rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo", "rx_frame",
		"rx_compressed", "rx_multicast", "tx_bytes", "tx_packets", "tx_errors",
		"tx_dropped", "tx_fifo", "tx_collisions", "tx_carrier", "tx_compressed",
	};
	static struct counter six[MAX_COUNTERS];
	char line[512], path[64], dev[32], *at;
	int n = 0, i, k, got, used;
	FILE *f;

	enter(ns);
	f = fopen("/proc/net/dev", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %31[^: ]: %n", dev, &used) != 1 || !strchr(line, ':'))
			continue;
		for (at = line + used, k = 0; k < (int)ARRAY_SIZE(names); k++) {
			if (n == MAX_COUNTERS || sscanf(at, "%lld%n", &c[n].val, &used) != 1)
				die("cannot read the counters of %s", dev);
			at += used;
			snprintf(c[n++].name, sizeof(c->name), "%s.%s", dev, names[k]);
		}
		snprintf(path, sizeof(path), "/proc/net/dev_snmp6/%s", dev);
		got = counters6_read(path, six, MAX_COUNTERS);
		for (i = 0; i < got; i++) {
			if (n == MAX_COUNTERS)
				die("too many counters");
			if (!strncmp(six[i].name, "ifIndex", 7))
				continue;
			snprintf(c[n].name, sizeof(c->name), "%s.%.31s", dev, six[i].name);
			c[n++].val = six[i].val;
		}
	}
	if (f)
		fclose(f);
	leave();
	return n;
}

/*
 * devices NS begin|end [only=PREFIX]...: of the devices' counters, those that moved. MLD is in the
 * bytes and packets of devices with IPv6.
 */
static void cmd_devices(int argc, char **argv)
{
	static struct counter base[MAX_COUNTERS], c[MAX_COUNTERS];
	static int n_base;
	long long old;
	bool show;
	int i, k, n;

	if (argc < 3)
		die("usage: devices NS begin|end [only=PREFIX]...");
	if (!strcmp(argv[2], "begin")) {
		n_base = device_counters(argv[1], base);
		return;
	}
	settle(quiet_ms(0, NULL));
	n = device_counters(argv[1], c);
	for (i = 0; i < n; i++) {
		for (old = 0, k = 0; k < n_base; k++)
			if (!strcmp(base[k].name, c[i].name))
				old = base[k].val;
		for (show = argc == 3, k = 3; k < argc; k++)
			show |= !strncmp(argv[k], "only=", 5) &&
				!strncmp(c[i].name, argv[k] + 5, strlen(argv[k] + 5));
		if (show && c[i].val != old)
			printf("device %s %lld\n", c[i].name, c[i].val - old);
	}
}

static struct counter stat_bases[2][MAX_COUNTERS];
static int n_stat_bases[2];

/*
 * The host's own lookups, of status. "lookups": all in the main table; "known": those
 * of them that altfib answered, or compared; "recalled": what a socket's last route
 * answered, or was compared with; "asked": what it did not.
 */
static int lookup_stats(struct counter *c, int n, bool six)
{
	unsigned long long answered, compared, learned, left;
	const char *family = six ? "IPv6 " : "";
	char line[256], *at;
	int k;

	static const char *const names[] = { "lookups", "known", "recalled", "asked" };
	FILE *f = fopen("/proc/net/altfib/status", "re");

	if (n + (int)ARRAY_SIZE(names) > MAX_COUNTERS)
		die("too many counters");
	for (k = 0; k < (int)ARRAY_SIZE(names); k++) {
		snprintf(c[n + k].name, sizeof(c->name), "%s", names[k]);
		c[n + k].val = 0;
	}
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, family, strlen(family)))
			continue;
		at = line + strlen(family);
		if (sscanf(at, "output: %*[a-z], %llu lookups answered, %llu compared, %llu learned, %llu left",
			   &answered, &compared, &learned, &left) == 4) {
			c[n].val = answered + compared + learned + left;
			c[n + 1].val = answered + compared;
		} else if (sscanf(at, "sockets: %llu had their last route, %llu compared, %llu asked",
				  &answered, &compared, &left) == 3) {
			c[n + 2].val = answered + compared;
			c[n + 3].val = left;
		}
	}
	if (f)
		fclose(f);
	return n + ARRAY_SIZE(names);
}

/* Adds the counters of a file of /proc/net/stat to @c, which has @n. */
static int stat_file(const char *path, const char *prefix, struct counter *c, int n)
{
	char line[2048], *save, *tok;
	FILE *f = fopen(path, "re");
	int first = n, i;

	if (f && fgets(line, sizeof(line), f)) {
		for (tok = strtok_r(line, "\n ", &save); tok;
		     tok = strtok_r(NULL, "\n ", &save)) {
			snprintf(c[n].name, sizeof(c[n].name), "%s%s", prefix, tok);
			c[n++].val = 0;
		}
		while (fgets(line, sizeof(line), f)) {
			tok = strtok_r(line, "\n ", &save);
			for (i = first; tok && i < n; i++) {
				c[i].val += strtoll(tok, NULL, 16);
				tok = strtok_r(NULL, "\n ", &save);
			}
		}
	}
	if (f)
		fclose(f);
	return n;
}

static int altfib_stats(const char *ns, struct counter *c, bool six)
{
	char line[2048];
	FILE *f;
	int n;

	enter(ns);
	n = stat_file(six ? "/proc/net/stat/altfib6" : "/proc/net/stat/altfib", "", c, 0);
	n = stat_file(six ? "/proc/net/stat/altfib6_cache" : "/proc/net/stat/altfib_cache",
		      "cache:", c, n);
	f = fopen(six ? "/proc/net/altfib/punts6" : "/proc/net/altfib/punts", "re");
	if (f && fgets(line, sizeof(line), f)) {
		while (fgets(line, sizeof(line), f) && n < MAX_COUNTERS) {
			char name[48];
			long long val;

			if (sscanf(line, "%47s %lld", name, &val) != 2)
				continue;
			snprintf(c[n].name, sizeof(c[n].name), "punt:%s", name);
			c[n++].val = val;
		}
	}
	if (f)
		fclose(f);
	n = lookup_stats(c, n, six);
	leave();
	return n;
}

static long long delta(const struct counter *c, int n, const char *name, bool six)
{
	const struct counter *stat_base = stat_bases[six];
	long long old = 0;
	int i;

	for (i = 0; i < n_stat_bases[six]; i++)
		if (!strcmp(stat_base[i].name, name))
			old = stat_base[i].val;
	for (i = 0; i < n; i++)
		if (!strcmp(c[i].name, name))
			return c[i].val - old;
	return -1;
}

/* What became of the host's own lookups; any that differed is a difference. */
static void show_lookups(const char *ns, bool six)
{
	const char *start = six ? "IPv6 output:" : "output:";
	char line[256], *at;
	long long n;
	FILE *f;

	enter(ns);
	f = fopen("/proc/net/altfib/status", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)))
			continue;
		printf("# %s %s", ns, line);
		at = strstr(line, "; ");
		if (!at || sscanf(at, "; %lld mismatches", &n) != 1 || n)
			printf("%s: a lookup differed: %s", ns, line);
	}
	if (f)
		fclose(f);
	leave();
}

/*
 * altfib[6] NS begin
 * altfib[6] NS end [min=PERCENT] [hits=N] [out_hits=N] [punt=REASON[:N]]... [fast=N]
 *	[left=REASON[:N]]... [least=COLUMN:N]... [COLUMN=N]...
 * Columns are lnstat's, and those of lookup_stats(). hits: packets of flows that were
 * known, where the arm names a cache of flows; out_hits: the host's own. fast: packets of
 * the fast path, and left: those that it left, where the arm names it. Checked only
 * where the module is on, and what begins with "OUTPUT." or "MODE+OUTPUT." only there;
 * attaching while off is always an error.
 */
static void cmd_altfib(int argc, char **argv)
{
	static struct counter c[MAX_COUNTERS];
	long long fwd, local, ver, demux, punts = 0, other, all, d;
	bool six = is_six(argv);
	double share;
	int i, n;

	if (argc < 3)
		die("usage: altfib NS begin|end [min=PERCENT] [punt=REASON] [least=COLUMN:N] [COLUMN=N]");
	if (!strcmp(arm, "none"))
		return;
	if (!strcmp(argv[2], "begin")) {
		n_stat_bases[six] = altfib_stats(argv[1], stat_bases[six], six);
		return;
	}
	n = altfib_stats(argv[1], c, six);
	fwd = delta(c, n, "forward", six);
	local = delta(c, n, "local", six);
	ver = delta(c, n, "verified", six);
	demux = delta(c, n, "early_demux", six);
	other = delta(c, n, "punt:not_unicast_frame", six) +
		delta(c, n, "punt:vrf", six);
	if (fwd < 0 || local < 0 || ver < 0 || demux < 0) {
		printf("%s %s: its statistics cannot be read\n", argv[0],
		       argv[1]);
		return;
	}
	for (i = 0; i < n; i++)
		if (!strncmp(c[i].name, "punt_", 5))
			punts += delta(c, n, c[i].name, six);
	all = fwd + local + ver + demux + punts - (other > 0 ? other : 0);
	share = all ? 100.0 * (fwd + local + ver) / all : 0;
	printf("# %s %s %s: attached %lld of %lld eligible (%.1f %%): forward %lld, local %lld, verified %lld, left to a socket %lld",
	       argv[0], arm, argv[1], fwd + local + ver, all, share, fwd, local, ver, demux);
	for (i = 0; i < n; i++) {
		d = delta(c, n, c[i].name, six);
		if (!strncmp(c[i].name, "punt:", 5) && d)
			printf(", %s %lld", c[i].name + 5, d);
	}
	if (fast)
		printf("; fast %lld", delta(c, n, "fast", six));
	putchar('\n');
	if (output) {
		show_lookups(argv[1], six);
		printf("# %s: %lld lookups, %lld of them known; %lld times a socket's last route, %lld not\n",
		       argv[1], delta(c, n, "lookups", six), delta(c, n, "known", six),
		       delta(c, n, "recalled", six), delta(c, n, "asked", six));
	}
	if (cache) {
		printf("# %s %s cache=%s:", argv[0], argv[1], cache);
		for (i = 0; i < n; i++) {
			d = delta(c, n, c[i].name, six);
			if (!strncmp(c[i].name, "cache:", 6) && d)
				printf(" %s %lld", c[i].name + 6, d);
		}
		putchar('\n');
	}
	if (!strcmp(arm, "off")) {
		if (fwd + local + ver)
			printf("%s %s: attached %lld packets while off\n",
			       argv[0], argv[1], fwd + local + ver);
		return;
	}
	d = delta(c, n, "mismatch", six);
	if (d)
		printf("%s %s: %lld mismatches\n", argv[0], argv[1], d);
	if (!strcmp(arm, "verify") && fwd + local)
		printf("%s %s: attached %lld packets in verify mode\n",
		       argv[0], argv[1], fwd + local);
	for (i = 3; i < argc; i++) {
		char name[64], *eq = strchr(argv[i], '='), *dot = strchr(argv[i], '.');

		if (!eq)
			die("not KEY=VALUE: %s", argv[i]);
		if (dot && dot < eq) {
			snprintf(name, sizeof(name), "%s+%s", arm, output ?: "off");
			*dot = '\0';
			if (strcmp(argv[i], output ?: "off") && strcmp(argv[i], name))
				continue;
			argv[i] = dot + 1;
		}
		if (!strncmp(argv[i], "fast=", 5) && (!fast || strcmp(arm, "on")))
			continue;
		if (!strncmp(argv[i], "left=", 5)) {
			if (!fast || strcmp(arm, "on"))
				continue;
			memcpy(argv[i], "punt", 4);
		}
		if (!strncmp(argv[i], "least=", 6)) {
			char *colon = strchr(eq, ':');

			if (!colon)
				die("not COLUMN:N: %s", eq + 1);
			snprintf(name, sizeof(name), "%.*s", (int)(colon - eq - 1), eq + 1);
			d = delta(c, n, name, six);
			if (d < atoll(colon + 1))
				printf("%s %s: %s moved by %lld, expected at least %s\n",
				       argv[0], argv[1], name, d, colon + 1);
		} else if (!strncmp(argv[i], "min=", 4)) {
			if (share < atof(eq + 1))
				printf("%s %s: attached %.1f %%, fewer than the %s %% expected\n",
				       argv[0], argv[1], share, eq + 1);
		} else if (!strncmp(argv[i], "hits=", 5)) {
			d = delta(c, n, "cache:in_hit", six);
			if (cache && strstr(cache, "flow") && d < atoll(eq + 1))
				printf("%s %s: %lld packets of known flows, expected at least %s\n",
				       argv[0], argv[1], d, eq + 1);
		} else if (!strncmp(argv[i], "out_hits=", 9)) {
			d = delta(c, n, "cache:out_hit", six) +
			    delta(c, n, "cache:out_verified", six);
			if (cache && strstr(cache, "flow") && d < atoll(eq + 1))
				printf("%s %s: %lld known flows of the host's own, expected at least %s\n",
				       argv[0], argv[1], d, eq + 1);
		} else if (!strncmp(argv[i], "punt=", 5)) {
			char *colon = strchr(eq, ':');
			long long want = colon ? atoll(colon + 1) : 1;

			snprintf(name, sizeof(name), "punt:%.*s",
				 (int)(colon ? colon - eq - 1 :
				       (long)strlen(eq + 1)), eq + 1);
			d = delta(c, n, name, six);
			if (d < want)
				printf("%s %s: %lld packets punted for %s, expected at least %lld\n",
				       argv[0], argv[1], d, name + 5, want);
		} else {
			snprintf(name, sizeof(name), "%.*s",
				 (int)(eq - argv[i]), argv[i]);
			d = delta(c, n, name, six);
			if (d != atoll(eq + 1))
				printf("%s %s: %s moved by %lld, expected %s\n",
				       argv[0], argv[1], name, d, eq + 1);
		}
	}
}

/* audit NS: altfib's tables are the kernel's, where it serves. */
static void cmd_audit(int argc, char **argv)
{
	bool found = false, found6 = false;
	char line[256];
	FILE *f;
	int err;

	if (argc != 2)
		die("usage: audit NS");
	if (!strcmp(arm, "none") || !strcmp(arm, "off"))
		return;
	enter(argv[1]);
	err = write_sysctl("net/altfib/audit", "1");
	f = err ? NULL : fopen("/proc/net/altfib/audit", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "differences: 0\n"))
			found = true;
		else if (!strcmp(line, "IPv6 differences: 0\n"))
			found6 = true;
		else if (strstr(line, "difference"))
			printf("audit %s: %s", argv[1], line);
	}
	if (!found || !found6)
		printf("audit %s: %s\n", argv[1],
		       err ? strerror(-err) : "not without differences");
	if (f)
		fclose(f);
	leave();
}

/* Whether altfib serves both families here; @line is what it says of one if not. */
static bool both_serve(char *line, size_t size)
{
	FILE *f = fopen("/proc/net/altfib/status", "re");
	int n = 0;
	char *at;

	if (!f)
		die("no /proc/net/altfib/status");
	line[0] = '\0';
	while (n < 2 && fgets(line, size, f)) {
		at = strstr(line, "serving: ");
		if (!at || (at != line && strncmp(line, "IPv6 ", 5)))
			continue;
		if (strncmp(at, "serving: yes", 12))
			break;
		n++;
	}
	fclose(f);
	return n == 2;
}

static void wait_serving(const char *ns)
{
	uint64_t end = now_ms() + 10000;
	char line[256];

	while (!both_serve(line, sizeof(line))) {
		if (now_ms() > end)
			die("%s does not serve after 10 s: %s", ns, line);
		sleep_us(2000);
	}
}

/* Puts the namespaces into the mode of this arm, and waits until it is in force. */
static void cmd_arm(int argc, char **argv)
{
	int i, err;

	if (!strcmp(arm, "none"))
		return;
	for (i = 1; i < argc; i++) {
		enter(argv[i]);
		err = write_sysctl("net/altfib/mode", arm);
		if (err)
			die("net.altfib.mode = %s in %s: %s", arm, argv[i],
			    strerror(-err));
		if (strcmp(arm, "off"))
			wait_serving(argv[i]);
		if (output) {
			err = write_sysctl("net/altfib/output", output);
			if (err)
				die("net.altfib.output = %s in %s: %s", output,
				    argv[i], strerror(-err));
			wait_serving(argv[i]);
		}
		if (cache) {
			err = write_sysctl("net/altfib/cache", cache);
			if (err)
				die("net.altfib.cache = %s in %s: %s", cache,
				    argv[i], strerror(-err));
		}
		if (fast) {
			err = write_sysctl("net/altfib/fastpath", "1");
			if (err)
				die("net.altfib.fastpath in %s: %s", argv[i], strerror(-err));
		}
		leave();
	}
}

/* Floods: the sending side of the tests that race packets with changes */

struct flood {
	char name[32];
	struct pkt_spec spec;
	pthread_t thread;
	int fd, cpu;
	unsigned int pps;
	atomic_ullong sent, refused;
	atomic_ullong given[2];		/* to the device; [1]: during a change */
	atomic_bool stop;
};

static struct flood floods[MAX_FLOODS];

static void *flood_thread(void *arg)
{
	static _Thread_local uint8_t buf[PKT_MAX];
	struct flood *f = arg;
	uint64_t due = now_us(), now;
	unsigned int i = 0, e;
	size_t len;

	if (f->cpu >= 0)
		to_cpu(f->cpu);
	while (!f->stop) {
		e = epoch;
		len = pkt_build(&f->spec, i, e, buf);
		/* The device may be down or gone: that is what is tested. */
		if (send(f->fd, buf, len, MSG_DONTWAIT) < 0) {
			f->refused++;
			sleep_us(100);
		} else {
			f->given[e % 2]++;
		}
		f->sent++;
		if (++i == f->spec.n)
			i = 0;
		if (!f->pps)
			continue;
		/* A sleep may last a tick, so what it delayed follows at once. */
		due += 1000000 / f->pps;
		now = now_us();
		if (now > due + 20000)
			due = now - 20000;
		while (due > now && !f->stop) {
			sleep_us(due - now);
			now = now_us();
		}
	}
	return NULL;
}

static void cmd_flood(int argc, char **argv)
{
	struct flood *f = &floods[n_floods];
	int i, skip = 4;

	if (argc < 4 || n_floods == MAX_FLOODS)
		die("usage: flood NAME NS DEV [cpu=N] [pps=N] ARGS");
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", argv[1]);
	f->cpu = -1;
	for (i = 4; i < argc; i++) {
		if (!strncmp(argv[i], "cpu=", 4))
			f->cpu = atoi(argv[i] + 4);
		else if (!strncmp(argv[i], "pps=", 4))
			f->pps = atoi(argv[i] + 4);
		else
			break;
		skip++;
	}
	parse_spec(&f->spec, argc - skip, argv + skip);
	f->fd = packet_socket(argv[2], argv[3], 0);
	if (pthread_create(&f->thread, NULL, flood_thread, f))
		die("cannot start a thread");
	n_floods++;
}

static void cmd_flood_end(int argc, char **argv)
{
	int i;

	(void)argc;
	(void)argv;
	for (i = 0; i < n_floods; i++) {
		struct flood *f = &floods[i];

		f->stop = true;
		pthread_join(f->thread, NULL);
		close(f->fd);
		printf("# flood %s: %llu sent, %llu refused by the device\n",
		       f->name, (unsigned long long)f->sent,
		       (unsigned long long)f->refused);
	}
	n_floods = 0;
}

/*
 * change begin ... change end: what is sent between them may be lost because of
 * the change. After that nothing may.
 */
static void cmd_change(int argc, char **argv)
{
	bool begin = argc == 2 && !strcmp(argv[1], "begin");

	if (!begin && (argc != 2 || strcmp(argv[1], "end")))
		die("usage: change begin|end");
	if (epoch % 2 != !begin)
		die("change %s: out of turn", argv[1]);
	epoch++;
}

/*
 * lost NAME TAP...: of what this flood gave to its device, how much came to none
 * of these taps, during changes and at rest. After flood-end and watch-end.
 */
static void cmd_lost(int argc, char **argv)
{
	long long lost[2];
	struct tpacket_stats st;
	socklen_t sl = sizeof(st);
	struct flood *f = floods;
	int i, k;

	while (f < floods + MAX_FLOODS && argc > 1 && strcmp(f->name, argv[1]))
		f++;
	if (argc < 3 || f == floods + MAX_FLOODS)
		die("usage: lost FLOOD TAP...");
	lost[0] = f->given[0];
	lost[1] = f->given[1];
	for (k = 2; k < argc; k++) {
		for (i = 0; i < n_taps && strcmp(taps[i].name, argv[k]); i++)
			;
		if (i == n_taps)
			die("no tap %s", argv[k]);
		if (!getsockopt(taps[i].fd, SOL_PACKET, PACKET_STATISTICS, &st,
				&sl) && st.tp_drops)
			die("tap %s lost %u frames: the result says nothing",
			    taps[i].name, st.tp_drops);
		lost[0] -= taps[i].stamped[0];
		lost[1] -= taps[i].stamped[1];
	}
	printf("# lost: %lld at rest of %llu, %lld in changes of %llu\n",
	       lost[0], (unsigned long long)f->given[0], lost[1],
	       (unsigned long long)f->given[1]);
}

/* Waits until every flood has sent @n more. */
static void progress(uint64_t n)
{
	uint64_t goal[MAX_FLOODS], end = now_ms() + 20000;
	int i;

	for (i = 0; i < n_floods; i++)
		goal[i] = floods[i].sent + n;
	for (i = 0; i < n_floods; i++) {
		while (floods[i].sent < goal[i]) {
			if (now_ms() > end)
				die("flood %s stands still", floods[i].name);
			sched_yield();
		}
	}
}

static void cmd_progress(int argc, char **argv)
{
	progress(argc > 1 ? atoi(argv[1]) : 1000);
}

/* Watch: the receiving side. Which gateway got which stamp. */

static uint32_t (*watched)[256];
static int16_t path_of[MAX_EPOCHS];
static pthread_t watch_thread;
static atomic_bool watching;

static void *watch_main(void *arg)
{
	static uint8_t buf[PKT_MAX];
	struct pollfd p[MAX_TAPS];
	uint32_t e;
	size_t len;
	int i, n, cpu = (long)arg;

	if (cpu >= 0)
		to_cpu(cpu);
	for (i = 0; i < n_taps; i++) {
		p[i].fd = taps[i].fd;
		p[i].events = POLLIN;
	}
	do {
		n = poll(p, n_taps, 50);
		for (i = 0; n > 0 && i < n_taps; i++) {
			while (tap_read(&taps[i], buf, &len)) {
				if (!pkt_stamp(buf, len, &e))
					continue;
				taps[i].frames++;
				taps[i].stamped[e % 2]++;
				if (e < MAX_EPOCHS)
					watched[e][buf[5]]++;
			}
		}
	} while (watching || n > 0);
	return NULL;
}

static void cmd_watch(int argc, char **argv)
{
	long cpu = argc > 1 ? atoi(argv[1]) : -1;

	watched = calloc(MAX_EPOCHS, sizeof(*watched));
	if (!watched)
		die("out of memory");
	watching = true;
	if (pthread_create(&watch_thread, NULL, watch_main, (void *)cpu))
		die("cannot start a thread");
}

/* flow TAP N: N stamped frames more must come through, and no 20 s without one. */
static void cmd_flow(int argc, char **argv)
{
	uint64_t goal, seen, end;
	int i;

	for (i = 0; argc == 3 && i < n_taps; i++) {
		if (strcmp(taps[i].name, argv[1]))
			continue;
		seen = taps[i].frames;
		goal = seen + atoi(argv[2]);
		end = now_ms() + 20000;
		while (taps[i].frames < goal) {
			if (taps[i].frames != seen) {
				seen = taps[i].frames;
				end = now_ms() + 20000;
			} else if (now_ms() > end) {
				printf("tap %s: no more traffic\n", argv[1]);
				return;
			}
			sleep_us(500);
		}
		return;
	}
	die("usage: flow TAP N (of a tap that exists)");
}

/*
 * A frame with stamp e was sent after change e had returned, so it may leave by
 * path(e), or by a later one if it waited, but never by an earlier one. Paths
 * repeat after @ways changes: up to @ways - 3 ahead counts as later.
 */
static unsigned long stale_frames(unsigned int ways)
{
	unsigned long stale = 0;
	unsigned int e, m, d;

	for (e = 1; e <= epoch; e++) {
		for (m = 0; m < 256; m++) {
			if (!watched[e][m])
				continue;
			for (d = 0; d + 3 <= ways && e + d <= epoch; d++)
				if (path_of[e + d] == (int)m)
					break;
			if (d + 3 <= ways && e + d <= epoch)
				continue;
			stale += watched[e][m];
			printf("# stamp %u: %u frames to gateway %#x, but the route went to %#x, before that to %#x\n",
			       e, watched[e][m], m, path_of[e],
			       path_of[e - 1]);
		}
	}
	return stale;
}

static unsigned int cycle_ways;

static void cmd_watch_end(int argc, char **argv)
{
	unsigned long stale;
	int i;

	(void)argc;
	(void)argv;
	watching = false;
	pthread_join(watch_thread, NULL);
	for (i = 0; i < n_taps; i++)
		printf("# tap %s: %llu stamped frames\n", taps[i].name,
		       (unsigned long long)taps[i].frames);
	if (cycle_ways) {
		stale = stale_frames(cycle_ways);
		printf("frames sent by a dead route: %lu\n", stale);
	}
	free(watched);
}

/* Prefixes of either family that cycle and fill change. */
struct routes {
	struct rtnl_route r;
	size_t size;			/* of an address */
	uint8_t first[16], via[16];	/* what was asked for */
	uint8_t dst[16], gw[16];	/* what @r points to */
	int fd;
};

/* The words of cycle and fill that routes_open() reads. */
static bool routes_word(const char *arg)
{
	return !strncmp(arg, "dev=", 4) || !strncmp(arg, "via=", 4);
}

/* Reads PREFIX/LEN, then DEV and VIA among the other words, in @ns. */
static void routes_open(struct routes *p, const char *ns, char *prefix,
			int argc, char **argv)
{
	char *slash = strchr(prefix, '/');
	bool via = false;
	int i;

	memset(p, 0, sizeof(*p));
	p->r.family = strchr(prefix, ':') ? AF_INET6 : AF_INET;
	p->size = p->r.family == AF_INET ? 4 : 16;
	if (!slash)
		die("not PREFIX/LEN: %s", prefix);
	*slash = '\0';
	p->r.plen = atoi(slash + 1);
	if (inet_pton(p->r.family, prefix, p->first) != 1)
		die("bad prefix");
	memcpy(p->dst, p->first, sizeof(p->dst));
	p->r.dst = p->dst;
	p->r.gw = p->gw;
	enter(ns);
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "dev=", 4))
			p->r.oif = if_nametoindex(argv[i] + 4);
		else if (!strncmp(argv[i], "via=", 4))
			via = inet_pton(p->r.family, argv[i] + 4, p->via) == 1;
	}
	p->fd = rtnl_open();
	leave();
	if (p->fd < 0 || !p->r.oif || !via)
		die("device, gateway or socket missing");
}

/* The address @n steps on, in the last 32 bits. */
static void address_step(const struct routes *p, uint8_t *to,
			 const uint8_t *from, uint32_t n)
{
	uint32_t last;

	memcpy(to, from, p->size);
	memcpy(&last, from + p->size - 4, 4);
	last = htonl(ntohl(last) + n);
	memcpy(to + p->size - 4, &last, 4);
}

/*
 * cycle NS PREFIX/LEN dev=D via=A ways=K mac=B count=N mode=replace|delete
 *       [cover=M] [per=P]
 * Changes the route N times under the running floods. Gateway i is A+i, with a
 * MAC address that ends in B+i. mode=replace goes from each to the next;
 * mode=delete removes in between, when the covering route (MAC ends in M)
 * takes over. P frames are sent between two changes.
 */
static void cmd_cycle(int argc, char **argv)
{
	unsigned int ways = 32, count = 1000, per = 8, mac = 0, cover = 0, k, e;
	bool with_delete = false;
	struct routes p;
	int i, err;

	if (argc < 4)
		die("usage: cycle NS PREFIX/LEN KEY=VALUE...");
	routes_open(&p, argv[1], argv[2], argc - 3, argv + 3);
	for (i = 3; i < argc; i++) {
		char *v = strchr(argv[i], '=');

		if (!v)
			die("not KEY=VALUE: %s", argv[i]);
		v++;
		if (!strncmp(argv[i], "ways=", 5))
			ways = atoi(v);
		else if (!strncmp(argv[i], "mac=", 4))
			mac = strtoul(v, NULL, 0);
		else if (!strncmp(argv[i], "cover=", 6))
			cover = strtoul(v, NULL, 0);
		else if (!strncmp(argv[i], "count=", 6))
			count = atoi(v);
		else if (!strncmp(argv[i], "per=", 4))
			per = atoi(v);
		else if (!strcmp(argv[i], "mode=delete"))
			with_delete = true;
		else if (strcmp(argv[i], "mode=replace") &&
			 !routes_word(argv[i]))
			die("unknown word: %s", argv[i]);
	}
	if (ways < 4)
		die("cycle: at least 4 ways");
	if (count > MAX_EPOCHS - 8)
		die("cycle: at most %d changes", MAX_EPOCHS - 8);
	if (!watching || epoch)
		die("cycle: needs watch, and only once");

	for (e = 1; e <= count; e++) {
		k = with_delete ? e / 2 % ways : e % ways;
		if (with_delete && e % 2) {
			/* The first has nothing to delete. */
			err = e > 1 ? rtnl_del(p.fd, &p.r) : 0;
			path_of[e] = cover;
		} else {
			address_step(&p, p.gw, p.via, k);
			err = rtnl_add(p.fd, &p.r, !with_delete);
			path_of[e] = mac + k;
		}
		if (err)
			die("change %u: %s", e, strerror(-err));
		epoch = e;
		progress(per);
	}
	close(p.fd);
	/* A deletion needs twice the changes to come back to a path. */
	cycle_ways = with_delete ? 2 * ways : ways;
	path_of[0] = cover;
	printf("cycle: %u changes\n", count);
}

/*
 * fill NS PREFIX/LEN dev=D via=A count=N [ways=K] [del]
 * Adds or deletes N prefixes of one length side by side, gateways A to A+K-1.
 */
static void cmd_fill(int argc, char **argv)
{
	unsigned int count = 1, ways = 1, host, i;
	bool del = false;
	struct routes p;
	int err, k;

	if (argc < 4)
		die("usage: fill NS PREFIX/LEN dev=D via=A count=N [ways=K] [del]");
	routes_open(&p, argv[1], argv[2], argc - 3, argv + 3);
	for (k = 3; k < argc; k++) {
		if (!strncmp(argv[k], "count=", 6))
			count = atoi(argv[k] + 6);
		else if (!strncmp(argv[k], "ways=", 5))
			ways = atoi(argv[k] + 5);
		else if (!strcmp(argv[k], "del"))
			del = true;
		else if (!routes_word(argv[k]))
			die("unknown word: %s", argv[k]);
	}
	host = p.size * 8 - p.r.plen;
	if (!ways || host > 31)
		die("fill: no gateway, or prefixes that differ before the last 32 bits");
	for (i = 0; i < count; i++) {
		address_step(&p, p.dst, p.first, i << host);
		address_step(&p, p.gw, p.via, i % ways);
		err = del ? rtnl_del(p.fd, &p.r) : rtnl_add(p.fd, &p.r, false);
		if (err)
			die("route %u: %s", i, strerror(-err));
	}
	close(p.fd);
}

/*
 * rtnl-watch NS DEV ... rtnl-end: sets DEV's MTU to what it is, twice a millisecond,
 * which does nothing but take RTNL, and says how late it was done at most. Late,
 * since a holder of RTNL that does not let go of the CPU delays the attempt, too.
 */
static pthread_t rtnl_thread;
static atomic_bool rtnl_watching;
static uint64_t rtnl_longest, rtnl_times, rtnl_total;

static void *rtnl_main(void *arg)
{
	char *args = arg;
	uint64_t due, took;
	int err;

	while (rtnl_watching) {
		due = now_us() + 500;
		sleep_us(500);
		err = rtnl_ip(args, NETNS_DIR);
		if (err)
			die("ip %s: %s", args, strerror(-err));
		took = now_us() - due;
		if (took > rtnl_longest)
			rtnl_longest = took;
		rtnl_total += took;
		rtnl_times++;
	}
	free(args);
	return NULL;
}

static void cmd_rtnl_watch(int argc, char **argv)
{
	char *args;

	if (argc != 3 || rtnl_watching)
		die("usage: rtnl-watch NS DEV (once)");
	if (asprintf(&args, "link set %s mtu 1400", argv[2]) < 0)
		die("out of memory");
	rtnl_longest = 0;
	rtnl_times = 0;
	rtnl_total = 0;
	rtnl_watching = true;
	enter(argv[1]);
	/* The thread stays in the namespace in which it is made. */
	if (pthread_create(&rtnl_thread, NULL, rtnl_main, args))
		die("cannot start a thread");
	leave();
}

static void cmd_rtnl_end(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	rtnl_watching = false;
	pthread_join(rtnl_thread, NULL);
	printf("# rtnl: taken %llu times, late by %llu us at most, %llu us on average\n",
	       (unsigned long long)rtnl_times,
	       (unsigned long long)rtnl_longest,
	       (unsigned long long)(rtnl_total / (rtnl_times ?: 1)));
}

/* Waits until each device that came up is ready to send. */
static void cmd_links(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	wait_links();
}

/* The same, and until the IPv6 addresses are there: that is a work queue's job. */
static void cmd_ready(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	links_changed = true;
	wait_links();
	sleep_us(20000);
}

static void cmd_epoch(int argc, char **argv)
{
	epoch = argc > 1 ? atoi(argv[1]) : 1;
}

static void cmd_cpu(int argc, char **argv)
{
	to_cpu(argc > 1 ? atoi(argv[1]) : 0);
}

static void cmd_sleep(int argc, char **argv)
{
	sleep_us(1000 * (argc > 1 ? atoi(argv[1]) : 100));
}

static void cmd_echo(int argc, char **argv)
{
	printf("%s\n", argc > 1 ? argv[1] : "");
}

static const struct {
	const char *name;
	void (*run)(int argc, char **argv);
	int rest_from;		/* this argument is the rest of the line */
} commands[] = {
	{ "accept",	cmd_accept,	0 },
	{ "altfib",	cmd_altfib,	0 },
	{ "altfib6",	cmd_altfib,	0 },
	{ "altfib-set",	cmd_altfib_set,	3 },
	{ "arm",	cmd_arm,	0 },
	{ "audit",	cmd_audit,	0 },
	{ "bytes",	cmd_bytes,	0 },
	{ "change",	cmd_change,	0 },
	{ "close",	cmd_close,	0 },
	{ "connect",	cmd_connect,	0 },
	{ "counters",	cmd_counters,	0 },
	{ "counters6",	cmd_counters,	0 },
	{ "cpu",	cmd_cpu,	0 },
	{ "cycle",	cmd_cycle,	0 },
	{ "devices",	cmd_devices,	0 },
	{ "discard",	cmd_discard,	0 },
	{ "echo",	cmd_echo,	1 },
	{ "epoch",	cmd_epoch,	0 },
	{ "fill",	cmd_fill,	0 },
	{ "flood",	cmd_flood,	0 },
	{ "flood-end",	cmd_flood_end,	0 },
	{ "flow",	cmd_flow,	0 },
	{ "frames",	cmd_frames,	0 },
	{ "ip",		cmd_ip,		2 },
	{ "ip6",	cmd_ip,		2 },
	{ "links",	cmd_links,	0 },
	{ "lost",	cmd_lost,	0 },
	{ "netns",	cmd_netns,	0 },
	{ "netns-del",	cmd_netns_del,	0 },
	{ "progress",	cmd_progress,	0 },
	{ "read",	cmd_read,	0 },
	{ "ready",	cmd_ready,	0 },
	{ "report",	cmd_report,	1 },
	{ "rtnl-end",	cmd_rtnl_end,	0 },
	{ "rtnl-watch",	cmd_rtnl_watch,	0 },
	{ "say",	cmd_say,	0 },
	{ "send",	cmd_send,	0 },
	{ "settle",	cmd_settle,	0 },
	{ "sh",		cmd_sh,		1 },
	{ "sleep",	cmd_sleep,	0 },
	{ "sock",	cmd_sock,	0 },
	{ "sysctl",	cmd_sysctl,	3 },
	{ "tap",	cmd_tap,	0 },
	{ "tcp",	cmd_tcp,	0 },
	{ "try",	cmd_try,	2 },
	{ "try6",	cmd_try,	2 },
	{ "watch",	cmd_watch,	0 },
	{ "watch-end",	cmd_watch_end,	0 },
};

static const char *const senders[] = { "send", "say", "tcp", "flood" };

static void run_line(char *line)
{
	char *argv[MAX_ARGS + 1] = { NULL };
	unsigned int i, k;
	int argc = 0;

	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return;
	argv[argc++] = line;
	while (*line && !isspace((unsigned char)*line))
		line++;
	if (*line)
		*line++ = '\0';
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, argv[0]))
			break;
	if (i == ARRAY_SIZE(commands))
		die("unknown command %s", argv[0]);
	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || argc == MAX_ARGS)
			break;
		argv[argc++] = line;
		if (argc - 1 == commands[i].rest_from) {
			line[strcspn(line, "\n")] = '\0';
			break;
		}
		while (*line && !isspace((unsigned char)*line))
			line++;
		if (*line)
			*line++ = '\0';
	}
	if (commands[i].run != cmd_ip)
		flush_batch();
	for (k = 0; k < ARRAY_SIZE(senders); k++)
		if (!strcmp(senders[k], argv[0]))
			wait_links();
	commands[i].run(argc, argv);
	fflush(stdout);
}

static void run_script(FILE *in)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, in) >= 0) {
		line_no++;
		run_line(line);
	}
	flush_batch();
	free(line);
}

/* What one run of the scenario printed. */
struct run {
	char **line;
	bool *matched;
	size_t n;
	int status;
};

static bool is_cache(const char *word)
{
	return !strcmp(word, "nexthop") || !strcmp(word, "none") ||
	       !strcmp(word, "flow") || !strcmp(word, "percpu-flow");
}

/* MODE, and after it +OUTPUT, +CACHE and +fast, in any order. */
static void set_arm(const char *name)
{
	char *mode = strdup(name), *word;

	output = NULL;
	cache = NULL;
	fast = false;
	arm = strsep(&mode, "+");
	while ((word = strsep(&mode, "+"))) {
		if (is_cache(word))
			cache = word;
		else if (!strcmp(word, "fast"))
			fast = true;
		else
			output = word;
	}
}

static void run_captured(struct run *r, const char *script, size_t size,
			 const char *mode)
{
	int fd = memfd_create("run", 0), status;
	char *line = NULL;
	size_t len = 0, room = 0;
	pid_t pid;
	FILE *f;

	fflush(stdout);
	pid = fork();
	if (fd < 0 || pid < 0)
		die("cannot start a run: %s", strerror(errno));
	if (!pid) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		set_arm(mode);
		if (size) {
			f = fmemopen((void *)script, size, "r");
			run_script(f);
		}
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("wait: %s", strerror(errno));
	memset(r, 0, sizeof(*r));
	r->status = status;
	lseek(fd, 0, SEEK_SET);
	f = fdopen(fd, "r");
	while (getline(&line, &len, f) >= 0) {
		if (r->n == room) {
			room = room ? 2 * room : 256;
			r->line = realloc(r->line, room * sizeof(*r->line));
		}
		line[strcspn(line, "\n")] = '\0';
		r->line[r->n++] = strdup(line);
	}
	r->matched = calloc(r->n + 1, sizeof(*r->matched));
	free(line);
	fclose(f);
}

static void show(const struct run *r, bool comments, bool rest)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->line[i][0] == '#' ? comments : rest)
			printf("%s%s\n", r->line[i][0] == '#' ? "" : "# ",
			       r->line[i]);
}

/* Lines of @a that have no equal in @b. */
static int unmatched(struct run *a, struct run *b, char sign)
{
	size_t i, j;
	int n = 0;

	for (i = 0; i < b->n; i++)
		b->matched[i] = false;
	for (i = 0; i < a->n; i++) {
		if (a->line[i][0] == '#')
			continue;
		for (j = 0; j < b->n; j++)
			if (!b->matched[j] && !strcmp(a->line[i], b->line[j]))
				break;
		if (j < b->n)
			b->matched[j] = true;
		else if (n++ < 20)
			printf("# %c%s\n", sign, a->line[i]);
	}
	return n;
}

static int compare(const char *script, size_t size, struct run *first_run,
		   const char *first, const char *second)
{
	struct run a = *first_run, b;
	size_t i, j;
	const char *all = getenv("ALTFIB_SHOW");
	int differ;

	run_captured(&b, script, size, second);
	show(&b, true, false);
	if (all && *all)
		show(&a, false, true);
	if (a.status || b.status) {
		printf("# the scenario itself failed:\n");
		show(a.status ? &a : &b, false, true);
		return 1;
	}
	for (i = 0, j = 0; ; i++, j++) {
		while (i < a.n && a.line[i][0] == '#')
			i++;
		while (j < b.n && b.line[j][0] == '#')
			j++;
		if (i == a.n || j == b.n || strcmp(a.line[i], b.line[j]))
			break;
	}
	if (i == a.n && j == b.n)
		return 0;
	printf("# '-' altfib %s, '+' altfib %s:\n", first, second);
	differ = unmatched(&a, &b, '-');
	differ += unmatched(&b, &a, '+');
	if (!differ)
		printf("# the same lines in another order\n");
	return 1;
}

/*
 * probe ARM			run the scenario once
 * probe --check ARM		the same, and fail if it prints more than comments
 * probe --compare ARM ARM...	run it in each, and fail if one differs from the first
 */
int main(int argc, char **argv)
{
	char *script = NULL;
	size_t size = 0;
	struct run r;
	FILE *all;
	size_t i;
	int c, rc;

	home_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home_ns < 0)
		die("cannot open the own network namespace");
	if (argc == 2) {
		set_arm(argv[1]);
		run_script(stdin);
		return 0;
	}
	all = open_memstream(&script, &size);
	while ((c = getchar()) != EOF)
		putc(c, all);
	fclose(all);
	if (argc > 3 && !strcmp(argv[1], "--compare")) {
		run_captured(&r, script, size, argv[2]);
		for (c = 3, rc = 0; c < argc; c++)
			rc |= compare(script, size, &r, argv[2], argv[c]);
		return rc;
	}
	if (argc != 3 || strcmp(argv[1], "--check")) {
		fprintf(stderr,
			"usage: probe [--check|--compare ARM] MODE[+OUTPUT][+CACHE][+fast]|none\n");
		return 2;
	}
	run_captured(&r, script, size, argv[2]);
	show(&r, true, true);
	for (i = 0; i < r.n; i++)
		if (r.line[i][0] != '#')
			return 1;
	return r.status ? 1 : 0;
}
