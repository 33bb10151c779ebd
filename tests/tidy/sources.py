"""Our sources as the rules see them: text by path, code without comments and strings, and the declarations in it.

A tree is a dict of path from the root to text, so that a rule's own test can plant a fault in one of three lines.
"""

import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "bench", "scripts", "cmake")
SUFFIXES = {".h", ".cpp", ".inc", ".py", ".cmake", ".txt", ".mjs"}

# A number comes first, or the quotation mark in 1'000 would begin a character.
LITERAL = re.compile(
    r"(?P<number>\b\d[\w.']*)"
    r'|R"(?P<fence>[^()\\\s]{0,16})\(.*?\)(?P=fence)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)


@functools.lru_cache
def tree():
    """Every source of ours; what is downloaded or built lies in none of the folders."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and "node_modules" not in path.parts:
                found[path.relative_to(ROOT).as_posix()] = path.read_text(errors="replace")
    return found


def is_cpp(path):
    return path.endswith((".h", ".cpp"))


def is_test(path):
    return path.endswith(("_test.cpp", "_fixture.h")) or path.startswith("tests/")


def stem(path):
    """src/lane/lanes_test.cpp, src/lane/lanes.cpp and src/lane/lanes.h are one: src/lane/lanes."""
    return re.sub(r"(_test)?\.(h|cpp)$", "", path)


def room(path):
    """The room a file is in; None outside of src and for src/main.cpp."""
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


@functools.lru_cache(maxsize=None)
def code(text, strings=False):
    """The text with comments (and strings, unless they are asked for) blanked, line by line as long as before."""

    def blank(match):
        literal = match.group()
        if match.group("number") or (strings and not literal.startswith("/")):
            return literal
        return re.sub(r"[^\n]", " ", literal)

    return LITERAL.sub(blank, text)


STOP = re.compile(r"[#()\[\];:{]")
BRACE = re.compile(r"[{}]")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Item:
    """One declaration or definition at the scope of a namespace or a class."""

    def __init__(self, text, start, end, owner, public):
        self.start, self.end = start, end
        self.text = text[start:end]
        self.owner = owner  # the class it stands in, "" at namespace scope
        self.public = public
        self.head = self.text.split("{", 1)[0]

    def is_type(self):
        return re.match(r"\s*(template\s*<[^;{]*>\s*)?(class|struct|union|enum)\b", self.head) is not None and "(" not in (
            re.sub(r"\b(alignas|requires)\s*\([^)]*\)", "", self.head))

    def function_name(self):
        """Of a function's declaration or definition: its name; None for anything else."""
        head = re.sub(r"\[\[.*?\]\]", "", self.head)
        head = head.split("=", 1)[0] if "operator" not in head else head
        match = re.search(r"([~\w:]+)\s*\(", head)
        if match is None or self.is_type() or re.match(r"\s*(using|typedef|friend|static_assert|extern)\b", head):
            return None
        return match.group(1).split("::")[-1] or None


def items(text, start=0, end=None, owner="", public=True):
    """Walks namespaces and classes; yields what is declared there. `text` is code()."""
    end = len(text) if end is None else end
    at = begin = start
    parens = 0
    while (stop := STOP.search(text, at, end)) is not None:
        at = stop.start()
        char = stop.group()
        if char == "#" and not text[text.rfind("\n", 0, at) + 1:at].strip():  # a preprocessor line and what it goes on with
            while at < end and text[at] != "\n":
                at += 2 if text[at] == "\\" else 1
            begin = at
        elif char in "([":
            parens += 1
        elif char in ")]":
            parens -= 1
        elif char == ";" and parens == 0:
            yield Item(text, skip_space(text, begin, at), at, owner, public)
            begin = at + 1
        elif char == ":" and parens == 0 and owner and text[begin:at].strip() in ("public", "protected", "private"):
            public = text[begin:at].strip() == "public"
            begin = at + 1
        elif char == "{" and parens == 0:
            close = closing(text, at, end)
            first = skip_space(text, begin, at)
            head = text[first:at]
            item = Item(text, first, close + 1, owner, public)
            if re.match(r"(inline\s+)?namespace\b|extern\s*$", head):
                yield from items(text, at + 1, close)
                begin = close + 1
            elif item.is_type() and not head.lstrip().startswith("enum"):
                name = re.findall(r"\b(?:class|struct|union)\s+(?:\[\[.*?\]\]\s*)?([\w:]+)", head)
                kind = re.search(r"\b(class|struct|union)\b", head).group(1)
                yield from items(text, at + 1, close, name[-1] if name else "?", public and kind != "class" if owner else kind != "class")
                begin = close + 1
            else:
                after = skip_space(text, close + 1, end)
                if after >= end or text[after] not in ",{;":  # , and {: a constructor's initialisers go on
                    yield item
                    begin = close + 1
            at = close
        at += 1


def skip_space(text, at, end):
    while at < end and text[at].isspace():
        at += 1
    return at


def closing(text, at, end):
    depth = 0
    for match in BRACE.finditer(text, at, end):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return end - 1


def report(findings):
    """What a failing test says."""
    return "\n" + "\n".join(findings)
