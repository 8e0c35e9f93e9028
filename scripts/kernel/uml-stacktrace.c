// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of arch/um/kernel/stacktrace.c in the debug kernel (setup/kernel.sh).
 *
 * The original asks of each word on the stack whether it is an address of code.
 * With lockdep that takes a millisecond, and each allocation takes three traces
 * (KASAN, kmemleak, slab), so that no test would end. This one follows the frame
 * pointers.
 *
 * Copyright (C) 2001 - 2007 Jeff Dike (jdike@{addtoit,linux.intel}.com)
 * Copyright (C) 2013 Richard Weinberger <richard@nod.at>
 * Copyright (C) 2014 Google Inc., Author: Daniel Walter <dwalter@google.com>
 */

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <asm/stacktrace.h>

void dump_trace(struct task_struct *tsk,
		const struct stacktrace_ops *ops,
		void *data)
{
	struct pt_regs *segv_regs = tsk->thread.segv_regs;
	unsigned long bp = get_frame_pointer(tsk, segv_regs);
	unsigned long low = (unsigned long)get_stack_pointer(tsk, segv_regs);
	unsigned long end = (low | (THREAD_SIZE - 1)) + 1;

	while (bp >= low && bp + 2 * sizeof(long) <= end && !(bp & 7)) {
		unsigned long addr = READ_ONCE_NOCHECK(((unsigned long *)bp)[1]);
		unsigned long next = READ_ONCE_NOCHECK(((unsigned long *)bp)[0]);

		if (!__kernel_text_address(addr))
			break;
		ops->address(data, addr, 1);
		if (next <= bp)
			break;
		bp = next;
	}
}

static void save_addr(void *data, unsigned long address, int reliable)
{
	struct stack_trace *trace = data;

	if (!reliable)
		return;
	if (trace->nr_entries >= trace->max_entries)
		return;

	trace->entries[trace->nr_entries++] = address;
}

static const struct stacktrace_ops dump_ops = {
	.address = save_addr
};

static void __save_stack_trace(struct task_struct *tsk, struct stack_trace *trace)
{
	dump_trace(tsk, &dump_ops, trace);
}

void save_stack_trace(struct stack_trace *trace)
{
	__save_stack_trace(current, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace);

void save_stack_trace_tsk(struct task_struct *tsk, struct stack_trace *trace)
{
	__save_stack_trace(tsk, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace_tsk);
