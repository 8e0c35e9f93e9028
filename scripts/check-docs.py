#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Whether the pages about counters and settings have what the module has, no less and no more.

    check-docs.py            compares; says what is missing, and where
    check-docs.py reasons    prints the table of reasons, for docs/counters.md
"""

import re
import sys

COUNTERS = "docs/counters.md"
SETTINGS = "docs/settings.md"
VERDICTS = {"Fine": "fine", "Passes": "passes", "Choice": "choice"}
# A string of Rust, and "  \" at the end of a line of it.
STRING = r'"((?:[^"\\]|\\.|\\\n)*)"'


def read(path):
    """A file's text."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def between(path, begin, end="\n}"):
    """The part of a source behind its only line that begins so."""
    parts = re.split(rf"^{re.escape(begin)}", read(path), flags=re.M)
    if len(parts) != 2:
        sys.exit(f'{path}: "{begin}" is there {len(parts) - 1} times, so what is below it is not found')
    return parts[1].split(end, maxsplit=1)[0]


def text(literal):
    """What a string of Rust stands for."""
    return re.sub(r"\\\n\s*", "", literal).replace('\\"', '"')


def reasons():
    """A row for each reason: the module says what causes it, the tool what would change it."""
    causes = [(name, text(cause)) for name, cause in
              re.findall(rf'^    [A-Z_]+ "(\w+)" \w+ (?:true|false)\s+{STRING}',
                         between("src/control/punts.rs", "reasons! {"), re.M)]
    causes += [(name, text(cause)) for name, cause in
               re.findall(rf'^    \w+ "(\w+)"\s+{STRING}', between("src/control/punts.rs", "fast_reasons! {"), re.M)]
    advice = {name: (VERDICTS[verdict], text(what)) for name, verdict, what in
              re.findall(rf"^    (\w+) (\w+)\s+{STRING}", between("tool/src/reasons.rs", "reasons! {"), re.M)}
    if [name for name, _ in causes] != list(advice):
        sys.exit(f"the module has other reasons than the tool: {set(advice) ^ {name for name, _ in causes}}")
    return [f"| `{name}` | {cause} | {' | '.join(advice[name])} |" for name, cause in causes]


def fields(constant):
    """The columns of a file for lnstat, or what netlink has beside them."""
    return re.findall(r'^    \("(\w+)"', between("src/control/stat.rs", f"pub(crate) const {constant}:", "\n];"), re.M)


def prefixes(path):
    """What stands in front of a colon in the lines that a file below /proc has."""
    found = []
    for line in re.findall(STRING, read(path)):
        label = re.match(r"(?:\{\}|IPv6 )?([a-z][a-zA-Z ]*): ", line)
        if label and label[1] not in found:
            found.append(label[1])
    # Behind a comma.
    if any(", lost events: " in line for line in re.findall(STRING, read(path))):
        found.append("lost events")
    return found


def settings():
    """Each sysctl, by its whole name."""
    source = read("src/control/settings.rs")
    # A macro has five of them.
    names = {rust: name for rust, name in re.findall(r'^    (\w+) \w+ c"(\w+)" \(', source, re.M)}
    lists = {}
    for block in re.split(r"^impl(?:<[^>]*>)? ", source, flags=re.M)[1:]:
        owner = re.match(r"(?:Choice|Setting<Namespace>) for (\w+) ", block)
        name = re.search(r'const (NAME|LIST): &\'static CStr = c"(\w+)"', block)
        if owner and name:
            (lists if name[1] == "LIST" else names)[owner[1]] = name[2]
    found = []
    for part in source.split("Builder::new(")[1:]:
        for kind in re.findall(r"table\.add::<([\w<>]+)>\(", part):
            listed = re.fullmatch(r"Available<(\w+)>", kind)
            name = lists[listed[1]] if listed else names[kind]
            found.append((name, part))
    folder = [(name, re.search(r'register\(net, c"([\w/]+)"\)', part)[1]) for name, part in found]
    return [f"{path.replace('/', '.')}.{name}" for name, path in folder]


def rows(page, heading):
    """The rows of the table below a heading."""
    return [line for line in between(page, f"## {heading}\n", "\n## ").splitlines()
            if re.match(r"\| `", line)]


def first(line):
    """The names in the first cell of a row."""
    return re.findall(r"`([^`]+)`", line.split(" | ", maxsplit=1)[0])


def compare(page, heading, what, there, here):
    """Says what a table lacks, and what it has too much; how many."""
    bad = 0
    for name in [name for name in there if name not in here]:
        print(f'{page}, "{heading}": no line for {what} {name}')
        bad += 1
    for name in [name for name in here if name not in there]:
        print(f'{page}, "{heading}": there is no {what} {name}')
        bad += 1
    for name in {name for name in here if here.count(name) > 1}:
        print(f'{page}, "{heading}": more than one line for {name}')
        bad += 1
    if not there:
        print(f"no {what} was found in the source")
        bad += 1
    return bad


def main():
    """The command line."""
    if sys.argv[1:] == ["reasons"]:
        print("\n".join(reasons()))
        return
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    bad = 0
    total = 0
    for page, heading, what, there in (
            (COUNTERS, "Lines of `status`", "line", prefixes("src/control/status.rs")),
            (COUNTERS, "Why a family is not served", "cause",
             [text(why) for why in re.findall(rf"Why::\w+ => {STRING}", read("src/mirror/mod.rs"))]),
            (COUNTERS, "Columns of `altfib` and `altfib6`", "column", fields("FIELDS")),
            (COUNTERS, "Columns of `altfib_cache` and `altfib6_cache`", "column", fields("CACHE_FIELDS")),
            (COUNTERS, "The host's own lookups", "counter", fields("OUTPUT_FIELDS")),
            (COUNTERS, "Lines of `audit`", "line", prefixes("src/control/audit.rs")),
            (SETTINGS, "Each setting", "sysctl", settings())):
        here = [name for row in rows(page, heading) for name in first(row)]
        bad += compare(page, heading, what, there, here)
        total += len(there)
    heading = "Reasons in `punts` and `punts6`"
    bad += compare(COUNTERS, heading, "row", reasons(), rows(COUNTERS, heading))
    print(f"# {total + len(reasons())} names, {bad} differences")
    sys.exit(bad != 0)


main()
