// SPDX-License-Identifier: GPL-2.0
/*
 * Steps through a User-Mode Linux kernel, instruction by instruction, and notes
 * the registers and the instruction's bytes before each: the kernel is an
 * ordinary process, whose timer stands still meanwhile.
 *
 *	step PID COUNT OUT
 *
 * Each record of OUT is a struct user_regs_struct and 16 bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static void fail(const char *what)
{
	fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	unsigned char code[16];
	int pid, status, signal = 0;
	long i, count;
	FILE *out;

	if (argc != 4) {
		fprintf(stderr, "usage: step PID COUNT OUT\n");
		return 2;
	}
	pid = atoi(argv[1]);
	count = atol(argv[2]);
	out = fopen(argv[3], "w");
	if (!out)
		fail(argv[3]);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) < 0)
		fail("stopping the kernel");
	for (i = 0; i < count; i++) {
		struct iovec local = { code, sizeof(code) };
		struct iovec remote = { NULL, sizeof(code) };

		if (ptrace(PTRACE_SINGLESTEP, pid, 0, signal))
			fail("stepping");
		if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			fail("waiting");
		/* Its interrupts would be most of what is seen. */
		signal = WSTOPSIG(status);
		if (signal == SIGTRAP || signal == SIGALRM || signal == SIGIO)
			signal = 0;
		if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
			fail("reading registers");
		remote.iov_base = (void *)regs.rip;
		memset(code, 0, sizeof(code));
		process_vm_readv(pid, &local, 1, &remote, 1, 0);
		if (fwrite(&regs, sizeof(regs), 1, out) != 1 ||
		    fwrite(code, sizeof(code), 1, out) != 1)
			fail("writing");
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return fclose(out) ? 1 : 0;
}
