#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The commands that README.md and docs/*.md show: blocks that are indented or fenced with ```sh.

    docs.py check        each block is run by docs.sh, or says by a mark in front of it who runs it
    docs.py page PAGE    runs a page's blocks; what follows "$ COMMAND" is what it prints, but for numbers
    docs.py fill PAGE    prints the page with what its commands print now
    docs.py events PAGE  the tracepoints, and their fields, that a page's commands name are there

Marks, in the line before a block:

    <!-- run: FILE -->        a script or page that has the same commands, and runs them
    <!-- run: stage NAME -->  the same of a stage of scripts/test.sh
    <!-- run: NAME.sh -->     a program of selftests that runs the page with this one
    <!-- run: NAME -->        in docs/install.md: "documented NAME" in scripts/debian.sh, or its guest
    <!-- run: docs.sh -->     before a table: the commands of its last column are run as those of blocks
    <!-- not run: WHY -->     nobody does. The reader is told, too: "Not run by the tests: WHY"
"""

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTALL = "docs/install.md"
MARK = re.compile(r"<!-- (run|not run): (.*) -->$")
# Fewer than there are: that the blocks are found at all.
LEAST = 70


def fail(what):
    """Says what is wrong; the exit status is in SystemExit."""
    sys.exit(what)


def read(path):
    """A file of the checkout."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


class Command:
    """A command of a page, and what the page shows of its output."""

    def __init__(self, text, at):
        self.text = text
        self.at = at
        self.shown = None
        self.shown_from = at + 1

    def bare(self):
        """Without its comment."""
        return re.sub(r"\s+# .*$", "", self.text).strip()


class Block:
    """Commands that stand together, and the mark in front of them."""

    def __init__(self, mark, lines, cells=()):
        self.mark = MARK.match(mark) if mark else None
        self.at = lines[0][0] if lines else cells[0].at
        session = any(line.startswith("$ ") for _, line in lines)
        self.commands = list(cells)
        for at, line in lines:
            last = self.commands[-1] if self.commands else None
            if session and line.startswith("$ "):
                self.commands.append(Command(line[2:], at))
                self.commands[-1].shown = []
            elif session:
                last.shown.append(line)
            elif last and last.text.endswith("\\"):
                last.text = last.text[:-1] + line.strip()
            elif line.strip() and not line.lstrip().startswith("#"):
                self.commands.append(Command(line, at))
        for command in self.commands:
            while command.shown and not command.shown[-1].strip():
                command.shown.pop()

    def ours(self):
        """Whether it is run from here."""
        return not self.mark or self.mark[2].endswith(".sh") and "/" not in self.mark[2]


def blocks(page):
    """The blocks of a page."""
    lines = read(page).splitlines()
    found = []
    at = 0
    before = ""
    while at < len(lines):
        line = lines[at]
        fence = re.match(r"```(\w*)$", line)
        if fence:
            end = lines.index("```", at + 1)
            if fence[1] in ("sh", "bash", "shell", "console"):
                found.append(Block(before, list(enumerate(lines[at + 1:end], at + 1))))
            at = end
        elif line.startswith("    ") and (not before or MARK.match(before)):
            end = at
            # Until there is text again; empty lines are in it, but do not end it.
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end]):
                end += 1
            found.append(Block(before, [(n, lines[n][4:]) for n in range(at, end)]))
            at = end - 1
        elif line.startswith("|") and MARK.match(before):
            cells = []
            while at < len(lines) and lines[at].startswith("|"):
                last = lines[at].strip().strip("|").split("|")[-1]
                cells += [Command(text, at) for text in re.findall(r"`([^`]+)`", last)]
                at += 1
            found.append(Block(before, [], cells))
        before = lines[at] if at < len(lines) else ""
        at += 1
    return found


def pages():
    """The pages there are."""
    return ["README.md"] + sorted(f"docs/{os.path.basename(path)}" for path in glob.glob(f"{TOP}/docs/*.md"))


