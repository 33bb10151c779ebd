"""Lanes, seen from outside: who waits, who moves, what may be spent, and what happens when the cloud is out of reach."""

import json
import threading

from support import MinimillTest, eventually

QUICK = ("--first-token-ms", "2", "--tokens-per-second", "0", "--answer-tokens", "8")
EASY = "Sort this mail"


class Lanes(MinimillTest):
    def configure(self, cloud_url, text="", device_url=None):
        """A cloud, and a device played by another simulated cloud whose times the prompts name."""
        device = ""
        if device_url:
            device = f'[[engine]]\nname = "device"\nbase_url = "{device_url}/v1"\nmodel = "sim-large"\n'
        self.config.write_text(
            (f'[local]\nmodel = "device"\nslots = 1\n{device}' if device_url
             else f'[local]\nmodel = "{self.model}"\ncontext_tokens = 1024\n')
            + f'[[provider]]\nname = "cloud"\nbase_url = "{cloud_url}/v1"\nmodels = ["sim-large"]\n'
            + '[cloud]\nhedge_budget = 0\n[watch]\nenabled = false\n' + text)

    def serve_both(self, text="", cloud=QUICK):
        device = self.sim_cloud("--tokens-per-second", "0", "--first-token-ms", "1", "--timed", "device")
        self.cloud = self.sim_cloud(*cloud)
        self.configure(self.cloud, text, device)
        return self.serve()

    def add_task(self, task):
        status, _, body = self.request("POST", "/minimill/v1/tasks", task)
        self.assertLess(status, 300, body)

    def task(self, name):
        return self.get(f"/minimill/v1/tasks/{name}")

    def wait_for(self, name, state="done"):
        def there():
            task = self.task(name)
            return task if task["state"] == state else None
        return eventually(there, f"{name} is {state}")

    def why(self, name):
        return eventually(lambda: self.explained(name), f"{name} in the ledger")

    def explained(self, name):
        status, _, body = self.request("GET", f"/minimill/v1/why/{name}")
        return json.loads(body)["requests"][-1] if status == 200 else None

    def layers(self, name):
        return [reason["layer"] for reason in self.why(name)["reasons"]]

    def running(self, lane):
        return next(each for each in self.get("/minimill/v1/status")["lanes"] if each["lane"] == lane)["running"]


