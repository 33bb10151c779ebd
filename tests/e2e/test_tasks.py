"""Files of tasks: carried out, checked, escalated, reported."""

import json

from support import MinimillTest, eventually

SIM = "[sim_cloud]\nenabled = true\nfirst_token_ms = 5\ntokens_per_second = 0\np_correct = 1.0\n[tasks]\nmax_tokens = 16\n"


class Run(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config(SIM)

    def test_task_that_fails_its_check_on_the_device_is_escalated_once(self):
        path = self.write_tasks([{"id": "one", "title": "Copy the code", "notes": "The code is QX-1. Copy it. Answer with only the code.",
                                  "check": {"type": "contains", "value": "QX-1"}}])

        report = json.loads(self.run_minimill("run", path, "--cloud", "sim", "--json").stdout)

        self.assertEqual(report["all"]["escalated"], 1)
        self.assertEqual(report["all"]["local"], {"answered": 0, "tried": 1, "checked": 1, "passed": 0})
        self.assertEqual(report["all"]["cloud"], {"answered": 1, "tried": 1, "checked": 1, "passed": 1})
        why = self.run_minimill("why", "one").stdout
        self.assertIn("escalated to the cloud", why)
        self.assertIn("chance that the local answer is good enough", why)

    def test_router_learns_from_failed_checks(self):
        path = self.write_tasks([{"id": f"t{i}", "title": "Copy the code", "arrives_s": 20 * i,
                                  "notes": f"The code is QX-{i}. Copy it. Answer with only the code.",
                                  "check": {"type": "contains", "value": f"QX-{i}"}} for i in range(15)])

        report = json.loads(self.run_minimill("run", path, "--cloud", "sim", "--speed", "100", "--json").stdout)

        self.assertEqual(report["all"]["done"], 15)
        self.assertLess(report["all"]["local"]["tried"], 8)  # a random model: soon nothing is tried there

    def test_local_only_task_stays_though_it_fails(self):
        path = self.write_tasks([{"id": "p", "title": "Prove it step by step, compare and plan", "privacy": "local-only",
                                  "check": {"type": "equals", "value": "never"}}])

        report = json.loads(self.run_minimill("run", path, "--cloud", "sim", "--json").stdout)

        self.assertEqual(report["all"]["cloud"]["tried"], 0)
        self.assertEqual(report["all"]["local"]["answered"], 1)

    def test_label_does_not_reach_the_router(self):
        task = {"title": "Copy the word", "notes": "steel"}
        path = self.write_tasks([{**task, "id": "a", "label": {"hard": True}}, {**task, "id": "b", "label": {"hard": False}}])
        self.run_minimill("run", path, "--cloud", "sim", "--json")

        whys = [json.loads(self.run_minimill("why", name, "--json").stdout)["requests"][0] for name in "ab"]

        self.assertEqual(whys[0]["p_local_ok"], whys[1]["p_local_ok"])

    def test_report_can_be_printed_again(self):
        path = self.write_tasks([{"id": "a", "title": "Copy the word", "notes": "steel"}])
        self.run_minimill("run", path, "--cloud", "sim")

        table = self.run_minimill("report", "newest").stdout

        self.assertIn("two lanes (measured)", table)
        self.assertIn("sim-cloud (simulated)", table)
        self.assertTrue(table.startswith("The local answers of this run mean nothing"))


class Api(MinimillTest):
    def test_added_task_is_carried_out_and_shown(self):
        self.write_config(SIM)
        self.serve()

        self.run_minimill("task", "add", "Copy the word", "--notes", "steel", "--id", "mine")

        def done():
            return json.loads(self.run_minimill("task", "show", "mine", "--json").stdout)["state"] == "done"

        eventually(done, "the task is done")
        self.assertIn("mine", self.run_minimill("task", "list").stdout)

    def test_waiting_task_can_be_cancelled_and_an_ended_one_cannot(self):
        self.write_config("[tasks]\nmax_attempts = 1\n")
        self.run_minimill("task", "add", "Copy the word", "--id", "mine")  # no daemon: it waits

        self.run_minimill("task", "cancel", "mine")
        again = self.run_minimill("task", "cancel", "mine", check=False)

        self.assertEqual(again.returncode, 1)
        self.assertIn("already ended", again.stderr)


class BadInput(MinimillTest):
    def refused(self, text, *expected):
        path = self.folder / "bad.jsonl"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = self.run_minimill("run", path, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        for each in expected:
            self.assertIn(each, done.stderr)

    def test_bad_files_are_refused_with_line_and_reason(self):
        good = json.dumps({"id": "a", "title": "t"})
        self.refused("", "no tasks")
        self.refused(good + "\n{\n", "bad.jsonl:2", "not valid JSON")
        self.refused(good + "\n" + good, "bad.jsonl:2", "'a' is taken by line 1")
        self.refused('{"id": "a", "title": "t", "titel": 1}', "bad.jsonl:1", "unknown field 'titel'")
        self.refused('{"id": "a", "title": "t", "check": {"type": "equal", "value": "x"}}', "unknown check type 'equal'", "use equals")
        self.refused('{"id": "a", "title": "t", "check": {"type": "regex", "value": "("}}', "no pattern RE2 knows")
        self.refused('{"id": "a", "title": "t", "privacy": "secret"}', "no privacy level 'secret'")
        self.refused('{"title": "t"}', "'id' is required")
        self.refused(b'{"id": "a", "title": "\xff"}', "bad.jsonl:1")

    def test_missing_file_and_folder_are_named(self):
        done = self.run_minimill("run", self.folder / "none.jsonl", check=False)
        self.assertIn("none.jsonl", done.stderr)
        done = self.run_minimill("run", self.folder, check=False)
        self.assertIn("is a folder", done.stderr)
