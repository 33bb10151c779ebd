"""What is promised of tasks: order, retries, submission once, effects outside once."""

import json
import threading

from receiver import Receiver
from support import MinimillTest, eventually

SIM = "[sim_cloud]\nenabled = true\nfirst_token_ms = 5\ntokens_per_second = 0\np_correct = 1.0\n[tasks]\nmax_tokens = 8\n"
HARD = "Prove it step by step, compare and plan"  # for the cloud


class Promise(MinimillTest):
    def receiver(self):
        receiver = Receiver(self.folder / "received.jsonl")
        self.addCleanup(receiver.close)
        return receiver

    def post(self, path, body, expected=201, headers=None):
        status, _, answer = self.request("POST", path, body, headers)
        self.assertEqual(status, expected, answer)
        return json.loads(answer)

    def submit(self, tasks, expected=201, headers=None, run="new"):
        body = {"name": "tests", "tasks": [{"due_ms": 0, "task": task} for task in tasks]}
        return self.post(f"/minimill/v1/runs/{run}/tasks", body, expected, headers)

    def task(self, name):
        return self.get(f"/minimill/v1/tasks/{name}")

    def wait_for(self, name, state):
        return eventually(lambda: (task := self.task(name))["state"] == state and task, f"task {name} is {state}")


class Order(Promise):
    def setUp(self):
        super().setUp()
        self.write_config(SIM)
        self.serve()

    def test_tasks_are_done_after_those_they_come_after(self):
        self.submit([{"id": "c", "title": HARD, "after": ["b"]}, {"id": "b", "title": HARD, "after": ["a"]},
                     {"id": "a", "title": HARD}])

        tasks = [self.wait_for(name, "done") for name in "abc"]

        self.assertLessEqual(tasks[0]["finished_at"], tasks[1]["started_at"])
        self.assertLessEqual(tasks[1]["finished_at"], tasks[2]["started_at"])

    def test_unknown_ids_and_cycles_are_refused_all_or_nothing(self):
        unknown = self.submit([{"id": "a", "title": "t"}, {"id": "b", "title": "t", "after": ["nobody"]}], 400)
        cycle = self.submit([{"id": "a", "title": "t", "after": ["b"]}, {"id": "b", "title": "t", "after": ["a"]}], 400)

        self.assertIn("'b' comes after 'nobody'", unknown["error"]["message"])
        self.assertIn("a → b → a", cycle["error"]["message"])
        self.assertEqual(self.get("/minimill/v1/tasks")["tasks"], [])

    def test_cancelling_says_so_to_what_comes_after(self):
        self.post("/minimill/v1/runs/r/tasks", {"name": "n", "tasks": [
            {"due_ms": 9_000_000_000_000, "task": {"id": "far", "title": "t"}},
            {"due_ms": 0, "task": {"id": "later", "title": "t", "after": ["far"]}}]})
        self.assertEqual(self.task("later")["blocked_by"], 1)

        self.run_minimill("task", "cancel", "far")

        self.assertEqual(self.task("later")["state"], "failed")
        self.assertEqual(self.task("later")["error"], "comes after 'far', which was cancelled")

    def test_a_file_whose_order_is_not_that_of_its_dependencies_runs(self):
        tasks = [{"id": f"t{i}", "title": HARD, **({"after": [f"t{i + 1}"]} if i % 50 else {})} for i in range(299)]
        path = self.write_tasks(tasks + [{"id": "t299", "title": HARD}])

        report = json.loads(self.run_minimill("run", path, "--speed", "1000", "--json").stdout)

        self.assertEqual(report["all"]["done"], 300)


