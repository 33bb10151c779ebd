"""A file is one idea, a function one screen, a room one concern: files up to 600 lines, functions up to 70, rooms up to
15 % of what src/ holds.
"""

import collections
import unittest

import sources

FILE_LINES = 600
FUNCTION_LINES = 70
ROOM_SHARE = 0.15

LONG_FILES = {
    "src/cloud/pool_test.cpp": "TO DO",
    "src/http/client_test.cpp": "TO DO",
}
LONG_FUNCTIONS = {
    ("src/daemon/parts.cpp", "Parts"): "a list: one part a line",
    ("src/config/config.cpp", "read_root"): "TO DO",
    ("src/config/config.cpp", "to_toml"): "TO DO",
    ("src/serve/gateway.cpp", "attempt"): "TO DO",
    ("src/protocol/translation_test.cpp", "samples"): "a table: one sample a field",
}


def long_files(tree):
    lines = {path: text.count("\n") for path, text in tree.items() if not path.endswith((".inc", ".txt"))}
    return [f"{path}: {count} lines: more than one idea?" for path, count in lines.items()
            if count > FILE_LINES and path not in LONG_FILES]


def long_functions(tree):
    found = {}
    for path, text in tree.items():
        if not sources.is_cpp(path):
            continue
        code = sources.code(text)
        for item in sources.items(code):
            lines = item.text.count("\n") + 1
            if lines > FUNCTION_LINES and "{" in item.text and item.function_name():
                found[path, item.function_name()] = f"{path}:{sources.line_of(code, item.start)}: {item.function_name()}: {lines} lines"
    return found


def room_shares(tree):
    """Of each room, its share of the lines of code in all rooms, without tests, comments and blank lines."""
    lines = collections.Counter()
    for path, text in tree.items():
        if sources.is_cpp(path) and sources.room(path) and not sources.is_test(path):
            code = sources.code(text, strings=True)
            lines[sources.room(path)] += sum(1 for line in code.splitlines() if line.strip())
    return {room: count / lines.total() for room, count in lines.items()}


class Sizes(unittest.TestCase):
    def test_no_file_is_over_600_lines(self):
        found = long_files(sources.tree())
        self.assertEqual(found, [], sources.report(found))

    def test_no_function_is_over_70_lines(self):
        found = long_functions(sources.tree())
        new = [line for key, line in found.items() if key not in LONG_FUNCTIONS]
        self.assertEqual(new, [], sources.report(new))
        idle = [key for key, why in LONG_FUNCTIONS.items() if key not in found and not why.startswith("TO DO")]
        self.assertEqual(idle, [], "no longer over the limit: take it off the list")

    def test_no_room_is_over_15_percent(self):
        found = [f"src/{room}: {share:.1%} of all rooms" for room, share in room_shares(sources.tree()).items() if share > ROOM_SHARE]
        self.assertEqual(found, [], sources.report(found))


class TheRules(unittest.TestCase):
    def test_find_a_long_file(self):
        self.assertEqual(len(long_files({"src/lane/x.h": "\n" * 601, "src/lane/y.h": "\n" * 600})), 1)

    def test_find_long_functions_however_they_begin(self):
        body = "  work();\n" * 69
        for head, name in (("void f() {", "f"), ("Lanes::Lanes(int a)\n    : a_{a}, b_(2) {", "Lanes"), ("TEST(Lanes, KeepOrder) {", "TEST"),
                           ("template <class T>\nauto g(T value) -> int {", "g"), ("class C {\n  void h() const {", "h"),
                           ("namespace a {\nnamespace {\nasio::awaitable<Result<>> C::run(std::function<void()> f = {}) {", "run")):
            with self.subTest(head):
                self.assertEqual([key[1] for key in long_functions({"x.cpp": f"{head}\n{body}}}\n" + "}\n" * head.count("\n")})], [name])

    def test_let_a_long_class_of_short_functions_be(self):
        self.assertEqual(long_functions({"x.h": "class C {\n" + "  void f() {\n    work();\n  }\n" * 40 + "};\n"}), {})

    def test_weigh_rooms_by_code_without_tests_and_comments(self):
        tree = {"src/lane/x.cpp": "int a;\n", "src/lane/x_test.cpp": "int a;\n" * 9, "src/http/y.h": "// says much\n\nint a;\n"}
        self.assertEqual(room_shares(tree), {"lane": 0.5, "http": 0.5})


if __name__ == "__main__":
    unittest.main()
