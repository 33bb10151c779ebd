"""What others on this machine, and pages in its browser, can do to minimill: nothing."""

import http.client
import json
import os
import socket
import stat
import subprocess
import unittest

from support import MINIMILL, MinimillTest, eventually

EVIL = "https://evil.example"


class Pages(MinimillTest):
    """Any page of the web may have a browser POST to this machine without asking."""

    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n")

    def changing_routes(self):
        for path, methods in self.get("/openapi.json")["paths"].items():
            for method in methods:
                if method in ("post", "put", "delete", "patch"):
                    yield method.upper(), path.replace("{", "").replace("}", "")

    def test_page_of_another_site_can_use_no_route_that_changes_anything_or_costs_money(self):
        self.serve()
        routes = list(self.changing_routes())
        self.assertGreater(len(routes), 20)
        for method, path in routes:
            for headers in ({"Origin": EVIL, "Content-Type": "text/plain"}, {"Origin": "null"},
                            {"Origin": EVIL, "Content-Type": "application/json"},
                            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
                with self.subTest(f"{method} {path}", headers=headers):
                    status, _, body = self.request(method, path, "{}", headers)
                    self.assertEqual(status, 403, body)
                    self.assertIn("origins", body)
        for method, path in routes:
            if method == "POST":
                for kind in ("text/plain", "multipart/form-data; boundary=x"):
                    with self.subTest(f"{method} {path}", kind=kind):
                        status, _, body = self.request(method, path, "{}", {"Content-Type": kind})
                        self.assertEqual(status, 400, body)
                        self.assertIn("application/json", body)

    def test_a_key_changes_nothing_of_that(self):
        self.serve()
        key = self.run_minimill("key", "add", "mail").stdout.strip()
        eventually(lambda: self.chat("cloud", "hello")[0] == 401, "keys are needed")
        status, _, body = self.chat("cloud", "hello", {"authorization": f"Bearer {key}", "Origin": EVIL})
        self.assertEqual(status, 403, body)

    def test_programs_and_invited_pages_are_served(self):
        self.config.write_text(self.config.read_text() + '[server]\norigins = ["https://app.example"]\n')
        self.serve()
        for headers in ({}, {"Content-Type": "application/json"},
                        {"Content-Type": "application/x-www-form-urlencoded"},  # curl -d
                        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "cross-site"},
                        {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin"},
                        {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}):
            status, _, body = self.chat("cloud", "hello", headers)
            self.assertEqual(status, 200, (headers, body))

    def test_over_http_only_known_models_are_pulled(self):
        self.serve()
        status, _, body = self.request("POST", "/api/pull", {"model": "hf.co/attacker/repo/evil.gguf"})
        self.assertEqual(status, 403, body)
        self.assertIn("minimill pull", body)


class Headers(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n")
        self.serve()

    def send(self, lines):
        body = json.dumps({"model": "cloud", "messages": [{"role": "user", "content": "hello"}]})
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall("\r\n".join(["POST /v1/chat/completions HTTP/1.1", "Host: localhost", *lines,
                                            f"Content-Length: {len(body)}", "", body]).encode("latin-1"))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.headers, answer.read().decode()

    def test_privacy_that_is_given_twice_is_refused(self):
        status, _, body = self.send(["x-minimill-privacy: allow", "X-Minimill-Privacy: local-only"])
        self.assertEqual(status, 400, body)
        self.assertIn("twice", body)

    def test_name_of_a_program_is_kept_short_and_readable(self):
        status, headers, body = self.send(["User-Agent: \xff" + 20_000 * "x"])
        self.assertEqual(status, 200, body)
        request = headers["x-minimill-request-id"]
        why = eventually(lambda: json.loads(self.run_minimill("why", request, "--json").stdout).get("requests"),
                         "the request is in the ledger")
        self.assertEqual(why[0]["app"], "?" + 127 * "x")

    def test_path_that_is_no_text_is_answered_in_text(self):
        status, _, body = self.request("GET", "/%ff%fe")
        self.assertEqual(status, 404)
        self.assertIn("nothing answers GET /??", json.loads(body)["error"]["message"])


def open_to_others(folder):
    """What in the folder somebody else may look at."""
    return [str(path) for path in [folder, *folder.rglob("*")] if path.lstat().st_mode & 0o077
            and not stat.S_ISLNK(path.lstat().st_mode) and path.suffix != ".gguf"]  # a link to the user's own


class Files(MinimillTest):
    def setUp(self):
        super().setUp()
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.data = self.folder / "data" / "minimill"

    def use(self):
        self.serve()
        self.request("POST", "/minimill/v1/tasks", {"title": "Copy the word", "notes": "steel"})
        self.request("POST", "/v1/responses", {"model": "local", "input": "hello", "max_output_tokens": 2})

    def test_whichever_command_is_first_nobody_else_can_read_what_is_kept(self):
        for first in (["pull", self.model], ["key", "list"], ["status"]):
            with self.subTest(first=first[0]):
                self.run_minimill(*first, check=False)
        self.use()
        self.assertTrue((self.data / "minimill.db").exists() and (self.data / "responses.db").exists())
        self.assertEqual(open_to_others(self.data), [])

    def test_what_was_open_to_others_before_is_closed(self):
        self.use()
        self.programs[-1].close()
        for path in [self.data, *self.data.iterdir()]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.serve()
        self.assertEqual([path for path in open_to_others(self.data) if "/run/" not in path], [])

    @unittest.skipUnless(os.getuid() == 0, "only root can act as another user")
    def test_folder_of_another_user_is_refused(self):
        self.data.mkdir(parents=True)
        os.chown(self.data, 12345, 12345)
        done = subprocess.run([MINIMILL, "--config", self.config, "serve", "--listen", "127.0.0.1:0"], env=self.env,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("belongs to the user 12345", done.stderr)

    @unittest.skipUnless(os.getuid() == 0, "only root can act as another user")
    def test_socket_folder_that_another_user_made_first_is_not_used(self):
        temporary = self.folder / "tmp"
        temporary.mkdir()
        self.env["TMPDIR"] = str(temporary)
        self.env["XDG_DATA_HOME"] = str(self.folder / (80 * "x"))  # too long for a socket's path
        self.serve()
        (taken,) = temporary.iterdir()
        self.programs[-1].close()
        for path in taken.iterdir():
            path.unlink()
        os.chown(taken, 12345, 12345)
        taken.chmod(0o777)

        self.serve()

        self.assertEqual(list(taken.iterdir()), [])
        self.run_minimill("status")  # finds the daemon's socket


class Privacy(MinimillTest):
    HARD = {"title": "Prove step by step", "notes": "that the sum of two odd numbers is even; compare two proofs"}

    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[tasks]\nmax_tokens = 4\n[router]\nthreshold = 1.0\n")

    def outcome_of(self, task):
        status, _, body = self.request("POST", "/minimill/v1/tasks", task)
        self.assertEqual(status, 201, body)
        path = f"/minimill/v1/tasks/{json.loads(body)['id']}"
        eventually(lambda: self.get(path)["state"] == "done", "the task is done")
        return self.get(path)

    def test_default_of_the_configuration_holds_for_tasks_that_say_nothing(self):
        self.config.write_text(self.config.read_text() + '[privacy]\ndefault = "local-only"\n')
        self.serve()
        done = self.outcome_of(self.HARD)
        self.assertEqual((done["privacy"], done["lane"]), ("local-only", "local"))
        self.assertEqual(self.outcome_of({**self.HARD, "privacy": "allow"})["lane"], "cloud")
        status, _, body = self.request("POST", "/minimill/v1/tasks", {**self.HARD, "notify": "https://far.example/x"})
        self.assertEqual(status, 400, body)

    def test_label_that_held_is_kept_with_the_task(self):
        self.serve()
        done = self.outcome_of(self.HARD)
        self.assertEqual((done["privacy"], done["lane"]), ("allow", "cloud"))

    def test_conversation_is_as_private_as_its_most_private_turn(self):
        self.serve()
        status, _, body = self.request("POST", "/v1/responses",
                                       {"model": "local", "input": "my diagnosis", "max_output_tokens": 2},
                                       {"x-minimill-privacy": "local-only"})
        self.assertEqual(status, 200, body)
        before = json.loads(body)["id"]
        following = {"input": "and now translate", "previous_response_id": before, "max_output_tokens": 2}

        status, _, body = self.request("POST", "/v1/responses", {"model": "cloud", **following})
        self.assertEqual(status, 403, body)
        self.assertIn("local-only", body)
        status, headers, body = self.request("POST", "/v1/responses", {"model": "auto", **following})
        self.assertEqual((status, headers["x-minimill-lane"]), (200, "local"), body)
        status, _, body = self.request("POST", "/v1/responses",
                                       {"model": "cloud", **following, "previous_response_id": json.loads(body)["id"]})
        self.assertEqual(status, 403, body)