class Balance(Lanes):
    LOCAL = "[router]\nthreshold = 0.0\n"

    def test_backlog_of_the_device_goes_to_the_cloud_once_waiting_costs_more(self):
        self.serve_both(self.LOCAL + "[lanes]\nwaiting_usd_per_h = 1000.0\n")
        self.add_task({"id": "long", "title": EASY, "notes": "(device takes 3 s)"})
        eventually(lambda: self.running("local") == 1, "the device is busy")
        for number in range(3):
            self.add_task({"id": f"t{number}", "title": EASY, "notes": "(device takes 3 s)"})

        moved = [self.wait_for(f"t{number}") for number in range(3)]

        self.assertIn("cloud", {task["lane"] for task in moved})
        first = next(task["id"] for task in moved if task["lane"] == "cloud")
        self.assertEqual(self.layers(first)[0], "balance")

    def test_hurried_run_waits_no_longer_than_it_would_in_life(self):
        device = self.sim_cloud("--tokens-per-second", "0", "--first-token-ms", "1", "--timed", "device")
        self.configure(self.sim_cloud(*QUICK), self.LOCAL, device)
        tasks = self.write_tasks([{"id": f"t{number}", "title": EASY, "notes": "(device takes 6 s)", "arrives_s": 6.0 * number}
                                  for number in range(10)], "hurried.jsonl")

        report = json.loads(self.run_minimill("run", tasks, "--speed", "60", "--json").stdout)

        # The price of the cloud is worth some seconds of waiting; divided by the speed it would be minutes, and all would wait.
        self.assertLess(report["all"]["mean_queue_age_s"], 2.0)
        self.assertGreater(report["all"]["cloud"]["answered"], 5)

    def test_nothing_moves_where_balance_is_off(self):
        self.serve_both(self.LOCAL + "[lanes]\nwaiting_usd_per_h = 1000.0\nbalance = false\n")
        for number in range(4):
            self.add_task({"id": f"t{number}", "title": EASY, "notes": "(device takes 0.2 s)"})

        self.assertEqual({self.wait_for(f"t{number}")["lane"] for number in range(4)}, {"local"})

    def test_local_only_task_never_moves_however_long_it_waits(self):
        self.serve_both(self.LOCAL + "[lanes]\nwaiting_usd_per_h = 1000000.0\n")
        self.add_task({"id": "long", "title": EASY, "notes": "(device takes 1 s)"})
        eventually(lambda: self.running("local") == 1, "the device is busy")
        for number in range(3):
            self.add_task({"id": f"t{number}", "title": EASY, "notes": "(device takes 0.1 s)", "privacy": "local-only"})

        self.assertEqual({self.wait_for(f"t{number}")["lane"] for number in range(3)}, {"local"})

    def test_task_that_would_miss_its_deadline_on_the_device_goes_out(self):
        self.serve_both(self.LOCAL + "[lanes]\nwaiting_usd_per_h = 0.001\nrunning_share = 100.0\n")
        # So that it is known how long either lane takes.
        for number in range(4):
            self.add_task({"id": f"warm{number}", "title": EASY, "notes": "(device takes 1.5 s)", "privacy": "local-only"})
            self.chat("cloud", "hello")
        for number in range(4):
            self.wait_for(f"warm{number}")
        self.add_task({"id": "long", "title": EASY, "notes": "(device takes 3 s)", "privacy": "local-only"})
        eventually(lambda: self.running("local") == 1, "the device is busy")

        self.add_task({"id": "urgent", "title": EASY, "notes": "(device takes 1.5 s)", "deadline_s": 1.5})

        self.assertEqual(self.wait_for("urgent")["lane"], "cloud")
        self.assertIn("deadline", self.why("urgent")["reasons"][0]["text"])

    def test_app_does_not_wait_behind_a_hundred_tasks(self):
        self.serve_both(self.LOCAL + "[lanes]\nbalance = false\n")
        for number in range(100):
            self.add_task({"id": f"t{number}", "title": EASY, "notes": "(device takes 0.1 s)"})
        eventually(lambda: self.running("local") == 1, "the device is busy")

        status, headers, _ = self.chat("local", "hello (device takes 0.01 s)")

        self.assertEqual(status, 200)
        waiting = [t for t in self.get("/minimill/v1/tasks?limit=200")["tasks"] if t["state"] == "queued"]
        self.assertGreater(len(waiting), 50)


class Slots(Lanes):
    def test_device_has_as_many_slots_as_its_server_says(self):
        self.write_config('slots = 2\nextra_args = ["--parallel", "3"]\n')
        self.serve()

        status, _, body = self.chat("local", "hello", max_tokens=2)

        self.assertEqual(status, 200, body)
        lane = self.get("/minimill/v1/status")["lanes"][0]
        self.assertEqual((lane["lane"], lane["slots"]), ("local", 3))


class OutOfReach(Lanes):
    HARD = "[router]\nthreshold = 1.0\n"

    def broken(self, text=""):
        self.configure(self.sim_cloud(*QUICK, "--fault", "503=1"), self.HARD + text)
        return self.serve()

    def test_device_does_hard_work_where_the_app_accepts_it_and_says_so(self):
        self.broken()

        status, headers, _ = self.chat("auto", "hello")

        self.assertEqual(status, 200)
        self.assertEqual(headers["x-minimill-lane"], "local")
        self.assertIn("out of reach", headers["x-minimill-degraded"])
        explained = self.why(headers["x-minimill-request-id"])
        self.assertEqual(explained["reasons"][0]["layer"], "degraded")
        self.assertEqual([attempt["lane"] for attempt in explained["attempts"]][-1], "local")

    def test_cloud_that_is_known_to_be_broken_is_not_waited_for(self):
        self.broken()

        def unasked():
            """The headers of an answer for which no provider was asked, but where a moment's rest is over and one tries it again."""
            status, headers, _ = self.chat("auto", "hello")
            self.assertEqual(status, 200)
            attempts = self.why(headers["x-minimill-request-id"])["attempts"]
            return headers if [attempt["lane"] for attempt in attempts] == ["local"] else None

        headers = eventually(unasked, "the cloud is known to be broken")
        self.assertIn("out of reach", headers["x-minimill-degraded"])

    def test_app_that_refuses_gets_the_clouds_error(self):
        self.broken()

        status, _, body = self.chat("auto", "hello", headers={"x-minimill-degraded": "refuse"})

        self.assertGreaterEqual(status, 500)
        self.assertIn("error", json.loads(body))

    def test_refusing_can_be_the_default(self):
        self.broken("[lanes]\naccept_degraded = false\n")

        self.assertGreaterEqual(self.chat("auto", "hello")[0], 500)
        self.assertEqual(self.chat("auto", "hello", headers={"x-minimill-degraded": "accept"})[0], 200)

    def test_wrong_word_in_the_header_is_refused_by_name(self):
        self.broken()

        status, _, body = self.chat("auto", "hello", headers={"x-minimill-degraded": "perhaps"})

        self.assertEqual(status, 400)
        self.assertIn("x-minimill-degraded", body)

    def test_app_that_asked_for_the_cloud_is_not_given_the_device(self):
        self.broken()

        self.assertGreaterEqual(self.chat("cloud", "hello")[0], 500)


