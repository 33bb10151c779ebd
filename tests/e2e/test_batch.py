"""The batch lane: tasks that can wait, through both protocols' batch APIs, across crashes."""

import http.client
import json
import signal
import sqlite3
import time

from support import MinimillTest, eventually

PRICES = '[prices."sim-large"]\ninput = 1000.0\noutput = 1000.0\n'
ROUTER = "[router]\nthreshold = 1.0\nthreshold_checked = 1.0\n"  # all to the cloud


class BatchTest(MinimillTest):
    protocol = "openai"

    def setUp(self):
        super().setUp()
        self.tasks = [{"id": f"t{i}", "title": "Copy the code", "notes": f"The code is QX-{i}. Copy it.",
                       "can_wait_s": 3600, "check": {"type": "contains", "value": f"QX-{i}"}} for i in range(6)]

    def start_cloud(self, *arguments, tasks=None):
        gold = self.write_tasks(tasks or self.tasks, "gold.jsonl")
        self.cloud = self.sim_cloud("--listen", "127.0.0.1:0", "--first-token-ms", "5", "--tokens-per-second", "0",
                                    "--p-correct", "1", "--gold", str(gold), *arguments)
        self.configure()

    def configure(self, batch=""):
        base = self.cloud + ("/v1" if self.protocol == "openai" else "")
        settings = {"providers": '["sim"]', "min_wait_s": 1, "gather_s": 1, "poll_s": 1, "reserve_s": 1}
        settings.update(dict(line.split(" = ") for line in batch.splitlines()))
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        self.write_config(f'[[provider]]\nname = "sim"\nprotocol = "{self.protocol}"\nbase_url = "{base}"\n'
                          f'models = ["sim-large"]\nbatch_price_factor = 0.3\n[batch]\n{lines}{PRICES}{ROUTER}')

    def ask_cloud(self, method, path, body=None):
        host = self.cloud.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            connection.request(method, path, body)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def log(self):
        return self.ask_cloud("GET", "/sim/log")["requests"]

    def batches_made(self):
        """The batches whose creation the cloud carried out, each once."""
        creations = ("/v1/batches", "/v1/messages/batches")
        return {each["batch"] for each in self.log()
                if each["method"] == "POST" and each["path"] in creations and "batch" in each}

    def ordinary_requests(self):
        return sum(each["path"] in ("/v1/chat/completions", "/v1/messages") for each in self.log())

    def add(self, tasks=None):
        for task in tasks or self.tasks:
            status, _, body = self.request("POST", "/minimill/v1/tasks", task)
            self.assertEqual(status, 201, body)

    def task(self, name):
        return self.get(f"/minimill/v1/tasks/{name}")

    def batches(self):
        return self.get("/minimill/v1/batches")["batches"]

    def wait_done(self, tasks=None):
        def done():
            shown = [self.task(each["id"]) for each in tasks or self.tasks]
            return all(each["state"] in ("done", "failed") for each in shown) and shown
        return eventually(done, "every task has ended")

    def assert_done_in_batch(self, shown):
        for each in shown:
            self.assertEqual((each["state"], each["lane"], each["cloud_passed"], each["attempts"]),
                             ("done", "batch", True, 1), each)

    def attempts_in_ledger(self):
        """At the cloud."""
        database = sqlite3.connect(f"file:{self.folder}/data/minimill/minimill.db?mode=ro", uri=True)
        try:
            return database.execute("SELECT count(*) FROM attempts WHERE lane = 1").fetchone()[0]
        finally:
            database.close()


