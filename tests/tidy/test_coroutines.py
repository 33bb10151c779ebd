"""No statement with co_await makes a lambda or a braced temporary, or chooses with ?:.

g++ 12 destroys such temporaries twice (see docs/decisions/0004-coroutines-on-gcc-12.md). Name them in a statement of
their own first.
"""

import re
import unittest

import sources

# A statement runs from the last ; { or } before co_await to the ; after it.
STATEMENT = re.compile(r"[^;{}]*\bco_await\b[^;]*;")
LAMBDA = re.compile(r"[(,=]\s*\[[^\]]*\]\s*[({]")
BRACED = re.compile(r"(?:[(,]\s*|\b[A-Z]\w*)\{")
# co_await in a branch of ?: (the other branch's temporary is destroyed with it).
CHOICE = re.compile(r"\?[^?]*\bco_await\b")


def findings(tree):
    found = []
    for path, text in tree.items():
        if not sources.is_cpp(path):
            continue
        code = sources.code(text)
        for match in STATEMENT.finditer(code):
            statement = match.group()
            tail = statement[statement.index("co_await"):]
            if LAMBDA.search(tail) or BRACED.search(tail) or CHOICE.search(statement):
                line = sources.line_of(code, match.start() + statement.index("co_await"))
                found.append(f"{path}:{line}: a lambda, a braced temporary or a ?: in a statement with co_await: name it first")
    return found


class Coroutines(unittest.TestCase):
    def test_make_no_temporaries_in_statements_with_co_await(self):
        found = findings(sources.tree())
        self.assertEqual(found, [], sources.report(found))


class TheRule(unittest.TestCase):
    def test_finds_each_kind_in_sources_and_headers(self):
        for statement in ("co_await run([&] { return 1; });", "co_await get(Request{.path = p});", "co_await get({1, 2});",
                          "auto x = ready ? y : co_await get();"):
            for path in ("src/http/x.cpp", "src/http/x.h"):
                with self.subTest(statement, path=path):
                    found = findings({path: f"asio::awaitable<void> f() {{\n  {statement}\n}}\n"})
                    self.assertEqual([each.split(" ")[0] for each in found], [f"{path}:2:"])

    def test_lets_what_is_named_first_be(self):
        self.assertEqual(findings({"src/http/x.cpp": "void f() {\n  Request request{.path = p};\n  co_await get(std::move(request));\n}\n"}), [])


if __name__ == "__main__":
    unittest.main()
