# SPDX-License-Identifier: GPL-2.0
#
# The front door.  kbuild itself reads Kbuild, so this file is free to be one.

SHELL := /bin/bash
KERNEL ?= x86

export ALTFIB_CACHE ALTFIB_DATA ALTFIB_RIB ALTFIB_RIB6 KSRC
export KDIR DESTDIR PREFIX SIGN_KEY SIGN_CERT ALTFIB_ANY_KERNEL

# "make" alone explains; "make KDIR=..." and "make KSRC=..." do what they say.
.DEFAULT_GOAL := $(if $(KDIR),modules,$(if $(KSRC),setup,help))
.PHONY: help demo test test-debug test-full replay kernel-selftests shell setup modules tool install uninstall deb stock-kernel test-matrix bench bench-quick bench-lpm fuzz fmt clippy lint clean distclean

help:
	@printf '%s\n' \
	'altfib: an alternative FIB for Linux' \
	'' \
	'  make demo         set everything up, boot a kernel, route a real full table' \
	'  make test         set everything up, run all tests' \
	'  make test-debug   all selftests in a debug kernel, and failing allocations' \
	'  make test-full    all of that, and the debug kernel with 2 CPUs' \
	'  make replay       a day of BGP updates under traffic, each packet verified' \
	'  make kernel-selftests  the kernel'"'"'s own, altfib off, on, verifying (ARGS=all)' \
	'  make shell        a shell in the test kernel, with the module at hand' \
	'' \
	'  make setup        only the set-up: packages, kernel source, kernels, module' \
	'  make modules      build altfib.ko for the test kernel' \
	'  make tool         build the altfib tool (ARGS=/usr/local: and copy it there)' \
	'  make KDIR=/path/to/tree            ... for any prepared tree with CONFIG_RUST=y' \
	'  make install      build and install altfib for the running kernel (or KDIR=), and the tool' \
	'  make uninstall    remove it again' \
	'  make deb          the Debian packages altfib-dkms and altfib (ARGS=FOLDER)' \
	'  make stock-kernel     install, boot, test, remove it on Debian'"'"'s own kernel' \
	'  make test-matrix      the same on each Linux version that is supported' \
	'  make KSRC=/path/to/source          build the test kernels from that source' \
	'  make bench        altfib, the stock kernel, a flowtable: lookups, packets, routes' \
	'  make bench-quick  the same in four minutes: only what matters most' \
	'  make bench-lpm    the engine against DPDK and other libraries, on the host' \
	'' \
	'  make lint         rustfmt, clippy, checkpatch, shellcheck, panic gate' \
	'  make fuzz         libFuzzer on the tables until stopped (SECONDS=60: that long)' \
	'  make fmt          format the Rust sources' \
	'  make clippy       only clippy, with the lints of the kernel' \
	'  make clean        forget what was built of the module' \
	'  make distclean    remove the whole cache folder, kernels included' \
	'' \
	'Everything big lives in ALTFIB_CACHE (default: altfib in your cache folder).' \
	'README.md tells more.'

setup:
	@scripts/setup.sh

demo:
	@scripts/demo.sh

shell:
	@scripts/shell.sh

test:
	@scripts/test.sh

test-debug:
	@scripts/test.sh uml-debug

test-full:
	@scripts/test.sh lint host uml x86 uml-debug x86-debug demo kernel replay churn

replay:
	@scripts/test.sh replay

# ARGS: "fast", "all", or suites; kernel-selftests.sh tells more.
kernel-selftests:
	@scripts/kernel-selftests.sh $(ARGS)

install:
	@scripts/install.sh install

uninstall:
	@scripts/install.sh uninstall

# ARGS: the folder for it.
deb:
	@scripts/deb.sh $(ARGS)

# ARGS: a version of scripts/supported-kernels, and programs of selftests/.
stock-kernel:
	@scripts/debian.sh kernel $(ARGS)

test-matrix:
	@scripts/test.sh matrix

# ARGS=--docs to write docs/bench.md too.
bench:
	@scripts/bench.sh $(ARGS)

bench-quick:
	@scripts/bench.sh --quick $(ARGS)

# ARGS=--quick, or ARGS=--docs to write docs/bench-lpm.md too.
bench-lpm:
	@scripts/bench-lpm.sh $(ARGS)

fuzz:
	@scripts/fuzz.sh $(SECONDS)

# With KDIR any prepared tree, else the test kernel (KERNEL=x86 or uml).
modules:
ifneq ($(KDIR),)
	@scripts/build-module.sh --kdir '$(KDIR)'
else
	@scripts/build-module.sh '$(KERNEL)'
endif

# ARGS: a folder below which to copy it, with man pages and completions.
tool:
	@tool/build.sh $(ARGS)

lint:
	@scripts/lint.sh

clippy:
	@scripts/lint.sh clippy

fmt:
	@scripts/lint.sh fmt

clean:
	@scripts/clean.sh checkout

distclean:
	@scripts/clean.sh cache
