"""Rooms use those below them: links, which are permissions, go down only, and what is included is linked.

A target that links upwards still builds (static libraries may go in circles), so the order is checked here.
"""

import re
import unittest

import sources

IDLE_LINKS = {("distill", "chat"): "TO DO", ("lane", "async"): "TO DO: the lanes' own waiting is to be a notifier's"}


def order(tree):
    """The rooms, lowest first, as src/CMakeLists.txt adds them."""
    rooms = re.search(r"foreach\(room ([^)]+)\)", tree["src/CMakeLists.txt"])
    return rooms.group(1).split() if rooms else []


def links(tree):
    found = {}
    for path, text in tree.items():
        for call in re.finditer(r"minimill_room\((\w+)([^)]*)\)", text) if path.endswith("CMakeLists.txt") else ():
            listed = re.search(r"\bLINKS\s+([\w\s]*?)(?:\s+[A-Z_]{5,}\b|$)", call.group(2))
            found[call.group(1)] = listed.group(1).split() if listed else []
    return found


def reach(room, linked):
    reached, todo = set(), [room]
    while todo:
        each = todo.pop()
        if each not in reached:
            reached.add(each)
            todo += linked.get(each, [])
    return reached


def findings(tree):
    rooms, linked = order(tree), links(tree)
    found = [f"src/CMakeLists.txt: src/{room} is not in the list" for room in linked if room not in rooms]
    for room, below in linked.items():
        for other in below:
            if room in rooms and (other not in rooms or rooms.index(other) >= rooms.index(room)):
                found.append(f"src/{room}/CMakeLists.txt: links {other}, which is not below it")
    for path, text in tree.items():
        room = sources.room(path)
        if room is None or not sources.is_cpp(path) or sources.is_test(path):
            continue
        for match in re.finditer(r'^\s*#include "(\w+)/', text, re.MULTILINE):
            if match.group(1) in linked and match.group(1) not in reach(room, linked):
                found.append(f"{path}:{sources.line_of(text, match.start(1))}: includes {match.group(1)}, which {room} does not link")
    return found


def idle_links(tree):
    """Permissions nobody uses: a link whose room no file includes."""
    included = {}
    for path, text in tree.items():
        if sources.room(path) and sources.is_cpp(path):
            included.setdefault(sources.room(path), set()).update(re.findall(r'^\s*#include "(\w+)/', text, re.MULTILINE))
    return [f"src/{room}/CMakeLists.txt: links {other} and includes nothing of it"
            for room, below in links(tree).items() for other in below
            if other not in included.get(room, ()) and (room, other) not in IDLE_LINKS]


class Rooms(unittest.TestCase):
    def test_use_only_those_below_them(self):
        found = findings(sources.tree())
        self.assertEqual(found, [], sources.report(found))

    def test_link_nothing_that_they_do_not_include(self):
        found = idle_links(sources.tree())
        self.assertEqual(found, [], sources.report(found))


class TheRule(unittest.TestCase):
    TREE = {"src/CMakeLists.txt": "foreach(room base chat lane)", "src/base/CMakeLists.txt": "minimill_room(base)",
            "src/chat/CMakeLists.txt": "minimill_room(chat LINKS base LIBRARIES fmt::fmt)",
            "src/lane/CMakeLists.txt": "minimill_room(lane LINKS chat)", "src/chat/a.h": '#include "base/error.h"\n',
            "src/lane/a.cpp": '#include "chat/a.h"\n#include "base/error.h"\n'}

    def test_lets_arrows_down_be(self):
        self.assertEqual(findings(self.TREE), [])
        self.assertEqual(idle_links(self.TREE), [])

    def test_finds_a_link_upwards_and_with_it_every_circle(self):
        self.assertEqual(len(findings({**self.TREE, "src/chat/CMakeLists.txt": "minimill_room(chat LINKS base lane LIBRARIES x)"})), 1)

    def test_finds_an_include_that_is_not_linked(self):
        self.assertEqual(len(findings({**self.TREE, "src/chat/b.cpp": '\n#include "lane/a.h"\n'})), 1)

    def test_finds_a_link_that_is_not_used(self):
        self.assertEqual(len(idle_links({**self.TREE, "src/lane/CMakeLists.txt": "minimill_room(lane LINKS chat base)", "src/lane/a.cpp": '#include "chat/a.h"'})), 1)


if __name__ == "__main__":
    unittest.main()
