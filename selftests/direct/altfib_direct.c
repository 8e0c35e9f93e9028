// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches to fib_table_lookup() as a BPF fentry program does: its own code is called
 * at the function's entry, by register_ftrace_direct(), and the function goes on.
 * Counts calls in the parameter "calls".
 */
#include <linux/atomic.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <net/ip_fib.h>

#include "altfib_direct.h"

static atomic_long_t calls_seen;

static int calls_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%ld\n", atomic_long_read(&calls_seen));
}

static const struct kernel_param_ops calls_ops = { .get = calls_get };
module_param_cb(calls, &calls_ops, NULL, 0444);
MODULE_PARM_DESC(calls, "calls of fib_table_lookup() that were seen");

__used void altfib_direct_seen(void)
{
	atomic_long_inc(&calls_seen);
}

/* Called with the stack of the function's caller and one address more. */
asm(
"	.pushsection	.text, \"ax\", @progbits\n"
"	.type		altfib_direct_tramp, @function\n"
"	.globl		altfib_direct_tramp\n"
"altfib_direct_tramp:\n"
"	endbr64\n"
"	pushq %rbp\n"
"	movq %rsp, %rbp\n"
"	pushq %rdi\n"
"	pushq %rsi\n"
"	pushq %rdx\n"
"	pushq %rcx\n"
"	call altfib_direct_seen\n"
"	popq %rcx\n"
"	popq %rdx\n"
"	popq %rsi\n"
"	popq %rdi\n"
"	leave\n"
"	ret\n"
"	.size		altfib_direct_tramp, .-altfib_direct_tramp\n"
"	.popsection\n"
);

static struct ftrace_ops altfib_direct;

static int __init altfib_direct_init(void)
{
	int err;

	err = ftrace_set_filter_ip(&altfib_direct, (unsigned long)fib_table_lookup, 0, 0);
	if (err)
		return err;
	err = register_ftrace_direct(&altfib_direct, (unsigned long)altfib_direct_tramp);
	if (err)
		ftrace_free_filter(&altfib_direct);
	return err;
}

static void __exit altfib_direct_exit(void)
{
	unregister_ftrace_direct(&altfib_direct, (unsigned long)altfib_direct_tramp, true);
}

module_init(altfib_direct_init);
module_exit(altfib_direct_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Another user of ftrace's direct calls, for altfib's tests");
