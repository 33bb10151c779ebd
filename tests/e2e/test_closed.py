"""What an unlucky or hostile week brings: nobody gets in, nothing gets out, nothing is unbounded."""

import http.server
import json
import sqlite3
import threading
import unittest

from support import MinimillTest, eventually

KEY = "c0ffee0123456789abcdef0123456789"
SECRET = "SECRET-PROMPT"


class Parrot(http.server.BaseHTTPRequestHandler):
    """Refuses every request with its own key and text in the error."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        said = f"no: key {self.headers['authorization']}, part {KEY[:12]}..., you said {asked}"
        body = json.dumps({"error": {"message": said}}).encode()
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ProviderErrors(MinimillTest):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env["ACME_KEY"] = KEY
        self.write_config(f'[[provider]]\nname = "acme"\nbase_url = "http://127.0.0.1:{server.server_port}/v1"\n'
                          'key_env = "ACME_KEY"\nmodels = ["big"]\n[tasks]\nmax_attempts = 1\n')
        self.serve()

    def kept(self):
        data = self.folder / "data" / "minimill"
        with sqlite3.connect(f"file:{data}/minimill.db?mode=ro", uri=True) as db:
            errors = [row[0] for row in db.execute("SELECT error FROM attempts WHERE error <> ''")]
        return errors, (self.folder / "log.txt").read_text(errors="replace")

    def test_error_reaches_the_app_that_asked_without_the_key_and_nobody_else(self):
        status, _, body = self.chat("big", SECRET)
        self.assertEqual(status, 400)
        self.assertIn("acme answered 400", body)
        self.assertNotIn(KEY[:12], body)
        errors, log = eventually(lambda: self.kept() if self.kept()[0] else None, "it is in the ledger")
        self.assertEqual(errors, ["acme answered 400 (invalid_argument)"])
        self.assertNotIn(SECRET, log)

    def test_key_of_a_provider_is_in_no_task_log_or_list_of_providers(self):
        status, _, body = self.request("POST", "/minimill/v1/tasks",
                                       {"id": "t", "title": "Prove step by step that it is even", "notes": SECRET})
        self.assertEqual(status, 201, body)
        eventually(lambda: self.get("/minimill/v1/tasks/t")["state"] in ("failed", "done"), "the task has ended")
        _, log = self.kept()
        for text in (json.dumps(self.get("/minimill/v1/tasks?whole=true")), json.dumps(self.get("/minimill/v1/providers")), log):
            self.assertNotIn(KEY[:12], text)
        self.assertNotIn(SECRET, log)


class Bounds(MinimillTest):
    def test_list_is_without_texts_unless_asked_and_paged_by_bytes(self):
        self.serve()
        late = 4_000_000_000_000
        for i in range(12):
            tasks = {"name": "fat", "tasks": [{"due_ms": late, "task": {"id": f"f{i}", "title": "fat", "notes": 300_000 * "n"}}]}
            self.assertEqual(self.request("POST", "/minimill/v1/runs/fat/tasks", tasks)[0], 201)

        short = self.get("/minimill/v1/tasks?run=fat")
        self.assertEqual(len(short["tasks"]), 12)
        self.assertFalse(any("notes" in task for task in short["tasks"]))

        seen, offset = [], 0
        while offset is not None:
            page = self.get(f"/minimill/v1/tasks?run=fat&whole=true&offset={offset}")
            self.assertLessEqual(len(json.dumps(page)), 1_400_000)
            seen += [task["id"] for task in page["tasks"]]
            offset = page.get("next_offset")
        self.assertEqual(seen, [f"f{i}" for i in range(12)])

    def test_millions_of_tiny_values_are_refused_before_they_are_read(self):
        self.serve()
        body = '{"model": "local", "messages": [{"role": "user", "content": "hi"}], "x": [' + 3_000_000 * "0," + "0]}"
        for path in ("/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/embeddings", "/minimill/v1/tasks"):
            status, _, said = self.request("POST", path, body)
            self.assertEqual(status, 413, said)
            self.assertIn("values", said)

    def test_big_request_holds_nobody_up(self):
        """That the loop was not held is seen in the log, by every test."""
        self.serve()
        status, _, body = self.chat("local", 2_000_000 * "a ", max_tokens=1)
        self.assertIn(status, (400, 413), body)


class Prompts(MinimillTest):
    def test_app_with_a_key_is_not_told_what_an_engine_had_met_before(self):
        self.serve()
        key = self.run_minimill("key", "add", "spy").stdout.strip()
        eventually(lambda: self.chat("local", "hello")[0] == 401, "keys are needed")
        headers = {"authorization": f"Bearer {key}"}
        for _ in range(2):
            status, _, body = self.chat("local", "the same long beginning of a text", headers, max_tokens=2)
            self.assertEqual(status, 200, body)
        answer = json.loads(body)
        self.assertNotIn("timings", answer)
        self.assertEqual(answer["usage"].get("prompt_tokens_details", {}).get("cached_tokens", 0), 0)


class Storage(MinimillTest):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data" / "minimill"

    def test_damaged_file_of_responses_is_set_aside_with_a_sentence(self):
        self.data.mkdir(parents=True, mode=0o700)
        (self.data / "responses.db").write_bytes(b"no database at all" * 1000)
        self.serve()
        status, _, body = self.request("POST", "/v1/responses", {"model": "local", "input": "hello", "max_output_tokens": 2})
        self.assertEqual(status, 200, body)
        self.assertTrue((self.data / "responses.db.damaged").exists())
        self.assertIn("responses.db.damaged", (self.folder / "log.txt").read_text())

    def test_database_that_lost_its_tasks_is_a_refusal_with_advice(self):
        self.serve()
        self.assertEqual(self.request("POST", "/minimill/v1/tasks", {"title": "Copy", "notes": "steel"})[0], 201)
        self.programs[-1].close()
        for path in self.data.glob("minimill.db*"):
            if path.suffix != ".made":
                path.write_bytes(b"")
        done = self.run_minimill("serve", "--listen", "127.0.0.1:0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill.db is empty or gone", done.stderr)
        (self.data / "minimill.db.made").unlink()
        self.serve()


if __name__ == "__main__":
    unittest.main()