def has(text, command):
    """Whether a script or page has this command: where one begins, and with nothing behind it that makes it another."""
    return re.search(rf"(?:^|[;&|(]|\b(?:if|exec)) *\t*{re.escape(command)}(?= *([#;)|&>]|$))", text, re.M)


def runner(page, who, commands):
    """What is wrong with a mark that says who runs a block, if anything."""
    if page == INSTALL:
        if not any(re.search(rf"(documented|commands\.sh) {re.escape(who)}\b", read(path))
                   for path in ("scripts/debian.sh", "scripts/debian/guest.sh")):
            return f"scripts/debian.sh does not run {who}"
        return None
    if os.path.isfile(os.path.join(TOP, "selftests", who)):
        return None if f'docs.py" page {page}' in read(f"selftests/{who}") else f"{who} does not run {page}"
    if who.startswith("stage "):
        stage = re.search(rf"^stage_{re.escape(who[6:])}\(\) {{(.*?)^}}|^stage_{re.escape(who[6:])}\(\) {{ (.*) }}$",
                          read("scripts/test.sh"), re.M | re.S)
        if not stage:
            return f"scripts/test.sh has no {who}"
        text = stage[0]
    elif not os.path.isfile(os.path.join(TOP, who)):
        return f"there is no {who}"
    else:
        text = read(who)
    # A script may also take them from the page, by their first word.
    missing = [command for command in commands if not has(text, command) and
               not (page in text and f"(commands {command.split()[0]})" in text)]
    return f"{who} does not have: {', '.join(missing)}" if missing else None


def possible(command):
    """What is wrong with a command that nobody runs, as far as can be seen without running it."""
    words = shlex.split(command)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    if words[0] == "make":
        # Nothing but what it would do: it has the targets, and knows what is asked for.
        result = subprocess.run(["make", "-n", *words[1:]], cwd=TOP, text=True, check=False, capture_output=True)
        if result.returncode:
            return f"{command}: {result.stderr.strip()}"
    elif "/" in words[0] and not os.access(os.path.join(TOP, words[0]), os.X_OK):
        return f"there is no {words[0]}"
    if words[0] == "scripts/test.sh":
        for stage in words[1:]:
            if not re.search(rf"\[{stage}\]=", read("scripts/test.sh")):
                return f"scripts/test.sh has no stage {stage}"
    return None


def check():
    """Each block of each page."""
    bad = []
    count = {"here": 0, "run": 0, "not run": 0}
    for page in pages():
        marks = len([line for line in read(page).splitlines() if MARK.match(line)])
        if marks != len([block for block in blocks(page) if block.mark]):
            bad.append(f"{page}: a mark has no block right behind it")
        seen = " ".join(re.sub(r"<!--.*?-->", "", read(page), flags=re.S).split()).lower()
        for block in blocks(page):
            where = f"{page}:{block.at + 1}"
            commands = [command.bare() for command in block.commands]
            if block.ours():
                count["here"] += len(commands)
                who = block.mark[2] if block.mark else "docs.sh"
                if who != "docs.sh":
                    wrong = runner(page, who, commands)
                    bad += [f"{where}: {wrong}"] if wrong else []
                elif not re.search(rf"\b{re.escape(page)}\b", read("selftests/docs.sh")):
                    bad.append(f"{where}: no mark says who runs it, and selftests/docs.sh does not know the page")
                continue
            kind, what = block.mark.groups()
            count[kind] += len(commands)
            if kind == "run":
                wrong = runner(page, what, commands)
                bad += [f"{where}: {wrong}"] if wrong else []
                continue
            if f"not run by the tests: {what.lower()}" not in seen:
                bad.append(f"{where}: the reader is not told \"Not run by the tests: {what}\"")
            bad += [f"{where}: {wrong}" for wrong in map(possible, commands) if wrong]
    print(f"# commands: {count['here']} run by programs of selftests, {count['run']} elsewhere, {count['not run']} not run")
    if sum(count.values()) < LEAST:
        bad.append(f"only {sum(count.values())} commands were found")
    if bad:
        fail("\n".join(bad))


