/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads: the headers of the functions and types in bindgen_parameters. */

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>
#include <net/fib_notifier.h>
#include <net/ip6_fib.h>
#include <net/ip_fib.h>
#include <net/net_namespace.h>
#include <net/nexthop.h>
#include <uapi/linux/altfib.h>

#include "helpers.h"
#include "altfib_trace.h"

