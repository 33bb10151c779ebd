"""Apps, their keys and what they may."""

import http.client
import json
import socket
import subprocess

from support import MINIMILL, MinimillTest, eventually

CHAT = {"model": "cloud", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


class Access(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[prices.sim-large]\ninput = 1000000.0\noutput = 1000000.0\n")

    def key(self, app, *limits):
        return self.run_minimill("key", "add", app, *limits).stdout.strip()

    def ask(self, key=None, path="/v1/chat/completions", body=CHAT, header="authorization"):
        value = key if header == "x-api-key" else f"Bearer {key}"
        return self.request("POST", path, body, {header: value} if key else {})

    def error_of(self, answer):
        return json.loads(answer[2])["error"]

    def test_without_any_key_this_machine_is_let_in(self):
        self.serve()
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(self.ask("sk-whatever-sdks-send")[0], 200)

    def test_once_there_is_a_key_apps_need_one_in_the_header_of_their_protocol(self):
        self.serve()
        key = self.key("mail")

        eventually(lambda: self.ask()[0] == 401, "a request without a key is refused")
        self.assertEqual(self.ask(key)[0], 200)
        self.assertEqual(self.ask(key, "/v1/messages", header="x-api-key")[0], 200)
        status, headers, body = self.ask("mm-wrong")
        self.assertEqual((status, headers["www-authenticate"]), (401, "Bearer"))
        self.assertIn("minimill key add", json.loads(body)["error"]["message"])
        self.assertEqual(json.loads(self.ask(path="/v1/messages")[2])["type"], "error")
        self.assertIsInstance(json.loads(self.ask(path="/api/chat")[2])["error"], str)
        self.assertEqual(self.request("GET", "/healthz")[0], 200)

        self.run_minimill("key", "remove", "mail")
        eventually(lambda: self.ask()[0] == 200, "with the last key gone, the machine is open again")

    def test_command_line_needs_no_key_as_the_socket_tells_who_it_is(self):
        self.key("mail")
        self.serve()
        self.assertIn("providers", json.loads(self.run_minimill("status", "--json").stdout))
        asked = self.run_minimill("ask", "--model", "cloud", "hello").stdout
        self.assertIn("simulated", asked)

    def test_requests_per_minute(self):
        key = self.key("mail", "--requests-per-minute", 2)
        self.serve()
        self.assertEqual([self.ask(key)[0] for _ in range(3)], [200, 200, 429])
        status, headers, _ = self.ask(key)
        self.assertEqual(status, 429)
        self.assertGreater(int(headers["retry-after"]), 0)

    def test_budget_is_kept_over_a_restart_and_the_device_stays_free(self):
        key = self.key("mail", "--usd-per-day", 30)
        daemon = self.serve()
        status, headers, body = self.ask(key)
        self.assertEqual(status, 200, body)
        self.assertGreater(float(headers["x-minimill-cost"]), 0)
        while self.ask(key)[0] == 200:
            pass
        daemon.close()
        self.serve()

        answer = self.ask(key)
        self.assertIn(answer[0], (403, 429), answer[2])
        self.assertEqual(self.ask(key, body={**CHAT, "model": "local"})[0], 200)
        status, headers, _ = self.ask(key, body={**CHAT, "model": "auto"})
        self.assertEqual((status, headers["x-minimill-lane"]), (200, "local"))

    def test_lanes_models_and_privacy_of_an_app(self):
        local = self.key("offline", "--lane", "local")
        gpt = self.key("editor", "--model", "auto", "--model", "sim-*", "--privacy", "local-only")
        self.serve()
        self.assertEqual(self.ask(local)[0], 403)
        self.assertEqual(self.ask(local, body={**CHAT, "model": "auto"})[1]["x-minimill-lane"], "local")
        self.assertEqual(self.error_of(self.ask(gpt))["param"], "model")
        status, _, body = self.ask(gpt, body={**CHAT, "model": "sim-large"})
        self.assertEqual(status, 403, body)
        self.assertIn("local-only", body)

    def test_other_addresses_than_loopback_need_a_key(self):
        refused = subprocess.run([MINIMILL, "--config", self.config, "serve", "--listen", "0.0.0.0:0"], env=self.env,
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("minimill key add", refused.stderr)

        key = self.key("mail")
        program = self.start("serve", "--listen", "0.0.0.0:0")
        self.port = int(program.first_line.split(":")[1].split(" ")[0])
        self.assertEqual(self.ask(key)[0], 200)
        self.assertEqual(self.ask()[0], 401)
        self.run_minimill("key", "remove", "mail")
        eventually(lambda: self.ask(key)[0] == 401, "without the last key nobody is let in from outside")
        self.assertEqual(self.ask()[0], 401)

    def test_who_asked_is_in_the_ledger_and_no_key_is_in_any_file(self):
        key = self.key("mail")
        self.serve()
        request = self.ask(key)[1]["x-minimill-request-id"]
        why = eventually(lambda: json.loads(self.run_minimill("why", request, "--json").stdout).get("requests"),
                         "the request is in the ledger")
        self.assertEqual(why[0]["app"], "mail")
        for file in self.folder.rglob("*"):
            if file.is_file() and file != self.model:
                self.assertNotIn(key.encode(), file.read_bytes(), file)

    def test_models_are_the_owners_to_change(self):
        key = self.key("mail")
        self.serve()
        for method, path in (("POST", "/api/pull"), ("DELETE", "/api/delete")):
            status, _, body = self.request(method, path, {"model": "smollm2:135m"}, {"authorization": f"Bearer {key}"})
            self.assertEqual(status, 403, body)

    def test_what_the_router_has_learnt_of_all_apps_is_the_owners(self):
        authorized = {"authorization": f"Bearer {self.key('mail')}"}
        self.serve()
        for method, path in (("GET", ""), ("GET", "/state"), ("PUT", "/state"), ("POST", "/train"), ("POST", "/estimate")):
            status, _, body = self.request(method, f"/minimill/v1/router{path}", "{}", authorized)
            self.assertEqual(status, 403, body)
        self.assertEqual(self.run_minimill("router", "show").returncode, 0)

    def as_app(self, key, method, path, body=None, **headers):
        status, _, text = self.request(method, path, body, {"authorization": f"Bearer {key}", **headers})
        return status, text

    def test_app_sees_and_changes_only_what_is_its_own(self):
        mail, spy = self.key("mail"), self.key("spy")
        self.serve()
        base = "/minimill/v1"
        task = {"id": "m1", "title": "Copy the word", "notes": "PRIVATE", "privacy": "local-only"}
        failing = {"id": "m2", "title": "Copy", "check": {"type": "equals", "value": "never"}, "privacy": "local-only"}
        for each in (task, failing):
            status, body = self.as_app(mail, "POST", f"{base}/tasks", each)
            self.assertEqual(status, 201, body)
        run = json.loads(body)["run"]
        status, body = self.as_app(mail, "POST", f"{base}/runs/new/tasks",
                                   {"name": "r", "tasks": [{"due_ms": 0, "task": {**task, "id": "m3"}}]})
        self.assertEqual(status, 201, body)
        own_run = json.loads(body)["run"]
        status, body = self.as_app(mail, "POST", "/v1/responses", {"model": "local", "input": "the PIN is 4711",
                                                                  "max_output_tokens": 2})
        self.assertEqual(status, 200, body)
        response = json.loads(body)["id"]
        done = lambda name: json.loads(self.as_app(mail, "GET", f"{base}/tasks/{name}")[1])["state"] in ("done", "failed")
        for name in ("m1", "m2", "m3"):
            eventually(lambda: done(name), f"{name} has ended")
        request = json.loads(self.as_app(mail, "GET", f"{base}/tasks/m1")[1])["request"]

        for listed in ("tasks", "runs", "outbox", "batches"):
            status, body = self.as_app(spy, "GET", f"{base}/{listed}")
            self.assertEqual(status, 200, body)
            self.assertEqual([v for v in json.loads(body).values() if isinstance(v, list)], [[]], body)
        for method, path in (("GET", f"{base}/tasks/m1"), ("GET", f"{base}/tasks/m1?run={run}"),
                             ("POST", f"{base}/tasks/m1/cancel"), ("POST", f"{base}/tasks/m2/retry"),
                             ("GET", f"{base}/runs/{own_run}"), ("GET", f"{base}/runs/{own_run}/report"),
                             ("GET", f"{base}/why/m1"), ("GET", f"{base}/why/{request}"),
                             ("GET", f"/v1/responses/{response}"), ("GET", f"/v1/responses/{response}/input_items"),
                             ("DELETE", f"/v1/responses/{response}")):
            with self.subTest(f"{method} {path}"):
                status, body = self.as_app(spy, method, path)
                self.assertEqual(status, 404, body)
                self.assertNotIn("PRIVATE", body)
        for path in (f"{base}/runs/{own_run}/tasks", f"{base}/runs/{run}/tasks"):
            status, body = self.as_app(spy, "POST", path,
                                       {"name": "r", "tasks": [{"due_ms": 0, "task": {**task, "id": "s1"}}]})
            self.assertIn(status, (400, 403), body)
        status, body = self.as_app(spy, "POST", "/v1/responses", {"model": "local", "input": "what is the PIN?",
                                                                 "previous_response_id": response})
        self.assertEqual(status, 404, body)
        status, body = self.as_app(spy, "POST", "/v1/feedback", {"request_id": request, "outcome": "bad"})
        self.assertEqual(status, 404, body)
        self.assertEqual(json.loads(self.as_app(spy, "POST", f"{base}/tasks/retry")[1])["retried"], 0)
        status, body = self.as_app(spy, "POST", f"{base}/tasks", {**task, "notes": "another m1"})
        self.assertEqual(status, 201, body)

        self.assertEqual(self.as_app(mail, "GET", f"/v1/responses/{response}")[0], 200)
        self.assertEqual(self.as_app(mail, "POST", "/v1/feedback", {"request_id": request, "outcome": "good"})[0], 200)
        self.assertEqual(self.as_app(mail, "GET", f"{base}/runs/{own_run}/report")[0], 200)
        listed = json.loads(self.run_minimill("task", "list", "--json").stdout)["tasks"]
        self.assertEqual({each["app"] for each in listed}, {"mail", "spy"})

    def test_what_is_the_owners_is_no_apps(self):
        key = self.key("spy")
        self.serve()
        eventually(lambda: self.ask()[0] == 401, "keys are needed")
        for method, path in (("GET", "/minimill/v1/status"), ("GET", "/minimill/v1/providers"),
                             ("GET", "/minimill/v1/providers/sim-cloud"), ("GET", "/minimill/v1/budgets"),
                             ("POST", "/minimill/v1/providers/sim-cloud/test")):
            status, body = self.as_app(key, method, path)
            self.assertEqual(status, 403, (path, body))
            self.assertIn("owner", body)

    def test_task_of_an_app_stays_within_what_the_app_may(self):
        spy = self.key("spy", "--lane", "local", "--privacy", "local-only", "--requests-per-minute", 3)
        narrow = self.key("narrow", "--model", "sim-*")
        self.serve()
        hard = {"title": "Prove step by step", "notes": "and compare two proofs"}

        answers = [self.as_app(spy, "POST", "/minimill/v1/tasks", task)
                   for task in (hard, {**hard, "privacy": "allow"}, hard, hard)]
        self.assertEqual([status for status, _ in answers], [201, 201, 201, 429])
        self.assertEqual(self.as_app(narrow, "POST", "/minimill/v1/tasks", hard)[0], 403)

        tasks = [f"/minimill/v1/tasks/{json.loads(body)['id']}" for _, body in answers[:3]]
        shown = lambda path: json.loads(self.as_app(spy, "GET", path)[1])
        for path in tasks:
            eventually(lambda: shown(path)["state"] == "done", "the task is done")
            self.assertEqual(shown(path)["lane"], "local")
        self.assertEqual([shown(path)["privacy"] for path in tasks], ["local-only", "allow", "local-only"])
        why = json.loads(self.as_app(spy, "GET", f"/minimill/v1/why/{shown(tasks[0])['request']}")[1])
        self.assertEqual(why["requests"][0]["app"], "spy")

    def test_task_of_an_app_is_paid_by_its_budget(self):
        key = self.key("mail", "--usd-per-day", 100_000)
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[prices.sim-large]\ninput = 1000000.0\noutput = 1000000.0\n"
                          "[router]\nthreshold = 1.0\n[tasks]\nmax_tokens = 4\n")
        self.serve()
        hard = {"title": "Prove step by step", "notes": "and compare two proofs", "privacy": "allow"}
        status, body = self.as_app(key, "POST", "/minimill/v1/tasks", hard)
        self.assertEqual(status, 201, body)
        path = f"/minimill/v1/tasks/{json.loads(body)['id']}"
        shown = lambda: json.loads(self.as_app(key, "GET", path)[1])
        eventually(lambda: shown()["state"] == "done", "the task is done")

        self.assertEqual(shown()["lane"], "cloud")
        budgets = json.loads(self.run_minimill("budget", "list", "--json").stdout)["budgets"]
        self.assertEqual([each["of"] for each in budgets], ["mail"])
        self.assertGreater(budgets[0]["spent_today_usd"], 1)

    def test_loading_and_unloading_models_is_admitted(self):
        spy = self.key("spy", "--lane", "cloud", "--model", "sim-*", "--requests-per-minute", 1)
        mail = self.key("mail")
        self.serve()
        model = "local"
        for body in ({"model": model, "keep_alive": 0}, {"model": model, "keep_alive": -1}, {"model": model}):
            self.assertEqual(self.as_app(spy, "POST", "/api/generate", body)[0], 403)
        self.assertEqual(self.as_app(spy, "POST", "/api/embed", {"model": model, "input": []})[0], 403)
        self.assertEqual(self.as_app(mail, "POST", "/api/generate", {"model": model})[0], 200)
        status, body = self.as_app(mail, "POST", "/api/generate", {"model": model, "keep_alive": 0})
        self.assertEqual(status, 403, body)

    def test_keys_are_listed_without_their_secret(self):
        key = self.key("mail", "--usd-per-month", 5)
        listed = json.loads(self.run_minimill("key", "list", "--json").stdout)["apps"]
        self.assertEqual((listed[0]["app"], listed[0]["usd_per_month"]), ("mail", 5))
        self.assertNotIn(key, self.run_minimill("key", "list").stdout)
        self.assertEqual(self.run_minimill("key", "remove", "nobody", check=False).returncode, 1)
