/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ALTFIB_SELFTEST_COUNTERS_H
#define ALTFIB_SELFTEST_COUNTERS_H

struct counter {
	char name[64];
	long long val;
};

/*
 * A file like /proc/net/snmp6 of the namespace of the calling thread, without what
 * comes and goes by timers. Returns how many, at most @max; -1 if it can't be read.
 */
int counters6_read(const char *path, struct counter *c, int max);

#endif
