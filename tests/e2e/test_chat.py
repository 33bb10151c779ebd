"""Apps' requests, through the daemon's front door."""

import json
import socket

from support import MinimillTest, eventually, events_of, text_of

EASY = "Copy the order number from this mail: your order 55-201 is on its way. Answer with only the number."
HARD = "Prove step by step that there are infinitely many primes, show your reasoning and compare two proofs."


class Chat(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[watch]\nenabled = false\n")  # random weights are never sure of anything
        self.serve()

    def test_easy_request_is_answered_on_the_device(self):
        status, headers, body = self.chat("auto", EASY, max_tokens=8)

        self.assertEqual(status, 200, body)
        self.assertEqual(headers["x-minimill-lane"], "local")
        self.assertEqual(json.loads(body)["usage"]["completion_tokens"], 8)

    def test_hard_request_goes_to_the_cloud(self):
        status, headers, body = self.chat("auto", HARD)

        self.assertEqual(status, 200, body)
        self.assertEqual(headers["x-minimill-lane"], "cloud")
        self.assertIn("[simulated]", json.loads(body)["choices"][0]["message"]["content"])

    def test_both_lanes_stream(self):
        for text, lane in [(EASY, "local"), (HARD, "cloud")]:
            response = self.open_stream("auto", text, max_tokens=12)

            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["x-minimill-lane"], lane)
            self.assertTrue(text_of(events_of(response)))

    def test_usage_is_reported_in_the_stream_where_asked_for(self):
        response = self.open_stream("local", EASY, max_tokens=5, stream_options={"include_usage": True})

        chunks = [json.loads(data) for data in events_of(response) if data != "[DONE]"]
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 5)

    def test_local_only_request_never_goes_out(self):
        status, headers, _ = self.chat("auto", HARD, {"x-minimill-privacy": "local-only"}, max_tokens=4)
        self.assertEqual((status, headers["x-minimill-lane"]), (200, "local"))

        status, _, body = self.chat("cloud", HARD, {"x-minimill-privacy": "local-only"})
        self.assertEqual(status, 403)
        self.assertIn("local-only", json.loads(body)["error"]["message"])

    def test_every_answer_can_be_explained(self):
        _, headers, _ = self.chat("auto", HARD)
        request = headers["x-minimill-request-id"]

        def explained():
            status, _, body = self.request("GET", f"/minimill/v1/why/{request}")
            return status == 200 and json.loads(body)["requests"][0]

        why = eventually(explained, "the ledger has the request")
        self.assertEqual(why["lane"], "cloud")
        self.assertTrue(any("step by step" in reason["text"] for reason in why["reasons"]))
        self.assertGreater(why["attempts"][0]["cost_usd"], 0)

    def test_bad_input_gets_a_4xx_that_names_the_field(self):
        for body, field in [
            ("{", None),
            ("[]", None),
            ({"messages": []}, "model"),
            ({"model": "auto"}, "messages"),
            ({"model": "auto", "messages": []}, "messages"),
            ({"model": "auto", "messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
            ({"model": "auto", "messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
            ({"model": "auto", "messages": [{"role": "user", "content": "x"}], "temperature": 9}, "temperature"),
            ({"model": "auto", "messages": [{"role": "user", "content": "x"}], "stop": 3}, "stop"),
            ({"model": "no-such", "messages": [{"role": "user", "content": "x"}]}, "model"),
            ("[" * 10000, None),
            (b'{"model": "\xff\xfe"}', None),
        ]:
            status, _, answer = self.request("POST", "/v1/chat/completions", body)
            self.assertIn(status, (400, 404), answer)
            error = json.loads(answer)["error"]
            self.assertEqual(error["param"], field, answer)

    def test_other_paths_and_methods_get_the_protocols_error(self):
        status, _, body = self.request("GET", "/v1/chat/completions")
        self.assertEqual(status, 405)
        self.assertIn("POST", json.loads(body)["error"]["message"])

        status, _, body = self.request("GET", "/v1/nothing")
        self.assertEqual(status, 404)
        self.assertIn("error", json.loads(body))

    def test_foreign_host_header_is_refused(self):
        status, _, _ = self.request("GET", "/v1/models", headers={"Host": "evil.example"})
        self.assertEqual(status, 403)

    def test_client_that_leaves_frees_its_slot(self):
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            body = json.dumps({"model": "local", "stream": True, "max_tokens": 900,
                               "messages": [{"role": "user", "content": "go on"}]})
            client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            self.assertIn(b"200 OK", client.recv(100))

        def idle():
            return self.get("/minimill/v1/status")["lanes"][0]["running"] == 0

        eventually(idle, "the local lane is idle again")
