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

    def test_keys_are_listed_without_their_secret(self):
        key = self.key("mail", "--usd-per-month", 5)
        listed = json.loads(self.run_minimill("key", "list", "--json").stdout)["apps"]
        self.assertEqual((listed[0]["app"], listed[0]["usd_per_month"]), ("mail", 5))
        self.assertNotIn(key, self.run_minimill("key", "list").stdout)
        self.assertEqual(self.run_minimill("key", "remove", "nobody", check=False).returncode, 1)
