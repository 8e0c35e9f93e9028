// SPDX-License-Identifier: GPL-2.0
/*
 * Which packet is looked at more closely: verified, or counted for its next hop.
 *
 * A counter in each next hop would be a write to memory that all CPUs share, for
 * each packet. Instead a CPU counts down, as it does to the next packet that is
 * to be verified, to one that stands for all since the last such: what it leaves
 * by gets their number. So the sum is exact, and each next hop's part is as good
 * as that of a sample. With few packets each one is taken, with many about one
 * in ALTFIB_SAMPLE_MEAN, by chance: no regular traffic hides behind the interval.
 *
 * What is counted has no reference on anything: the namespace's number, which no
 * other gets, a gateway and an interface index.
 */

/* Packets for which one stands at most. */
#define ALTFIB_STRATUM_MAX	64

/* Samples in one jiffy for which they become rarer. */
#define ALTFIB_SAMPLE_CROWD	4

/* Next hops that a CPU can tell apart; one that had no packets for longest goes for another. */
#define ALTFIB_TRAFFIC_SETS	64
#define ALTFIB_TRAFFIC_WAYS	4
#define ALTFIB_TRAFFIC_SIZE	(ALTFIB_TRAFFIC_SETS * ALTFIB_TRAFFIC_WAYS)

struct altfib_traffic_entry {
	struct altfib_traffic_key key;
	unsigned long seen;		/* jiffies */
	u64 packets;
};

struct altfib_traffic {
	local_lock_t bh_lock;
	seqcount_t seq;			/* of entries */
	u32 armed;			/* what the countdown began at */
	u32 unsampled;			/* packets since the last sample, until then */
	u32 interval;			/* packets from that sample to the next */
	u32 stratum;			/* the length of the one that it is of */
	u32 rest;			/* of that, behind it */
	u32 crowd;			/* samples since stamp has changed */
	u32 chance;
	u64 unverified;			/* packets since one was verified, until then */
	unsigned long stamp;		/* jiffies at the last sample */
	struct altfib_traffic_entry entries[ALTFIB_TRAFFIC_SIZE];
};

static struct altfib_traffic __percpu *altfib_traffic;

/* Packets until the next one that is looked at, less one. */
static DEFINE_PER_CPU(u32, altfib_countdown);

/* Context: process, before any packet. */
int altfib_helper_traffic_alloc(void)
{
	int cpu;

	altfib_traffic = alloc_percpu(struct altfib_traffic);
	if (!altfib_traffic)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct altfib_traffic *t = per_cpu_ptr(altfib_traffic, cpu);

		local_lock_init(&t->bh_lock);
		seqcount_init(&t->seq);
		t->interval = 1;
		t->stratum = 1;
		t->chance = get_random_u32();
		/* The first packet is verified. */
		t->unverified = U32_MAX;
	}
	return 0;
}

/* Context: process, behind the last packet. */
void altfib_helper_traffic_free(void)
{
	free_percpu(altfib_traffic);
}

static void altfib_traffic_key(const struct net *net, const struct dst_entry *dst,
			       struct altfib_traffic_key *key)
{
	const struct rt6_info *rt6;
	const struct rtable *rt4;

	memset(key, 0, sizeof(*key));
	key->net_cookie = net->net_cookie;
	key->family = dst->ops->family;
	if (key->family == AF_INET) {
		rt4 = dst_rtable(dst);
		key->local = rt4->rt_type == RTN_LOCAL;
		if (!key->local)
			key->gateway_family = rt4->rt_gw_family;
		if (key->gateway_family == AF_INET)
			memcpy(key->gateway, &rt4->rt_gw4, sizeof(rt4->rt_gw4));
		else if (key->gateway_family == AF_INET6)
			memcpy(key->gateway, &rt4->rt_gw6, sizeof(rt4->rt_gw6));
	} else {
		rt6 = dst_rt6_info(dst);
		key->local = !!(rt6->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST));
		if (!key->local && rt6->rt6i_flags & RTF_GATEWAY) {
			key->gateway_family = AF_INET6;
			memcpy(key->gateway, &rt6->rt6i_gateway, sizeof(rt6->rt6i_gateway));
		}
	}
	if (!key->local)
		key->ifindex = dst->dev ? dst->dev->ifindex : 0;
}

static void altfib_traffic_add(struct altfib_traffic *t, const struct altfib_traffic_key *key,
			       u32 packets)
{
	u32 hash = jhash2((const u32 *)key, sizeof(*key) / sizeof(u32), 0);
	struct altfib_traffic_entry *set, *to;
	int i;

	BUILD_BUG_ON(sizeof(*key) % sizeof(u32));
	set = &t->entries[(hash % ALTFIB_TRAFFIC_SETS) * ALTFIB_TRAFFIC_WAYS];
	to = set;
	for (i = 0; i < ALTFIB_TRAFFIC_WAYS; i++) {
		if (!memcmp(&set[i].key, key, sizeof(*key))) {
			to = &set[i];
			break;
		}
		/* A free one has never been seen. */
		if (to->key.net_cookie &&
		    (!set[i].key.net_cookie || time_before(set[i].seen, to->seen)))
			to = &set[i];
	}
	preempt_disable_nested();
	raw_write_seqcount_begin(&t->seq);
	if (i == ALTFIB_TRAFFIC_WAYS) {
		to->key = *key;
		to->packets = 0;
	}
	to->packets += packets;
	to->seen = jiffies;
	raw_write_seqcount_end(&t->seq);
	preempt_enable_nested();
}

