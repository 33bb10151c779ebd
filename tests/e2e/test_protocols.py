"""What is the same in every protocol: headers, refusals, escalation, feedback, overload. The clients of each protocol are
tried in tests/clients."""

import http.client
import json

from support import DEADLINE_S, MinimillTest, eventually, events_of, text_of

HI = [{"role": "user", "content": "hi"}]


class Protocols(MinimillTest):
    CONFIG = "[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n[watch]\nenabled = false\n"

    def setUp(self):
        super().setUp()
        self.write_config(self.CONFIG)
        self.serve()

    def post(self, path, body, headers=None):
        status, headers, text = self.request("POST", path, body, headers)
        return status, headers, json.loads(text)

    def why(self, headers):
        request = headers["x-minimill-request-id"]

        def found():
            status, _, body = self.request("GET", f"/minimill/v1/why/{request}")
            return status == 200 and json.loads(body)["requests"][0]
        return eventually(found, "the request is in the ledger")


class Headers(Protocols):
    def test_what_is_emulated_and_left_out_is_named(self):
        status, headers, answer = self.post("/v1/chat/completions", {
            "model": "local", "messages": HI, "n": 2, "user": "u-1", "max_tokens": 3})
        self.assertEqual((status, len(answer["choices"])), (200, 2))
        self.assertEqual(headers["x-minimill-emulated"], "n")
        self.assertEqual(headers["x-minimill-left-out"], "user")

    def test_who_answered_why_and_at_what_price(self):
        _, headers, _ = self.post("/v1/messages", {"model": "cloud", "messages": HI, "max_tokens": 3})
        for name in ("lane", "model", "reason", "probability", "cost", "queued-ms", "request-id"):
            self.assertTrue(headers[f"x-minimill-{name}"], name)
        self.assertEqual(headers["x-minimill-lane"], "cloud")

    def test_headers_of_the_app_that_are_wrong_are_refused_by_name(self):
        for name, value in [("privacy", "secret"), ("max-cost", "-1"), ("deadline-ms", "soon"), ("trace", "a b")]:
            status, _, answer = self.post("/v1/chat/completions", {"model": "local", "messages": HI},
                                          {f"x-minimill-{name}": value})
            self.assertEqual(status, 400, name)
            self.assertEqual(answer["error"]["param"], f"x-minimill-{name}")

    def test_trace_is_in_the_ledger(self):
        _, headers, _ = self.post("/v1/chat/completions", {"model": "local", "messages": HI, "max_tokens": 2},
                                  {"x-minimill-trace": "job-7"})
        self.assertEqual(self.why(headers)["trace"], "job-7")

    def test_quality_asked_for_decides_the_lane(self):
        for quality, lane in [("0", "local"), ("1", "cloud")]:
            _, headers, _ = self.post("/v1/chat/completions", {
                "model": f"auto:quality={quality}", "messages": HI, "max_tokens": 2})
            self.assertEqual(headers["x-minimill-lane"], lane)
        status, _, answer = self.post("/v1/chat/completions", {"model": "auto:quality=2", "messages": HI})
        self.assertEqual((status, answer["error"]["param"]), (400, "model"))


