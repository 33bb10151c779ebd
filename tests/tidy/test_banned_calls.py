"""Time, randomness and the environment come in through the constructor: these calls stand in the named files alone.

What takes a Clock runs in simulation and in a test without waiting; see base/clock.h.
"""

import re
import unittest

import sources

# The call, what to use instead, and where it may stand, each with its reason. TO DO: until it takes the value itself.
BANNED = {
    r"\bsystem_clock::now\b": ("take a Clock (base/clock.h)", {
        "src/base/clock.cpp": "the Clock itself",
    }),
    r"\bsteady_clock::now\b": ("take a Clock (base/clock.h)", {
        "src/base/clock.cpp": "the Clock itself",
        "src/engine/guard.cpp": "a process of its own, of poll() and signals alone",
        "src/engine/llama_server_search.cpp": "how long a child may take, in a blocking call of its own thread",
        "src/chat/chat_request.cpp": "TO DO: what is left of a deadline",
        "src/lane/lanes.cpp": "TO DO",
        "src/replay/replay_live.cpp": "replays in real time, and measures how long that took",
        "src/serve/backends.cpp": "TO DO",
        "src/api/serving_headers.cpp": "TO DO",
        "src/tasks/promises_test.cpp": "asserts how long a promise took",
        "src/http/client_test.cpp": "asserts how long a transfer took",
        "tests/support/event_loop.h": "how long a test waits for an event before it fails",
        "bench/": "measures",
    }),
    r"\brandom_device\b": ("take the source of randomness in the constructor", {
        "src/tasks/task_runner.h": "TO DO: jitter of the back-off",
        "src/tasks/outbox_runner.h": "TO DO: jitter of the back-off",
        "src/cloud/provider.cpp": "TO DO: jitter of the back-off",
        "src/cloud/pool.h": "TO DO: jitter of the back-off",
    }),
    r"\bgetenv\b": ("take an Environment, or the value", {
        "src/models/pip_config.cpp": "TO DO: where pip's configuration lies",
        "src/cli/program_path.cpp": "the command line is the edge: PATH as the shell has it",
        "src/cli/terminal.cpp": "the command line is the edge: NO_COLOR",
        "src/distill/test_data.h": "where a test's data lie",
        "bench/": "a program of its own",
    }),
    # Not the function of that name in simcloud/, which waits on the event loop.
    r"\bthis_thread::sleep_for\b|\busleep\s*\(|\bnanosleep\s*\(|[^\w.:>]sleep\s*\(": ("wait for the event, or on a timer of the loop", {
        "src/cli/run.cpp": "the command line polls the daemon",
    }),
    r"(?<![\w.:>])(?:std::)?system\s*\(|\bpopen\s*\(": ("start the program itself (posix_spawn): no shell reads its arguments", {}),
}


def allowed(path, files):
    return path in files or any(place.endswith("/") and path.startswith(place) for place in files)


def findings(tree, banned=None):
    found = []
    seen = set()
    for path, text in tree.items():
        if not sources.is_cpp(path):
            continue
        code = sources.code(text)
        for call, (instead, files) in (banned or BANNED).items():
            for match in re.finditer(call, code):
                if allowed(path, files):
                    seen.add((call, path))
                else:
                    line = sources.line_of(code, match.start() + 1)
                    found.append(f"{path}:{line}: {match.group().strip(' (')}: {instead}")
    return found, seen


class BannedCalls(unittest.TestCase):
    def test_stand_in_the_named_files_alone(self):
        found, _ = findings(sources.tree())
        self.assertEqual(found, [], sources.report(found))

    def test_no_file_is_named_that_has_no_need_of_it(self):
        _, seen = findings(sources.tree())
        idle = [f"{file}: {call}" for call, (_, files) in BANNED.items() for file, why in files.items()
                if not why.startswith("TO DO") and not any(each == call and allowed(path, {file: ""}) for each, path in seen)]
        self.assertEqual(idle, [], sources.report(idle))


class TheRule(unittest.TestCase):
    def test_finds_each_call(self):
        for line in ("auto t = std::chrono::system_clock::now();", "auto t = steady_clock::now();", "std::random_device device;",
                     'const char* home = std::getenv("HOME");', "std::this_thread::sleep_for(1s);", "::usleep(5);", "x = system(text);",
                     "std::system(text);", "FILE* out = popen(text, mode);"):
            with self.subTest(line):
                found, _ = findings({"src/lane/x.cpp": f"void f() {{\n  {line}\n}}\n"})
                self.assertEqual([each.split(" ")[0] for each in found], ["src/lane/x.cpp:2:"])

    def test_lets_comments_strings_and_other_names_be(self):
        harmless = 'void f() {\n  // getenv is banned\n  log("system(x)");\n  loop.system();\n  file_system(x);\n  co_await sleep_for(io, 1s);\n}\n'
        self.assertEqual(findings({"src/lane/x.cpp": harmless})[0], [])


if __name__ == "__main__":
    unittest.main()