/* The next stratum, twice as long when there are many samples, and one of its packets. */
static void altfib_next_sample(struct altfib_traffic *t)
{
	unsigned long now = jiffies;
	u32 place;

	if (now - t->stamp >= HZ / 10) {
		t->stratum = 1;
		t->crowd = 0;
	} else if (now != t->stamp) {
		t->stratum = max(t->stratum / 2, 1U);
		t->crowd = 0;
	} else if (++t->crowd == ALTFIB_SAMPLE_CROWD) {
		t->stratum = min(t->stratum * 2, ALTFIB_STRATUM_MAX);
		t->crowd = 0;
	}
	t->stamp = now;
	/* Numerical Recipes' generator. */
	t->chance = t->chance * 1664525 + 1013904223;
	place = reciprocal_scale(t->chance, t->stratum);
	t->interval = t->rest + place + 1;
	t->rest = t->stratum - place - 1;
}

/*
 * The countdown has ended, at now, or every has become less than what is left.
 *
 * Return: whether the packet, which goes by dst, is to be verified.
 */
static noinline bool altfib_stop(const struct net *net, const struct dst_entry *dst, u32 now,
				 u32 every)
{
	struct altfib_traffic_key key;
	struct altfib_traffic *t;
	u32 passed;
	bool due;

	local_bh_disable();
	local_lock_nested_bh(&altfib_traffic->bh_lock);
	t = this_cpu_ptr(altfib_traffic);
	passed = t->armed - 1 - now;
	/* At first, and if another packet has come between. */
	if (unlikely(passed - 1 >= t->armed))
		passed = 1;
	t->unverified += passed;
	t->unsampled += passed;
	due = t->unverified >= every;
	if (due)
		t->unverified = 0;
	if (t->unsampled >= t->interval) {
		altfib_traffic_key(net, dst, &key);
		altfib_traffic_add(t, &key, t->stratum);
		t->unsampled = 0;
		altfib_next_sample(t);
	}
	t->armed = min_t(u64, every - t->unverified, t->interval - t->unsampled);
	this_cpu_write(altfib_countdown, t->armed - 1);
	local_unlock_nested_bh(&altfib_traffic->bh_lock);
	local_bh_enable();
	return due;
}

static noinline u32 altfib_dec_anywhere(u32 __percpu *left)
{
	return this_cpu_dec_return(*left);
}

/*
 * A packet is about to get dst. Of every so many one is due to be verified;
 * counted as altfib_count_packet() counts.
 *
 * Context: RCU read side.
 */
static __always_inline bool altfib_due(const struct net *net, const struct dst_entry *dst,
				       u32 every)
{
	u32 now = likely(softirq_count()) ? __this_cpu_dec_return(altfib_countdown) :
					    altfib_dec_anywhere(&altfib_countdown);

	/* Negative is large: the countdown's end, or every has become shorter. */
	if (likely(now < every - 1))
		return false;
	return altfib_stop(net, dst, now, every);
}

/* The name of the device, or none. */
static void altfib_traffic_name(struct net *net, int ifindex, char *name)
{
	const struct net_device *dev;

	name[0] = '\0';
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	if (dev)
		strscpy(name, dev->name, IFNAMSIZ);
	rcu_read_unlock();
}

/*
 * The first of the namespace's next hops whose number is at least *at, which is
 * moved behind it.
 *
 * Context: process.
 *
 * Return: false if there is none.
 */
bool altfib_helper_traffic_next(struct net *net, u32 *at, struct altfib_traffic_info *info)
{
	for (; *at / ALTFIB_TRAFFIC_SIZE < nr_cpu_ids; ++*at) {
		unsigned int cpu = *at / ALTFIB_TRAFFIC_SIZE;
		const struct altfib_traffic_entry *entry;
		const struct altfib_traffic *t;
		unsigned int seq;

		if (!cpu_possible(cpu))
			continue;
		t = per_cpu_ptr(altfib_traffic, cpu);
		entry = &t->entries[*at % ALTFIB_TRAFFIC_SIZE];
		do {
			seq = read_seqcount_begin(&t->seq);
			info->key = entry->key;
			info->packets = entry->packets;
		} while (read_seqcount_retry(&t->seq, seq));
		if (info->key.net_cookie != net->net_cookie)
			continue;
		info->cpu = cpu;
		altfib_traffic_name(net, info->key.ifindex, info->device);
		++*at;
		return true;
	}
	return false;
}