class Retry(Promise):
    def test_failed_task_keeps_its_reasons_and_is_retried_with_what_comes_after(self):
        url = self.sim_cloud("--first-token-ms", "1", "--tokens-per-second", "0")
        config = '[[provider]]\nname = "sim"\nbase_url = "{}/v1"\nmodels = ["{}"]\n[tasks]\nmax_attempts = 2\nmax_tokens = 8\n'
        self.write_config(config.format(url, "sim-fault-500"))
        daemon = self.serve()
        self.submit([{"id": "x", "title": HARD}, {"id": "y", "title": HARD, "after": ["x"]}])
        failed = self.wait_for("x", "failed")
        self.assertEqual([each["attempt"] for each in failed["failures"]], [1, 2])
        self.assertIn("500", failed["failures"][0]["error"])
        self.assertIn("comes after 'x', which failed", self.task("y")["error"])
        self.assertIn("comes after 'x'", self.run_minimill("task", "list", "--state", "failed").stdout)
        self.assertIn("attempt 1, cloud", self.run_minimill("task", "show", "x").stdout)
        of_dependent = self.run_minimill("task", "retry", "y", check=False)
        self.assertIn("minimill task retry x", of_dependent.stderr)
        daemon.close()
        self.write_config(config.format(url, "sim-large"))
        self.serve()

        self.run_minimill("task", "retry", "--all")

        self.wait_for("y", "done")
        again = self.run_minimill("task", "retry", "y", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("has not failed", again.stderr)
        self.assertEqual(self.request("POST", "/minimill/v1/tasks/y/retry")[0], 409)


class Limits(Promise):
    def test_task_that_fits_nowhere_fails_at_once_and_says_which_limit(self):
        self.serve()
        self.post("/minimill/v1/tasks", {"id": "long", "title": "Sum it up", "notes": "word " * 5000})

        failed = self.wait_for("long", "failed")

        self.assertEqual(failed["attempts"], 1)
        self.assertIn("> 1024 maximum", failed["error"])


    def test_times_that_nobody_can_count_with_are_refused(self):
        self.serve()
        for due in (-1, 2**63 - 1, -2**63):
            body = {"name": "n", "tasks": [{"due_ms": due, "task": {"id": "a", "title": "t"}}]}
            refused = self.post("/minimill/v1/runs/new/tasks", body, 400)
            self.assertEqual(refused["error"]["field"], "tasks[0].due_ms")

    def test_task_that_found_its_lane_full_is_looked_at_again(self):
        self.write_config("[lanes]\ncloud_slots = 1\nmax_queued = 1\n[sim_cloud]\nenabled = true\nfirst_token_ms = 1500\n"
                          "tokens_per_second = 0\n[tasks]\nmax_tokens = 8\n")
        self.serve()
        chats = [threading.Thread(target=self.chat, args=("cloud", "hello")) for _ in range(2)]
        for chat in chats:
            chat.start()
        eventually(lambda: any(lane["lane"] == "cloud" and lane["waiting"] == 1
                               for lane in self.get("/minimill/v1/status")["lanes"]), "the lane is full")

        self.post("/minimill/v1/tasks", {"id": "a", "title": HARD})

        self.wait_for("a", "done")
        for chat in chats:
            chat.join()

    def test_task_that_is_late_is_done_and_says_so(self):
        self.write_config(SIM)
        self.serve()
        self.post("/minimill/v1/tasks", {"id": "late", "title": HARD, "deadline_s": 0})

        self.assertIs(self.wait_for("late", "done")["deadline_met"], False)

    def test_ten_thousand_tasks_at_once_are_taken(self):
        self.write_config(SIM)
        self.serve()
        tasks = [{"id": f"t{i}", "title": HARD, **({"after": [f"t{i - 1}", f"t{i - 2}"]} if i % 3 == 2 else {})}
                 for i in range(10_000)]

        self.assertEqual(self.submit(tasks)["accepted"], 10_000)

        self.assertEqual(self.chat("cloud", "hello")[0], 200)
        self.wait_for("t2", "done")


class Once(Promise):
    def setUp(self):
        super().setUp()
        self.write_config(SIM)
        self.serve()

    def test_same_key_and_body_is_carried_out_once_and_answered_alike(self):
        key = {"Idempotency-Key": "k-1"}
        first = self.post("/minimill/v1/tasks", {"title": HARD}, headers=key)

        self.assertEqual(self.post("/minimill/v1/tasks", {"title": HARD}, headers=key), first)
        many = self.submit([{"id": "a", "title": HARD}], headers={"Idempotency-Key": "k-2"})
        self.assertEqual(self.submit([{"id": "a", "title": HARD}], headers={"Idempotency-Key": "k-2"}), many)

        self.assertEqual(len(self.get("/minimill/v1/tasks")["tasks"]), 2)

    def test_same_key_with_another_body_is_422_and_bad_keys_are_400(self):
        self.run_minimill("task", "add", HARD, "--idempotency-key", "k")
        again = self.run_minimill("task", "add", "Other", "--idempotency-key", "k", check=False)
        self.assertEqual(again.returncode, 1)
        self.post("/minimill/v1/tasks", {"title": HARD}, headers={"Idempotency-Key": "k"})  # of another app

        refused = self.post("/minimill/v1/tasks", {"title": "Other"}, 422, {"Idempotency-Key": "k"})

        self.assertEqual(refused["error"]["field"], "Idempotency-Key")
        for bad in ("x" * 256, "\u00e4"):
            self.post("/minimill/v1/tasks", {"title": HARD}, 400, {"Idempotency-Key": bad})
        self.assertEqual(len(self.get("/minimill/v1/tasks")["tasks"]), 2)

    def test_key_sent_many_times_at_once_adds_one_task(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            self.post("/minimill/v1/tasks", {"title": HARD}, headers={"Idempotency-Key": "k"})["id"])) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual(len(answers), 16)
        self.assertEqual(len(set(answers)), 1)


