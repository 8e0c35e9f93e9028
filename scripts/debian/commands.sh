#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#   commands.sh NAME     the commands of docs/install.md below "<!-- run: NAME -->"
#   commands.sh          the names, in their order
#
# docs/install.md is what the tests run: nothing that it says stays untried.  A NAME that
# it does not have is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
awk -v name="${1:-}" '
	/^<!-- run: .* -->$/ { on = $3; if (name == "") print on; next }
	/^    / { if (on != "" && on == name) { print substr($0, 5); seen = 1 } next }
	/^$/ { next }
	{ on = "" }
	END { exit name != "" && !seen }' docs/install.md
