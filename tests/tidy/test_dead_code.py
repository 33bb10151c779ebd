"""What nobody uses is taken out: headers that none but their own file and tests include, sources that are not built,
functions that a header offers and no source of src/ calls.

Only surely dead functions are found: a name that is used anywhere counts as used, whoever meant it.
"""

import collections
import re
import unittest

import sources

TEST_HELPERS = "a test drives it"
UNWIRED = "TO DO: to be wired"
DEAD_FILES = {
    "src/distill/test_data.h": TEST_HELPERS,
    "src/distill/trace_store.h": UNWIRED,
    "src/http/origin.h": UNWIRED,
    "src/chat/edited_stream.h": "TO DO: the first stage that changes what is said will use it",
}
DEAD_FUNCTIONS = {
    ("src/distill/evidence.h", "share_right"): UNWIRED,
    ("src/distill/learner.h", "recall"): UNWIRED,
    ("src/distill/learner.h", "training_set"): UNWIRED,
    ("src/distill/learner.h", "templates"): UNWIRED,
    ("src/distill/test_data.h", "shared_rows"): TEST_HELPERS,
    ("src/distill/trace_store.h", "set_keep"): UNWIRED,
    ("src/distill/trace_store.h", "to_json_line"): UNWIRED,
    ("src/http/origin.h", "check_origin"): UNWIRED,
    ("src/http/origin.h", "check_given_once"): UNWIRED,
    ("src/ledger/ledger.h", "daily"): UNWIRED,
    ("src/base/clock.h", "advance"): TEST_HELPERS,
    ("src/base/clock.h", "jump_wall"): TEST_HELPERS,
    ("src/protocol/translation.h", "translation_tables"): "docs/translation.md is held against it",
    ("src/route/router.h", "teach_unknown"): "bench/router trains with texts out of scope",
}

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def dead_headers(tree):
    """Headers that no source includes but the one beside them and tests."""
    users = collections.defaultdict(set)
    for path, text in tree.items():
        if sources.is_cpp(path):
            for included in re.findall(r'^\s*#include "([^"]+)"', text, re.MULTILINE):
                users[included].add(path)
    found = []
    for path in tree:
        if path.startswith(("src/", "tests/", "bench/")) and path.endswith(".h"):
            name = path.split("/", 1)[1]
            theirs = {user for user in users[name] | users[name.split("/")[-1]]
                      if sources.stem(user) != sources.stem(path) and (not path.startswith("src/") or user.startswith("src/"))
                      and not (path.startswith("src/") and sources.is_test(user))}
            if not theirs and not sources.is_test(path):
                found.append(path)
    return found


def dead_sources(tree):
    """Sources that no build file takes in: a room takes all of its folder, other folders name theirs."""
    lists = " ".join(text for path, text in tree.items() if path.endswith(("CMakeLists.txt", ".cmake")))
    found = []
    for path in tree:
        if not path.endswith(".cpp"):
            continue
        parts = path.split("/")
        taken = parts[0] == "src" and len(parts) == 3 or path.endswith("_fuzz.cpp") or parts[-1] in lists or (
            parts[1] == "compile_fail" and re.search(rf"\b{parts[-1][:-4]}\b", lists))
        if not taken:
            found.append(path)
    return found


def dead_functions(tree):
    """Functions that a header of src/ declares for all, and whose name no code in src/ uses but tests."""
    uses = collections.Counter()
    declared = {}
    for path, text in tree.items():
        if not sources.is_cpp(path) or not path.startswith("src/") or sources.is_test(path):
            continue
        code = sources.code(text)
        uses.update(IDENTIFIER.findall(code))
        for item in sources.items(code):
            name = item.function_name()
            if name is None:
                continue
            uses[name] -= 1  # the declaration itself
            if path.endswith(".h") and item.public and not name.startswith("~") and not name.startswith("operator") and (
                    name != item.owner) and name[0].islower() and "override" not in item.head:
                declared[path, name] = f"{path}:{sources.line_of(code, item.start)}: {name}: nothing in src/ uses it"
    return {key: line for key, line in declared.items() if uses[key[1]] <= 0}


class DeadCode(unittest.TestCase):
    def test_every_header_is_included(self):
        found = dead_headers(sources.tree())
        self.assertEqual([path for path in found if path not in DEAD_FILES], [])

    def test_every_source_is_built(self):
        self.assertEqual(dead_sources(sources.tree()), [])

    def test_every_function_that_a_header_offers_is_used(self):
        found = dead_functions(sources.tree())
        new = [line for key, line in found.items() if key not in DEAD_FUNCTIONS]
        self.assertEqual(new, [], sources.report(new))
        idle = [key for key, why in DEAD_FUNCTIONS.items() if key not in found and not why.startswith("TO DO")]
        self.assertEqual(idle, [], "in use: take it off the list")


class TheRules(unittest.TestCase):
    def test_find_a_header_that_only_its_own_files_include(self):
        tree = {"src/lane/x.h": "", "src/lane/x.cpp": '#include "lane/x.h"', "src/lane/x_test.cpp": '#include "lane/x.h"',
                "src/lane/y.h": "", "src/http/z.cpp": '#include "lane/y.h"', "bench/w.cpp": '#include "lane/x.h"'}
        self.assertEqual(dead_headers(tree), ["src/lane/x.h"])

    def test_find_a_source_that_is_not_built(self):
        tree = {"src/lane/x.cpp": "", "src/lane/deep/y.cpp": "", "tests/support/z.cpp": "", "bench/b.cpp": "",
                "bench/CMakeLists.txt": "add_executable(b b.cpp)"}
        self.assertEqual(dead_sources(tree), ["src/lane/deep/y.cpp", "tests/support/z.cpp"])

    def test_find_a_function_that_only_tests_call(self):
        tree = {"src/lane/x.h": "class C {\n public:\n  void used();\n  int size() const { return 1; }\n private:\n  void own();\n};\nint free();\n",
                "src/lane/x.cpp": "void C::used() { own(); }\nint free() { return 2; }\n",
                "src/lane/x_test.cpp": "C c;\nc.size();\nfree();\n", "src/http/y.cpp": "void f(C& c) { c.used(); }\n"}
        self.assertEqual(list(dead_functions(tree)), [("src/lane/x.h", "size"), ("src/lane/x.h", "free")])

    def test_let_what_overrides_be(self):
        tree = {"src/lane/x.h": "struct S : B {\n  void run() override;\n  S(int a);\n  ~S();\n  bool operator==(const S&) const;\n};\n"}
        self.assertEqual(dead_functions(tree), {})


if __name__ == "__main__":
    unittest.main()