class Budgets(Lanes):
    def serve_dear(self, text=""):
        self.configure(self.sim_cloud(*QUICK),
                       text + '[prices."sim-large"]\ninput = 1000.0\noutput = 1000.0\n')
        return self.serve()

    def spend(self):
        status, headers, body = self.chat("cloud", "hello")
        self.assertEqual(status, 200, body)
        eventually(lambda: self.explained(headers["x-minimill-request-id"]), "the cost in the ledger")

    def test_hard_limit_closes_the_cloud_with_a_clear_error(self):
        self.run_minimill("budget", "set", "--usd-per-day", "0.02")
        self.serve_dear()
        eventually(lambda: self.chat("cloud", "hello")[0] != 200, "the budget is spent")

        status, headers, body = self.chat("cloud", "hello")

        self.assertEqual(status, 429)
        self.assertIn("budget of all", body)
        self.assertIn("minimill budget set", body)
        self.assertGreater(int(headers["retry-after"]), 0)

    def test_budget_changed_while_running_holds_at_once(self):
        self.run_minimill("budget", "set", "--usd-per-day", "0.001")
        self.serve_dear()
        eventually(lambda: self.chat("cloud", "hello")[0] == 429, "the budget is spent")

        self.run_minimill("budget", "set", "--usd-per-day", "1000")

        eventually(lambda: self.chat("cloud", "hello")[0] == 200, "the cloud is open again")

    def test_task_waits_for_tomorrow_and_goes_on_when_the_budget_is_raised(self):
        self.run_minimill("budget", "set", "--usd-per-day", "0")
        self.serve_dear("[router]\nthreshold = 1.0\n[lanes]\naccept_degraded = false\n")
        self.add_task({"id": "hard", "title": "Prove it"})
        waiting = eventually(lambda: (task := self.task("hard"))["error"] and task, "the task is explained")
        self.assertEqual(waiting["state"], "queued")
        self.assertIn("budget of all is spent", waiting["error"])
        self.assertEqual(waiting["attempts"], 0)

        self.run_minimill("budget", "set", "--usd-per-day", "1000")

        self.wait_for("hard")

    def test_budget_of_one_app_leaves_another_alone(self):
        self.run_minimill("budget", "set", "--app", "tasks", "--usd-per-day", "0")
        self.serve_dear("[router]\nthreshold = 1.0\n")

        self.spend()
        self.add_task({"id": "hard", "title": "Prove it"})

        self.assertEqual(self.wait_for("hard")["lane"], "local")
        self.assertIn("degraded", self.layers("hard"))

    def test_soft_limit_lowers_the_bar(self):
        self.run_minimill("budget", "set", "--usd-per-day", "2", "--soft", "0.001")
        self.serve_dear("[router]\nthreshold = 0.9\n")
        self.spend()

        def decision():
            status, _, body = self.request("POST", "/v1/route", {"model": "auto", "messages": [
                {"role": "user", "content": "hello"}]})
            self.assertEqual(status, 200, body)
            decided = json.loads(body)
            return decided if decided["threshold"] < 0.9 else None

        decided = eventually(decision, "the bar is lower")
        self.assertIn("budget", [reason["layer"] for reason in decided["reasons"]])

    def test_what_is_spent_is_shown_and_survives_a_restart(self):
        self.run_minimill("budget", "set", "--usd-per-month", "100")
        self.run_minimill("budget", "set", "--app", "mail", "--usd-per-day", "1", "--soft", "0.5")
        daemon = self.serve_dear()
        self.spend()
        daemon.close()
        self.serve()

        listed = json.loads(self.run_minimill("budget", "list", "--json").stdout)["budgets"]

        self.assertEqual([(each["scope"], each["of"]) for each in listed], [("all", ""), ("app", "mail")])
        self.assertGreater(listed[0]["spent_this_month_usd"], 0)
        self.assertIn("of 100.00", self.run_minimill("budget", "list").stdout)

    def test_hundred_requests_at_once_cannot_each_spend_what_is_left(self):
        self.run_minimill("budget", "set", "--usd-per-day", "0.5")
        self.serve_dear()
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.chat("cloud", "hello")[0])) for _ in range(60)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        refused = sum(status != 200 for status in statuses)
        self.assertGreater(refused, 0)
        self.assertEqual(len(statuses), 60)

    def test_what_is_no_budget_is_refused_and_none_is_explained(self):
        self.assertIn("any sum", self.run_minimill("budget", "list").stdout)
        self.assertNotEqual(self.run_minimill("budget", "set", check=False).returncode, 0)
        self.assertNotEqual(self.run_minimill("budget", "set", "--usd-per-day", "-1", check=False).returncode, 0)
        missing = self.run_minimill("budget", "remove", "--app", "nobody", check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no budget of app nobody", missing.stderr)


class Replay(Lanes):
    def tasks(self):
        return self.write_tasks([{"id": f"t{number}", "title": EASY, "notes": f"No {number}", "arrives_s": number * 0.01}
                                 for number in range(20)], "replayed.jsonl")

    def replay(self, *arguments):
        return self.run_minimill("replay", self.tasks(), *arguments)

    def test_run_that_was_measured_is_replayed_with_other_workers(self):
        self.configure(self.sim_cloud(*QUICK), "[router]\nthreshold = 1.0\n")
        self.serve()
        self.run_minimill("run", self.tasks(), "--speed", "1")

        out = json.loads(self.replay("--json", "--cloud-workers", "1").stdout)["schedulers"]
        more = json.loads(self.replay("--json", "--cloud-workers", "20").stdout)["schedulers"]

        self.assertEqual([each["scheduler"] for each in out], ["one-queue", "two-lanes", "minimill", "known-times"])
        self.assertEqual([each["tasks"] for each in out], [20] * 4)
        self.assertGreaterEqual(out[2]["mean_queue_age_s"], more[2]["mean_queue_age_s"])

    def test_times_may_be_given_and_a_picture_is_drawn(self):
        picture = self.folder / "lanes.svg"

        table = self.replay("--service", "local=1,cloud=2,hard=3,spread=none", "--svg", picture).stdout

        self.assertIn("minimill", table)
        self.assertTrue(picture.read_text().startswith("<svg"))

    def test_real_time_gives_about_what_simulated_time_does(self):
        arguments = ("--service", "local=2,cloud=4,hard=6,seed=3", "--scheduler", "minimill", "--json")
        virtual = json.loads(self.replay(*arguments).stdout)["schedulers"][0]
        live = json.loads(self.replay(*arguments, "--speed", "20").stdout)["schedulers"][0]

        self.assertEqual(live["tasks"], virtual["tasks"])
        self.assertAlmostEqual(live["mean_duration_s"], virtual["mean_duration_s"], delta=0.5 * virtual["mean_duration_s"])

    def test_what_cannot_be_replayed_says_what_to_do(self):
        never = self.run_minimill("replay", self.tasks(), check=False)
        self.assertEqual(never.returncode, 1)
        self.assertIn("--service local=", never.stderr)
        self.assertEqual(self.run_minimill("replay", self.tasks(), "--service", "local=x", check=False).returncode, 1)
        self.assertEqual(self.run_minimill("replay", self.tasks(), "--speed", "fast", check=False).returncode, 1)
