"""minimill's own HTTP headers are named in one table, src/api/headers.h, and told to users in docs/api.md."""

import re
import unittest

import sources

TABLE = "src/api/headers.h"
ELSEWHERE = {
    "src/cli/": "the command line is a client as any other",
    "src/serve/decider.cpp": "names the header in an error about what it asked for; knows no HTTP",
}
NAME = re.compile(r'"(x-minimill-[a-z-]+)"')


def strays(tree):
    found = []
    for path, text in tree.items():
        if not path.startswith("src/") or not sources.is_cpp(path) or sources.is_test(path) or path == TABLE:
            continue
        code = sources.code(text, strings=True)
        for match in NAME.finditer(code):
            if not path.startswith(tuple(ELSEWHERE)):
                found.append(f"{path}:{sources.line_of(code, match.start())}: {match.group(1)}: take it from api/headers.h")
    return found


def untold(table, page):
    """Those of the table that the page does not name, in full or, after one in full, by its last part."""
    told = set(re.findall(r"`(x-minimill-[a-z-]+)`", page)) | {f"x-minimill{end}" for end in re.findall(r"`(-[a-z-]+)`", page)}
    return sorted(set(NAME.findall(table)) - told)


class Headers(unittest.TestCase):
    def test_are_named_in_one_table(self):
        found = strays(sources.tree())
        self.assertEqual(found, [], sources.report(found))

    def test_are_told_to_users(self):
        self.assertEqual(untold(sources.tree()[TABLE], (sources.ROOT / "docs/api.md").read_text()), [])


class TheRules(unittest.TestCase):
    def test_find_a_header_of_another_list(self):
        self.assertEqual(len(strays({"src/api/x.cpp": 'headers.add("x-minimill-lane", lane);  // "x-minimill-model"'})), 1)

    def test_find_a_header_that_users_are_not_told_of(self):
        self.assertEqual(untold('"x-minimill-a" "x-minimill-b" "x-minimill-c"', "`x-minimill-a`, `-b`"), ["x-minimill-c"])


if __name__ == "__main__":
    unittest.main()
