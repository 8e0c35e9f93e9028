// SPDX-License-Identifier: GPL-2.0
/*
 * For LD_PRELOAD: what "ip vrf exec VRF" does with a BPF program on the cgroup,
 * in kernels without CGROUP_BPF. Each new IP socket is bound to the device
 * $ALTFIB_VRF.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int socket(int domain, int type, int protocol)
{
	int (*next)(int domain, int type, int protocol) = dlsym(RTLD_NEXT, "socket");
	const char *vrf = getenv("ALTFIB_VRF");
	int fd = next(domain, type, protocol);
	int saved = errno;

	if (fd >= 0 && vrf && (domain == AF_INET || domain == AF_INET6) &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, vrf, strlen(vrf) + 1)) {
		saved = errno;
		close(fd);
		fd = -1;
	}
	errno = saved;
	return fd;
}
