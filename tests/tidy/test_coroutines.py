#!/usr/bin/env python3
"""Finds statements with co_await that also make a lambda or a braced temporary, or choose with ?:.

g++ 12 destroys such temporaries twice (see docs/decisions/0004-coroutines-on-gcc-12.md). Name them in a
statement of their own first. Prints each place, exits 1 if there is one.
"""

import pathlib
import re
import sys

STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*')
# A statement runs from the last ; { or } before co_await to the ; after it.
STATEMENT = re.compile(r"[^;{}]*\bco_await\b[^;]*;")
LAMBDA = re.compile(r"[(,=]\s*\[[^\]]*\]\s*[({]")
BRACED = re.compile(r"(?:[(,]\s*|\b[A-Z]\w*)\{")
# co_await in a branch of ?: (the other branch's temporary is destroyed with it).
CHOICE = re.compile(r"\?[^?]*\bco_await\b")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def findings(path):
    text = STRINGS.sub(blank, path.read_text())
    for match in STATEMENT.finditer(text):
        statement = match.group()
        tail = statement[statement.index("co_await"):]
        if LAMBDA.search(tail) or BRACED.search(tail) or CHOICE.search(statement):
            line = text.count("\n", 0, match.start() + statement.index("co_await")) + 1
            yield f"{path}:{line}: a lambda, a braced temporary or a ?: in a statement with co_await"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = [each for folder in ("src", "tests", "bench") for path in sorted((root / folder).rglob("*.cpp"))
             for each in findings(path)]
    print("\n".join(found) or "coroutines: no temporaries in statements with co_await")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
