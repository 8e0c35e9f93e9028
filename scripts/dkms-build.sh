#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What dkms runs in its copy of the package's sources, as root:
#
#   dkms-build.sh HEADERS
#
# The result is altfib.ko beside Kbuild.  All else that was made goes again; the Rust
# crates of the kernel, where its headers lack them, too.
set -euo pipefail
cd "$(dirname "$0")/.."
# Whoever called sudo has no rights here.
unset SUDO_USER
export ALTFIB_CACHE=$PWD/build
trap 'rm -rf "$ALTFIB_CACHE"' EXIT

scripts/build-module.sh --kdir "$1"
mv "$ALTFIB_CACHE"/build/module-*/altfib.ko .
