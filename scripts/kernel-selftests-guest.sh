#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Inside a guest: runs suites of the kernel's own network selftests.
#
#   kernel-selftests-guest.sh ARM FOLDER SUITE...
#
# ARM is a mode, or MODE+OUTPUT, which is then set in each namespace that a suite makes.
# FOLDER is tools/testing/selftests/net, or a copy with helpers built.  Leaves
# SUITE.log and SUITE.sample (altfib's counters) in $ALTFIB_OUT for each.
set -u
mode=${1%%+*}
output=${1#"$mode"}
output=${output#+}
folder=$2
shift 2

# As everywhere else; scripts/vm/init.sh switched it off.
echo 0 >/proc/sys/net/core/fb_tunnels_only_for_init_net
# They write where they are; the copy is on a tmpfs.
cp -r "$folder/.." /tmp/selftests
mkdir /tmp/ks
# Suites find helpers in PATH.  Not in their own folder: there "source lib.sh"
# would find the lib.sh of another folder.
find /tmp/selftests/net -maxdepth 1 -type f -perm /100 ! -name '*.*' -exec ln -s -t /tmp/ks {} +
# Any module from elsewhere taints the kernel, and some suites then skip all.
# What else taints it is told by scripts/check-dmesg.sh.
echo 0 >/tmp/ks/tainted
grep -rl /proc/sys/kernel/tainted /tmp/selftests/net --include='*.sh' |
	xargs -r sed -i 's,/proc/sys/kernel/tainted,/tmp/ks/tainted,'

# Counters of both families, and what differed.  tail heads each with its name.
counters='/proc/net/stat/altfib /proc/net/altfib/punts'
counters+=' /proc/net/stat/altfib6 /proc/net/altfib/punts6 /proc/net/altfib/mismatches'
# Of the host's own lookups.
counters+=' /proc/net/altfib/status'

# A namespace takes its counters along, so whoever deletes one reads them first.
# Reads without a fork of its own where it is not about that: ip is called often.
ip=$(command -v ip)
cat >/tmp/ks/ip <<EOT
#!/bin/sh
case "\$*" in
netns\ del* | "-all netns del"* | "-a netns del"*)
	case "\$1" in
	-a*) list=\$(ls /run/netns) ;;
	*) shift 2; list=\$* ;;
	esac
	rc=0
	for ns in \$list; do
		nsenter --net="/run/netns/\$ns" tail -n +1 $counters >/tmp/ks/sample.\$\$ 2>/dev/null
		$ip netns del "\$ns" || rc=\$?
		# Not twice, should it be there still.
		[ -e "/run/netns/\$ns" ] || cat /tmp/ks/sample.\$\$ >>/tmp/ks/sample
		rm /tmp/ks/sample.\$\$
	done
	exit \$rc ;;
netns\ add*)
	$ip "\$@" || exit
	[ -z "$output" ] || nsenter --net="/run/netns/\$3" sh -c 'echo $output >/proc/sys/net/altfib/output'
	exit ;;
esac
exec $ip "\$@"
EOT
# What is there is built in, and "set -e" ends a suite whose module is not found.
printf '#!/bin/sh\nexit 0\n' >/tmp/ks/modprobe
chmod +x /tmp/ks/ip /tmp/ks/modprobe
export PATH=/tmp/ks:$PATH

for suite in "$@"; do
	name=${suite//[^A-Za-z0-9.-]/_}
	words=()
	eval "words=($suite)"
	: >/tmp/ks/sample
	rmmod altfib 2>/dev/null
	insmod "$ALTFIB_KO" "mode=$mode" || exit 1
	[ -z "$output" ] || echo "$output" >/proc/sys/net/altfib/output || exit 1
	echo "== $suite mode=$mode${output:+ output=$output}"
	echo "altfib: $suite" >/dev/kmsg
	start=$SECONDS
	rc=0
	inside=()
	case $suite in
	forwarding/*)
		# These build all in the one namespace they are called in, and may
		# leave something behind.
		ip netns add suite
		$ip -n suite link set lo up
		inside=("$ip" netns exec suite)
		;;
	esac
	(
		cd "/tmp/selftests/net/$(dirname "${words[0]}")" || exit 1
		"${inside[@]}" timeout -k 10 "${ALTFIB_SUITE_TIMEOUT:-600}" \
			bash "./$(basename "${words[0]}")" "${words[@]:1}"
	) >"$ALTFIB_OUT/$name.log" 2>&1 </dev/null || rc=$?
	printf '\nstatus %s\ntook %s\n' "$rc" $((SECONDS - start)) >>"$ALTFIB_OUT/$name.log"
	# Those that are left, and the first one.
	for ns in $($ip netns list | cut -d' ' -f1); do ip netns del "$ns"; done
	# shellcheck disable=SC2086 # several files
	tail -n +1 $counters >>/tmp/ks/sample
	# A difference is looked at again before it counts, when its namespace may be gone.
	{
		echo "==> log"
		dmesg | awk -v suite="altfib: $suite" '
			index($0, suite) { on = 1 }
			on && /altfib: (mismatch:|a lookup of|the last routes of)/'
	} >>/tmp/ks/sample
	cp /tmp/ks/sample "$ALTFIB_OUT/$name.sample"
done
rmmod altfib