class Outbox(Promise):
    def serve_with(self, receiver, text=""):
        self.write_config(f'{SIM}[outbox]\nallow = ["{receiver.url}/hooks/"]\n{text}')
        return self.serve()

    def test_outcome_is_posted_once_it_is_there(self):
        receiver = self.receiver()
        self.serve_with(receiver)
        self.run_minimill("task", "add", HARD, "--id", "a", "--check", '{"type": "contains", "value": "simulated"}',
                          "--notify", receiver.url + "/hooks/x")

        body = eventually(lambda: receiver.effects and next(iter(receiver.effects.values())), "the effect")

        self.assertEqual((body["id"], body["run"], body["state"], body["lane"]), ("a", "adhoc", "done", "cloud"))
        self.assertTrue(body["passed"])
        self.assertIn("[simulated]", body["answer"])
        eventually(lambda: self.get("/minimill/v1/outbox?state=delivered")["effects"], "the delivery is recorded")
        self.assertIn("delivered", self.run_minimill("outbox", "list").stdout)

    def test_urls_that_are_not_allowed_are_refused(self):
        receiver = self.receiver()
        self.serve_with(receiver)
        for url, status in [(receiver.url + "/other", 403), (receiver.url + "0/hooks/x", 400), ("http://127.0.0.1/hooks/", 403),
                            ("http://example.com/hooks/", 403), (receiver.url + "/hooks/../x", 400), ("file:///etc", 400)]:
            refused = self.post("/minimill/v1/tasks", {"title": "t", "notify": url}, status)
            self.assertEqual(refused["error"]["field"], "notify", url)
        local_only = {"title": "t", "notify": "http://example.com/", "privacy": "local-only"}
        self.assertIn("not on this machine", self.post("/minimill/v1/tasks", local_only, 400)["error"]["message"])
        self.assertEqual(self.get("/minimill/v1/tasks")["tasks"], [])

    def test_delivery_is_repeated_with_the_same_key_until_it_is_taken(self):
        receiver = self.receiver()
        answers = {1: 503, 2: None, 3: 429, 4: 302}
        receiver.answer = lambda number: answers.get(number, 200)
        self.serve_with(receiver)
        self.post("/minimill/v1/tasks", {"title": HARD, "notify": receiver.url + "/hooks/x"})

        eventually(lambda: self.get("/minimill/v1/outbox?state=delivered")["effects"], "the delivery")

        self.assertEqual(len({key for key, _ in receiver.requests}), 1)
        self.assertEqual(len(receiver.requests), 5)
        self.assertEqual(len(receiver.effects), 1)

    def test_effect_nobody_takes_is_dead_with_its_reason_and_may_be_retried(self):
        receiver = self.receiver()
        receiver.answer = lambda number: 500
        self.serve_with(receiver, "max_attempts = 2\n")
        self.post("/minimill/v1/tasks", {"title": HARD, "notify": receiver.url + "/hooks/x"})
        dead = eventually(lambda: self.get("/minimill/v1/outbox?state=dead")["effects"], "it is dead")[0]
        self.assertIn("the receiver answered 500", dead["last_error"])
        receiver.answer = lambda number: 200

        self.run_minimill("outbox", "retry", dead["id"])

        eventually(lambda: receiver.effects, "the effect")
        again = self.run_minimill("outbox", "retry", dead["id"], check=False)
        self.assertEqual(again.returncode, 1)

    def test_run_without_a_daemon_tells_of_its_last_task_before_it_ends(self):
        receiver = self.receiver()
        self.write_config(f'{SIM}[outbox]\nallow = ["{receiver.url}"]\n')
        path = self.write_tasks([{"id": f"t{i}", "title": HARD, "notify": receiver.url} for i in range(20)])

        self.run_minimill("run", path)

        self.assertEqual(len(receiver.effects), 20)

    def test_effect_outlives_a_daemon_killed_in_mid_delivery(self):
        receiver = self.receiver()
        asked = threading.Event()
        daemon = self.serve_with(receiver)

        def kill_meanwhile(_):  # delivered, but nobody is left to record it
            if not asked.is_set():
                daemon.kill()
                asked.set()
            return 200

        receiver.answer = kill_meanwhile
        self.post("/minimill/v1/tasks", {"title": HARD, "notify": receiver.url + "/hooks/x"})
        self.assertTrue(asked.wait(60))

        self.serve()

        eventually(lambda: self.get("/minimill/v1/outbox?state=delivered")["effects"], "the delivery")
        self.assertEqual(len(receiver.requests), 2)
        self.assertEqual(len(receiver.effects), 1)