class Refusals(Protocols):
    def test_field_of_another_protocol_is_named_in_the_apps_own(self):
        wrong = [
            ("/v1/chat/completions", {"model": "local", "messages": "hi"}, "messages"),
            ("/v1/chat/completions", {"model": "local", "messages": HI, "audio": {"voice": "x"}}, "audio"),
            ("/v1/messages", {"model": "local", "messages": HI}, "max_tokens"),
            ("/v1/messages", {"model": "local", "max_tokens": 5, "messages": HI, "container": "c"}, "container"),
            ("/v1/responses", {"model": "local", "input": 5}, "input"),
            ("/v1/completions", {"model": "local", "prompt": "x", "echo": True}, "echo"),
            ("/v1/embeddings", {"model": "local", "input": {}}, "input"),
            ("/api/chat", {"model": "local", "messages": [{"role": "nobody"}]}, "role"),
            ("/api/embed", {"model": "local", "input": 3}, "input"),
        ]
        for path, body, field in wrong:
            status, _, answer = self.post(path, body)
            self.assertEqual(status, 400, (path, answer))
            error = answer["error"]
            said = error if isinstance(error, str) else error.get("param") or error["message"]
            self.assertIn(field, said, path)
            self.assertEqual(path.startswith("/api/"), isinstance(error, str))

    def test_what_is_no_request_at_all(self):
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions", "/v1/embeddings",
                     "/api/chat", "/api/generate", "/api/embed", "/api/show", "/v1/feedback", "/v1/messages/count_tokens"):
            for body in (b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"model": 1e400}', b"[" * 10_000, b'{"a":' * 10_000):
                status, _, text = self.request("POST", path, body)
                self.assertEqual(status, 400, (path, body[:20], text))
                self.assertIn("error", json.loads(text))
        self.assertEqual(self.get("/healthz")["status"], "ok")

    def test_body_of_100_mb_is_refused_before_it_is_sent(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        connection.putrequest("POST", "/v1/messages")
        connection.putheader("content-length", str(100 << 20))
        connection.endheaders()
        response = connection.getresponse()
        self.assertEqual((response.status, json.loads(response.read())["type"]), (413, "error"))

    def test_moderations_are_not_pretended(self):
        status, _, answer = self.post("/v1/moderations", {"input": "x"})
        self.assertEqual((status, answer["error"]["code"]), (501, "unsupported"))

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.request("GET", "/v1/nothing")[0], 404)
        status, headers, _ = self.request("GET", "/v1/messages")
        self.assertEqual((status, headers["allow"]), (405, "POST"))


class Form(Protocols):
    SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

    def ask(self, model, **more):
        return self.post("/v1/chat/completions", {
            "model": model, "messages": HI, "max_tokens": 8, "temperature": 0, **more,
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": self.SCHEMA}}})

    def test_answer_that_does_not_fit_never_gets_through(self):
        # Eight tokens of random weights never close the string.
        status, _, answer = self.ask("local")
        self.assertEqual(status, 502, answer)
        self.assertIn("form", answer["error"]["message"])
        response = self.open_stream("local", "hi", max_tokens=8, response_format={
            "type": "json_schema", "json_schema": {"name": "s", "schema": self.SCHEMA}})
        self.assertEqual(response.status, 502)

    def test_it_escalates_where_the_lane_was_left_open(self):
        status, headers, answer = self.ask("auto:quality=0", max_completion_tokens=40)
        self.assertEqual((status, headers["x-minimill-lane"]), (200, "cloud"), answer)
        self.assertIsInstance(json.loads(answer["choices"][0]["message"]["content"])["text"], str)
        self.assertIn("form", headers["x-minimill-reason"])


class Escalation(Protocols):
    CONFIG = Protocols.CONFIG.replace("enabled = false", "enabled = true\ntokens = 6")

    def test_unsure_answer_goes_to_the_cloud_in_the_middle_and_the_app_does_not_notice(self):
        response = self.open_stream("auto", "hi", max_tokens=40)
        self.assertEqual(response.headers["x-minimill-lane"], "cloud")
        self.assertIn("escalated", response.headers["x-minimill-reason"])
        self.assertTrue(text_of(events_of(response)).startswith("[simulated]"))

        local, cloud = self.why(response.headers)["attempts"]
        self.assertEqual((local["lane"], local["held_tokens"], cloud["lane"]), ("local", 6, "cloud"))
        self.assertGreater(local["held_ms"], 0)
        self.assertIn("escalated", local["error"])
        shown = self.run_minimill("why", response.headers["x-minimill-request-id"]).stdout
        self.assertIn("held back 6 tokens", shown)

    def test_nothing_is_held_where_the_cloud_may_not_answer(self):
        for headers in ({"x-minimill-privacy": "local-only"}, {"x-minimill-max-cost": "0"}):
            status, said, _ = self.chat("auto", "hi", headers, max_tokens=8)
            self.assertEqual((status, said["x-minimill-lane"]), (200, "local"), headers)


class Feedback(Protocols):
    def feedback(self, request, outcome):
        return self.post("/v1/feedback", {"request_id": request, "outcome": outcome})

    def test_router_learns_from_what_apps_say(self):
        def ask():
            return self.post("/v1/chat/completions", {"model": "auto", "messages": HI, "max_tokens": 2})[1]
        before = ask()
        self.assertEqual(before["x-minimill-lane"], "local")
        status, _, answer = self.feedback(before["x-minimill-request-id"], "bad")
        self.assertEqual((status, answer["learnt"]), (200, True))
        after = ask()
        self.assertLess(float(after["x-minimill-probability"]), float(before["x-minimill-probability"]))
        outcomes = self.why(before)["outcomes"]
        self.assertEqual([(each["kind"], each["ok"]) for each in outcomes], [("feedback", False)])

    def test_request_nobody_knows_and_outcomes_that_are_none(self):
        self.assertEqual(self.feedback("req_none", "good")[0], 404)
        self.assertEqual(self.feedback("req_none", "meh")[0], 400)


class Overload(Protocols):
    CONFIG = ("[lanes]\ncloud_slots = 1\nmax_queued = 1\n"
              "[sim_cloud]\nenabled = true\nfirst_token_ms = 60000\ntokens_per_second = 0\n")

    def wait_for(self, running, waiting):
        def reached():
            lane = self.get("/minimill/v1/status")["lanes"][1]
            return (lane["running"], lane["waiting"]) == (running, waiting)
        eventually(reached, f"{running} running, {waiting} waiting")

    def begin(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "cloud", "messages": HI}))
        return connection

    def test_full_queue_is_429_with_when_to_come_again_and_leaving_frees_the_slot(self):
        first = self.begin()
        self.wait_for(1, 0)
        second = self.begin()
        self.wait_for(1, 1)
        status, headers, _ = self.post("/v1/chat/completions", {"model": "cloud", "messages": HI})
        self.assertEqual(status, 429)
        self.assertGreaterEqual(int(headers["retry-after"]), 1)
        first.close()
        self.wait_for(1, 0)
        second.close()
        self.wait_for(0, 0)

    def test_deadline_ends_the_wait(self):
        self.begin()
        self.wait_for(1, 0)
        status, _, _ = self.post("/v1/chat/completions", {"model": "cloud", "messages": HI},
                                 {"x-minimill-deadline-ms": "50"})
        self.assertEqual(status, 504)

    def test_who_waits_is_told_at_once_when_the_daemon_stops(self):
        self.begin()
        self.wait_for(1, 0)
        waiting = self.begin()
        self.wait_for(1, 1)
        self.programs[-1].process.terminate()
        response = waiting.getresponse()
        self.assertEqual(response.status, 503)
        self.assertIn("stopping", json.loads(response.read())["error"]["message"])


class Described(Protocols):
    def test_openapi_document_names_what_is_served(self):
        document = self.get("/openapi.json")
        self.assertTrue(document["openapi"].startswith("3.1"))
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat", "/v1/models/{id}", "/openapi.json"):
            self.assertIn(path, document["paths"])
        chat = document["paths"]["/v1/chat/completions"]["post"]
        self.assertIn("tools", chat["requestBody"]["content"]["application/json"]["schema"]["properties"])
        self.assertIn("x-minimill-lane", chat["responses"]["200"]["headers"])
        # Asked for in a request, and said of an answer.
        self.assertIn("x-minimill-degraded", [parameter["name"] for parameter in chat["parameters"]])
        self.assertIn("x-minimill-degraded", chat["responses"]["200"]["headers"])
        for path, methods in document["paths"].items():
            for method in methods:
                status = self.status_of(method.upper(), path.replace("{id}", "x"), "{}" if method == "post" else None)
                self.assertNotEqual(status, 405, (method, path))
