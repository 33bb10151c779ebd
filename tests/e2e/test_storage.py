"""What is on disk: rows that cannot be read, and what is kept for how long."""

import json
import sqlite3
import time

from support import MinimillTest, eventually

SIM = ("[sim_cloud]\nenabled = true\nfirst_token_ms = 5\ntokens_per_second = 0\n[tasks]\nmax_tokens = 8\n"
       "[router]\nthreshold = 1.0\nthreshold_checked = 1.0\n")  # all to the cloud
DAY_MS = 86_400_000


class Storage(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config(SIM)

    def edit(self, sql, *values):
        """The daemon must not be running."""
        database = sqlite3.connect(self.folder / "data" / "minimill" / "minimill.db")
        with database:
            database.execute(sql, values)
        database.close()

    def add(self, *names):
        for name in names:
            self.run_minimill("task", "add", f"Say {name}", "--id", name)

    def states(self):
        return {each["id"]: each["state"] for each in self.get("/minimill/v1/tasks")["tasks"]}

    def test_row_that_cannot_be_read_fails_alone_and_the_others_are_carried_out_listed_and_reported(self):
        daemon = self.serve()
        self.add("a", "poison", "b")
        eventually(lambda: set(self.states().values()) == {"done"}, "all are done")
        daemon.close()
        self.edit("UPDATE tasks SET state = 0, finished_ms = NULL")
        self.edit("UPDATE tasks SET spec = '{\"id\": \"poison\", \"title\": 7}' WHERE id = 'poison'")
        self.edit("UPDATE tasks SET spec = json_set(spec, '$.colour', 'red') WHERE id = 'b'")  # of a later release

        self.serve()

        eventually(lambda: self.states() == {"a": "done", "poison": "failed", "b": "done"}, "the others are done")
        shown = json.loads(self.run_minimill("task", "show", "poison", "--json").stdout)
        self.assertIn("cannot be read", json.dumps(shown))
        self.assertIn("b", self.run_minimill("task", "list").stdout)
        report = json.loads(self.run_minimill("report", "adhoc", "--json").stdout)
        self.assertEqual(report["all"]["done"], 2)

    def test_what_is_older_than_keep_is_pruned_and_undone_tasks_and_sums_stay(self):
        daemon = self.serve()
        self.add("old", "young", "undone")
        eventually(lambda: set(self.states().values()) == {"done"}, "all are done")
        spent = self.get("/minimill/v1/status")["totals"]["cost_usd"]
        daemon.close()
        long_ago = int(time.time() * 1000) - 100 * DAY_MS
        self.edit("UPDATE tasks SET finished_ms = ? WHERE id = 'old'", long_ago)
        self.edit("UPDATE tasks SET state = 0, due_ms = ?, ready_ms = 4e15, finished_ms = NULL WHERE id = 'undone'", long_ago)
        self.edit("UPDATE requests SET at_ms = ? WHERE task = 'old'", long_ago)

        self.write_config(SIM + '[ledger]\nkeep = "90d"\n')
        self.serve()

        eventually(lambda: set(self.states()) == {"young", "undone"}, "the old one is pruned")
        usage = json.loads(self.run_minimill("ledger", "du", "--json").stdout)
        kinds = {each["kind"]: each for each in usage["kinds"]}
        self.assertEqual(kinds["requests"]["prunable_rows"], 0)
        self.assertGreater(kinds["requests"]["bytes"], 0)
        database = sqlite3.connect(f"file:{self.folder}/data/minimill/minimill.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        self.assertEqual(database.execute("SELECT sum(requests) FROM daily_sums").fetchone(), (3,))  # the pruned one, too
        self.assertGreaterEqual(spent, 0)

    def test_pruning_by_hand_says_what_would_go_and_wants_to_be_told(self):
        daemon = self.serve()
        self.add("old")
        eventually(lambda: self.states() == {"old": "done"}, "it is done")
        daemon.close()
        self.edit("UPDATE tasks SET finished_ms = ?", int(time.time() * 1000) - 40 * DAY_MS)
        self.serve()

        dry = json.loads(self.run_minimill("ledger", "prune", "--older", "30d", "--dry-run", "--json").stdout)
        unsaid = self.run_minimill("ledger", "prune", "--older", "30d", check=False)
        states = self.states()
        said = json.loads(self.run_minimill("ledger", "prune", "--older", "30d", "--yes", "--json").stdout)

        self.assertEqual({each["kind"]: each["prunable_rows"] for each in dry["kinds"]}["tasks"], 1)
        self.assertNotEqual(unsaid.returncode, 0)
        self.assertIn("--yes", unsaid.stderr)
        self.assertEqual(states, {"old": "done"})
        self.assertEqual(said["pruned"]["tasks"], 1)
        self.assertEqual(self.states(), {})
        self.assertIn("kind", self.run_minimill("ledger", "du").stdout)