class Batches(BatchTest):
    def test_tasks_that_can_wait_are_answered_in_one_batch_at_the_providers_batch_price(self):
        self.start_cloud("--batch-ms", "500")
        self.serve()

        self.add()
        shown = self.wait_done()

        self.assert_done_in_batch(shown)
        self.assertEqual(len(self.batches_made()), 1)
        self.assertEqual(self.ordinary_requests(), 0)
        for each in shown:  # 1000 USD per million tokens
            tokens = each["prompt_tokens"] + each["completion_tokens"]
            self.assertAlmostEqual(each["cost_usd"], tokens * 0.001 * 0.3, places=9)
        batch = eventually(lambda: [b for b in self.batches() if b["state"] == "ended"], "the batch has ended")[0]
        self.assertEqual((batch["tasks"], batch["answered"], batch["given_back"]), (6, 6, 0))
        self.assertAlmostEqual(batch["cost_usd"], sum(each["cost_usd"] for each in shown), places=9)
        self.assertIn("sent in a batch at 30 %", self.run_minimill("why", "t0").stdout)
        self.assertIn(batch["id"], self.run_minimill("batch", "list").stdout)
        self.assertIn("answered", self.run_minimill("batch", "show", batch["id"]).stdout)

    def test_task_that_cannot_wait_goes_at_once(self):
        self.start_cloud("--batch-ms", "60000")
        self.serve()

        self.add([{"id": "now", "title": "Copy the word"}])

        self.assertEqual(self.wait_done([{"id": "now"}])[0]["lane"], "cloud")
        self.assertEqual(self.batches_made(), set())

    def test_local_only_task_never_enters_a_batch(self):
        self.start_cloud("--batch-ms", "500")
        self.serve()

        self.add([{"id": "p", "title": "Copy the word", "can_wait_s": 3600, "privacy": "local-only"}])

        self.assertEqual(self.wait_done([{"id": "p"}])[0]["lane"], "local")
        self.assertEqual(self.log(), [])

    def test_batch_goes_on_after_the_daemon_was_killed(self):
        self.start_cloud("--batch-ms", "3000")
        daemon = self.serve()
        self.add()
        eventually(lambda: [b for b in self.batches() if b["state"] == "running"], "the batch runs")

        daemon.kill(signal.SIGKILL)
        self.serve()
        shown = self.wait_done()

        self.assert_done_in_batch(shown)
        self.assertEqual(len(self.batches_made()), 1)
        self.assertEqual(self.ordinary_requests(), 0)
        self.assertEqual(self.attempts_in_ledger(), 6)

    def test_every_task_is_done_once_however_often_the_daemon_is_killed(self):
        tasks = [{**self.tasks[0], "id": f"k{i}", "notes": f"The code is KX-{i}-K. Copy it.",
                  "check": {"type": "contains", "value": f"KX-{i}-K"}} for i in range(200)]
        self.start_cloud("--batch-ms", "1500", tasks=tasks)
        self.configure("max_tasks = 60")
        daemon = self.serve()
        self.add(tasks)

        for pause_s in (0.3, 0.5, 0.4, 0.6, 0.3, 0.45):  # while gathering, sending, waiting, settling
            time.sleep(pause_s)
            daemon.kill(signal.SIGKILL)
            daemon = self.serve()
        shown = self.wait_done(tasks)

        for each in shown:  # the router has the device try one now and then, before
            self.assertEqual((each["state"], each["lane"], each["cloud_passed"]), ("done", "batch", True), each)
        self.assertEqual(self.ordinary_requests(), 0)
        self.assertEqual(len(self.batches_made()), len(self.batches()))
        self.assertEqual(self.attempts_in_ledger(), len(tasks))
        eventually(lambda: all(b["state"] == "ended" for b in self.batches()), "the batches have ended")
        cost = sum(each["cost_usd"] for each in shown)
        self.assertAlmostEqual(sum(b["cost_usd"] for b in self.batches()), cost, places=6)

    def test_batch_whose_creation_was_never_confirmed_is_found_and_not_made_again(self):
        self.start_cloud("--batch-ms", "500", "--fault", "batch-stall=1")
        daemon = self.serve()
        self.add()
        eventually(self.batches_made, "the batch is at the provider")
        self.assertEqual([b["state"] for b in self.batches()], ["sending"])

        daemon.kill(signal.SIGKILL)
        self.serve()

        self.assert_done_in_batch(self.wait_done())
        self.assertEqual(len(self.batches_made()), 1)
        self.assertEqual(self.ordinary_requests(), 0)

    def test_batch_that_never_reached_the_provider_is_sent_by_the_next_daemon(self):
        self.start_cloud("--batch-ms", "500", "--fault", "stall=1")
        daemon = self.serve()
        self.add()
        eventually(self.log, "something was asked of the provider")

        daemon.kill(signal.SIGKILL)
        self.ask_cloud("POST", "/sim/faults", '{"stall": 0}')
        self.serve()
        shown = self.wait_done()

        for each in shown:  # Anthropic's creation was carried out, though it stalled
            self.assertEqual((each["state"], each["lane"], each["cloud_passed"]), ("done", "batch", True), each)
        self.assertEqual(len(self.batches_made()), 1)
        self.assertEqual(self.ordinary_requests(), 0)

    def test_provider_that_is_down_for_a_while_gets_the_batch_later(self):
        self.start_cloud("--batch-ms", "200", "--fault", "503=1")
        self.serve()
        self.add()
        eventually(lambda: len(self.log()) > 1, "it was tried twice")

        self.ask_cloud("POST", "/sim/faults", '{"503": 0}')

        self.assert_done_in_batch(self.wait_done())
        self.assertEqual(len(self.batches_made()), 1)

    def test_task_whose_time_runs_out_is_taken_back_and_the_batch_cancelled(self):
        tasks = [{**task, "can_wait_s": 6} for task in self.tasks[:2]]
        self.start_cloud("--batch-ms", "600000", tasks=tasks)
        self.configure("min_wait_s = 2\nreserve_s = 60")
        self.serve()

        self.add(tasks)
        shown = self.wait_done(tasks)

        for each in shown:
            self.assertEqual((each["state"], each["lane"], each["cloud_passed"]), ("done", "cloud", True), each)
            self.assertLess(each["duration_s"], 6)
        eventually(lambda: [each for each in self.log() if each["path"].endswith("/cancel")], "cancelled there")
        self.assertEqual(self.ordinary_requests(), 2)

    def test_tasks_of_a_batch_that_fails_are_done_in_the_cloud_lane(self):
        self.start_cloud("--batch-ms", "200", "--fault", "batch-fail=1")
        self.serve()

        self.add()
        shown = self.wait_done()

        for each in shown:
            self.assertEqual((each["state"], each["lane"], each["cloud_passed"]), ("done", "cloud", True), each)
        self.assertEqual(self.ordinary_requests(), 6)
        self.assertEqual(len(self.batches_made()), 1)

    def test_what_expired_is_done_in_the_cloud_lane_and_the_rest_is_kept(self):
        self.start_cloud("--batch-ms", "200", "--fault", "batch-expire=1")
        self.serve()

        self.add()
        lanes = sorted(each["lane"] for each in self.wait_done())

        self.assertEqual(lanes, ["batch"] * 3 + ["cloud"] * 3)
        self.assertEqual(self.ordinary_requests(), 3)

    def test_hostile_results_cost_the_tasks_they_concern_a_second_try_and_nothing_else(self):
        self.start_cloud("--batch-ms", "200", "--fault", "batch-hostile=1")
        self.serve()

        self.add()
        shown = self.wait_done()

        self.assertTrue(all(each["cloud_passed"] for each in shown), shown)
        lanes = sorted(each["lane"] for each in shown)
        self.assertEqual(lanes, ["batch"] * 4 + ["cloud"] * 2)  # one answered twice, one missing

    def test_cancelled_batch_gives_its_tasks_to_the_cloud_lane(self):
        self.start_cloud("--batch-ms", "5000")
        self.serve()
        self.add()
        batch = eventually(lambda: [b for b in self.batches() if b["state"] == "running"], "the batch runs")[0]

        self.run_minimill("batch", "cancel", batch["id"])
        shown = self.wait_done()

        self.assertTrue(all(each["state"] == "done" for each in shown), shown)
        again = eventually(lambda: [b for b in self.batches() if b["state"] == "ended"], "the batch has ended")[0]
        self.assertEqual(again["answered"] + again["given_back"], 6)
        refused = self.run_minimill("batch", "cancel", batch["id"], check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("already ended", refused.stderr)

    def test_provider_that_refuses_batches_costs_nothing_but_the_gathering(self):
        self.start_cloud("--batch-ms", "200", "--key", "secret")
        self.configure()
        self.serve()

        self.add(self.tasks[:1])

        eventually(lambda: [b for b in self.batches() if b["state"] == "failed"], "the batch has failed")
        self.assertNotEqual(self.task("t0")["lane"], "batch")

    def test_run_counts_tasks_in_batches(self):
        self.start_cloud("--batch-ms", "1000")
        self.serve()

        report = json.loads(self.run_minimill("run", self.folder / "gold.jsonl", "--json").stdout)

        self.assertEqual((report["all"]["done"], report["all"]["batched"]), (6, 6))
        self.assertEqual(report["all"]["cloud"], {"answered": 6, "tried": 6, "checked": 6, "passed": 6})


class AnthropicBatches(Batches):
    protocol = "anthropic"


class BadInput(BatchTest):
    def test_bad_waits_and_unknown_batches_are_named(self):
        self.start_cloud()
        self.serve()

        refused = self.run_minimill("task", "add", "x", "--can-wait", "soon", check=False)
        self.assertIn("'soon' is no span of time", refused.stderr)
        status, _, body = self.request("POST", "/minimill/v1/tasks", {"title": "x", "can_wait_s": -1})
        self.assertEqual(status, 400)
        self.assertIn("can_wait_s", body)
        refused = self.run_minimill("batch", "show", "batch_none", check=False)
        self.assertIn("no batch 'batch_none'", refused.stderr)
        status, _, _ = self.request("GET", "/minimill/v1/batches?limit=-1")
        self.assertEqual(status, 400)

    def test_batch_providers_that_are_not_there_are_refused(self):
        self.write_config('[batch]\nproviders = ["nobody"]\n')
        refused = self.run_minimill("config", "check", check=False)
        self.assertIn("no provider 'nobody'", refused.stderr)
