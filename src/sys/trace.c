// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of altfib_trace.h, with an entry for Rust to each. */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "altfib_trace.h"