def shape(line):
    """A line without its numbers and the widths of its gaps."""
    return re.sub(r"\d[\d.]*( [KMG]iB| B)?", "N", re.sub(r" +", " ", line.strip()))


def run(page):
    """Runs a page's commands in one shell, as who reads it would; each with what it printed."""
    commands = [command for block in blocks(page) if block.ours() for command in block.commands]
    if not commands:
        fail(f"{page} has no commands")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        script = []
        for n, command in enumerate(commands):
            # What it left in the background ends, and a moment passes, before the next one.
            script.append(f"{{ {command.text}\n}} >{folder}/{n}.out 2>{folder}/{n}.err </dev/null\n"
                          f"echo $? >{folder}/{n}.status\nwait\nsleep 0.05\n")
        path = os.environ["PATH"]
        if os.environ.get("TOOL"):
            path = os.path.dirname(os.environ["TOOL"]) + ":" + path
        shell = subprocess.run(["timeout", "120", "bash"], input="".join(script), text=True, check=False, cwd=TOP,
                               capture_output=True, env=dict(os.environ, PATH=path))
        for n, command in enumerate(commands):
            told = []
            for end in ("status", "err", "out"):
                name = f"{folder}/{n}.{end}"
                if not os.path.exists(name):
                    fail(f"{page}:{command.at + 1}: {command.text}: the shell ended: {shell.stderr}")
                with open(name, encoding="utf-8", errors="replace") as file:
                    told.append(file.read())
            status, error, printed = told
            # lnstat ends with 1 whatever it does, and without a word if there is no such file.
            good = "1" if command.text.startswith("lnstat ") and printed.strip() else "0"
            if status.strip() != good or error:
                fail(f"{page}:{command.at + 1}: {command.text}: ended with {status.strip()}: {error}{printed}")
            results.append((command, printed.splitlines()))
    return results


def page_runs(page):
    """Each command succeeds and complains of nothing; "..." stands for any lines."""
    results = run(page)
    compared = 0
    for command, here in results:
        if not command.shown:
            continue
        compared += 1
        at = 0
        skip = False
        for line in command.shown:
            if line.strip() == "...":
                skip = True
                continue
            while skip and at < len(here) and shape(here[at]) != shape(line):
                at += 1
            if at >= len(here) or shape(here[at]) != shape(line):
                fail(f"{page}: {command.text}: the page has \"{line}\", and it printed:\n" + "\n".join(here))
            at += 1
            skip = False
        if not skip and at != len(here):
            fail(f"{page}: {command.text} printed more than the page has:\n" + "\n".join(here))
    print(f"# {page}: {len(results)} commands, {compared} of them with what they print")


def fill(page):
    """The page again."""
    lines = read(page).splitlines()
    for command, here in reversed(run(page)):
        if command.shown:
            new = ["    " + line if line else "" for line in here]
            lines[command.shown_from:command.shown_from + len(command.shown)] = new
    print("\n".join(lines))


def events(page):
    """Each "altfib:EVENT" and "args->FIELD" of a page's commands."""
    number = 0
    for block in blocks(page):
        for command in block.commands:
            for event in re.findall(r"altfib:(\w+)", command.text):
                with open(f"/sys/kernel/tracing/events/altfib/{event}/format", encoding="ascii") as file:
                    there = re.findall(r"field:[^;]*?(\w+)(?:\[\d*\])?;", file.read())
                for field in re.findall(r"args->(\w+)", command.text):
                    if field not in there:
                        fail(f"{page}:{command.at + 1}: altfib:{event} has no {field}")
                number += 1
    if not number:
        fail(f"{page} names no event")
    print(f"# {page}: {number} events")


def main():
    """The command line."""
    commands = {"check": check, "page": page_runs, "fill": fill, "events": events}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])


main()
