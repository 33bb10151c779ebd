"""The adversary, over every route there is: a page, an app with a small key, a provider, another user of the machine.

The routes come from GET /openapi.json, so that a new one is attacked from the day on which it appears. tests/e2e says what single
attacks do; here is what none of them may do.
"""

import concurrent.futures
import http.server
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from support import MinimillTest, eventually  # noqa: E402

SECRET = "SECRET-OF-MAIL"
KEY = "c0ffee0123456789abcdef0123456789"
SIM = "[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
ENDLESS = {"/api/pull"}  # would fetch from the network

NONSENSE = [b"", b"{", b"[]", b"null", b'"x"', b"7", b"\xff\xfe", b"{}" * 3, b'{"model": 7}', b'{"model": null, "messages": {}}',
            b'{"model": "local", "messages": [{"role": "user", "content": [[[[]]]]}], "max_tokens": -1}',
            b'{"model": "local", "input": [{}], "messages": [{"role": 1}]}', b'{"title": ["x"], "notes": 1e400}',
            b'{"model": "\\ud83d", "prompt": "\\u0000"}', b'{"a":' * 200 + b"1" + b"}" * 200,
            b'{"max_tokens": 99999999999999999999999999, "model": "local", "messages": [], "temperature": -1e308}']


class Hostile(MinimillTest):
    def routes(self, headers=None):
        """(method, path with braces, audience, whether it takes a chat) of all there are."""
        status, _, body = self.request("GET", "/openapi.json", None, headers)
        self.assertEqual(status, 200, body)
        for path, methods in json.loads(body)["paths"].items():
            for method, about in methods.items():
                schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                yield method.upper(), path, about["x-audience"], "model" in schema.get("required", [])

    def assert_alive(self):
        self.assertIsNone(self.programs[-1].process.poll(), "the daemon has ended")
        self.assertEqual(self.request("GET", "/healthz")[0], 200)


class Page(Hostile):
    def test_changes_nothing_by_any_route(self):
        self.write_config(SIM)
        self.serve()
        for method, path, _, _ in self.routes():
            if method in ("GET", "HEAD"):
                continue
            for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                with self.subTest(f"{method} {path}", headers=headers):
                    self.assertEqual(self.request(method, path.replace("{", "").replace("}", ""), "{}", headers)[0], 403)

    def test_reaches_no_route_under_another_name(self):
        self.serve()
        for method, path, _, _ in self.routes():
            with self.subTest(f"{method} {path}"):
                self.assertEqual(self.request(method, path, None, {"Host": "rebound.example:4177"})[0], 403)


class App(Hostile):
    def setUp(self):
        super().setUp()
        self.write_config(SIM + '[tasks]\nmax_tokens = 4\n')
        self.serve()
        self.mail = {"authorization": "Bearer " + self.run_minimill("key", "add", "mail").stdout.strip()}
        self.spy = {"authorization": "Bearer " + self.run_minimill("key", "add", "spy", "--model", "local").stdout.strip()}
        eventually(lambda: self.request("GET", "/v1/models")[0] == 401 and self.request("GET", "/v1/models", None, self.spy)[0] == 200,
                   "the keys hold")
        late = {"due_ms": 4_000_000_000_000, "task": {"id": "late", "title": SECRET, "notes": SECRET}}
        self.post("/minimill/v1/runs/mails-run/tasks", {"name": SECRET, "tasks": [late]}, 201)
        self.post("/minimill/v1/tasks", {"id": "mails", "title": SECRET, "notes": SECRET}, 201)
        answer = self.post("/v1/responses", {"model": "local", "input": SECRET, "max_output_tokens": 2}, 200)
        self.ids = ["late", "mails", "mails-run", "adhoc:mail", answer["id"], answer["id"].removeprefix("resp_")]

    def post(self, path, body, status):
        got, _, text = self.request("POST", path, body, self.mail)
        self.assertEqual(got, status, text)
        return json.loads(text)

    def paths(self, path):
        if "{" not in path:
            return [path, path + "?run=mails-run", path + "?app=mail"]
        before, _, after = path.partition("{")
        return [before + each + after.partition("}")[2] for each in self.ids]

    def test_sees_and_changes_nothing_of_another_by_any_route(self):
        before = self.request("GET", "/minimill/v1/tasks?whole=true", None, self.mail)[2]
        for method, path, audience, _ in list(self.routes(self.spy)):
            for each in self.paths(path):
                with self.subTest(f"{method} {each}"):
                    status, _, body = self.request(method, each, "{}" if method in ("POST", "PUT") else None, self.spy)
                    self.assertNotIn(SECRET, body)
                    if audience == "owner":
                        self.assertEqual(status, 403, body)
        tasks = json.loads(self.request("GET", "/minimill/v1/tasks?whole=true", None, self.mail)[2])["tasks"]
        self.assertEqual([task["id"] for task in tasks], [task["id"] for task in json.loads(before)["tasks"]])
        self.assertNotIn("cancelled", [task["state"] for task in tasks])
        self.assertEqual(self.request("GET", f"/v1/responses/{self.ids[4]}", None, self.mail)[0], 200)

    def test_without_a_key_there_is_nothing_but_whether_it_is_up(self):
        for method, path, audience, _ in list(self.routes(self.spy)):
            for headers in ({}, {"authorization": "Bearer mm-" + 43 * "A"}):
                with self.subTest(f"{method} {path}"):
                    status = self.request(method, path.replace("{", "").replace("}", ""), "{}" if method == "POST" else None, headers)[0]
                    self.assertEqual(status == 401, audience != "anyone", status)


class Bodies(Hostile):
    def test_nonsense_is_an_error_of_the_one_who_sent_it_by_any_route(self):
        self.write_config(SIM)
        self.serve()
        for method, path, _, _ in list(self.routes()):
            if method not in ("POST", "PUT") or path in ENDLESS:
                continue
            for body in NONSENSE:
                with self.subTest(f"{method} {path}", body=body[:60]):
                    status, headers, said = self.request(method, path.replace("{", "").replace("}", ""), body)
                    self.assertTrue(status < 500 or status in (501, 503), (status, said))
                    if headers["content-type"].startswith("application/json") and said:
                        for line in said.splitlines():
                            json.loads(line)
        self.assert_alive()

    def test_halves_of_requests_hold_nobody_up(self):
        self.serve()
        open_ones = []
        for method, path, _, _ in list(self.routes()):
            for part in (f"{method} {path} HTTP/1.1\r\nHost: local", f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n{{"):
                connection = socket.create_connection(("127.0.0.1", self.port))
                connection.sendall(part.encode())
                open_ones.append(connection)
        self.assert_alive()
        for connection in open_ones:
            connection.close()
        self.assert_alive()


class Misbehaving(http.server.BaseHTTPRequestHandler):
    """Answers as its path says: /WAY/v1/…; whatever it says repeats its key."""

    protocol_version = "HTTP/1.1"
    HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\nconnection: close\r\n"
    WAYS = {
        "closes": b"",
        "no_http": b"\x16\x03\x01" + 500 * b"\0",
        "half_a_head": b"HTTP/1.1 200 OK\r\ncontent-ty",
        "endless_head": HEAD.format("application/json").encode() + 20_000 * b"x-a: 0123456789012345678\r\n",
        "html": HEAD.format("text/html").encode() + b"content-length: 20\r\n\r\n<html>" + 14 * b"x",
        "half_a_body": HEAD.format("application/json").encode() + b'content-length: 9999\r\n\r\n{"choices":[',
        "wrong_json": HEAD.format("application/json").encode() + b'content-length: 16\r\n\r\n{"choices":[{}]}',
        "numbers": HEAD.format("application/json").encode() + b'content-length: 52\r\n\r\n{"choices":7,"usage":{"prompt_tokens":1e400},"id":{}}'[:74],
        "bad_chunks": HEAD.format("text/event-stream").encode() + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
        "half_a_stream": HEAD.format("text/event-stream").encode() + b'\r\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
        "error_in_stream": HEAD.format("text/event-stream").encode() + b'\r\ndata: {"error":{"message":"bad key ' + KEY.encode() + b'"}}\n\n',
        "nonsense_in_stream": HEAD.format("text/event-stream").encode() + b"\r\ndata: {{{\n\ndata: \xff\n\n: x\n\n",
        "refuses": b"HTTP/1.1 401 No\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 58\r\n\r\n"
                   + json.dumps({"error": {"message": "key " + KEY}}).encode(),
    }

    def do_POST(self):  # noqa: N802
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.wfile.write(self.WAYS[self.path.split("/")[1]])
        self.close_connection = True

    def log_message(self, *_):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # the daemon hangs up on an endless head


class Provider(Hostile):
    def setUp(self):
        super().setUp()
        server = Quiet(("127.0.0.1", 0), Misbehaving)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env["HOSTILE_KEY"] = KEY
        self.write_config("".join(
            f'[[provider]]\nname = "{way}"\nbase_url = "http://127.0.0.1:{server.server_port}/{way}/v1"\nkey_env = "HOSTILE_KEY"\n'
            f'models = ["{way}"]\n' for way in Misbehaving.WAYS))
        self.serve()

    def test_costs_an_app_an_error_that_says_so_and_nobody_else_anything(self):
        chats = [(method, path) for method, path, _, is_chat in self.routes() if is_chat and path != "/v1/route"]
        attacks = [(method, path, way, streamed) for method, path in chats
                   for way in (Misbehaving.WAYS if path == "/v1/chat/completions" else ("error_in_stream", "refuses", "nonsense_in_stream"))
                   for streamed in (False, True)]

        def ask(attack):
            method, path, way, streamed = attack
            body = {"model": way, "messages": [{"role": "user", "content": "hello"}], "prompt": "hello", "input": "hello",
                    "max_tokens": 5, "stream": streamed}
            if path == "/v1/responses":
                body = {"model": way, "input": "hello", "stream": streamed}
            status, _, said = self.request(method, path, body)
            return status, said

        with concurrent.futures.ThreadPoolExecutor(16) as pool:  # each is tried again after a while
            answers = list(pool.map(ask, attacks))
        for (method, path, way, streamed), (status, said) in zip(attacks, answers):
            with self.subTest(f"{method} {path}", way=way, streamed=streamed):
                self.assertNotIn(KEY[:8], said)
                if path != "/v1/messages/count_tokens" and way != "half_a_stream":
                    self.assertGreaterEqual(status, 400, said)
                    json.loads(said.splitlines()[0])
        self.assert_alive()
        self.assertNotIn(KEY[:8], (self.folder / "log.txt").read_text(errors="replace"))
        self.assertNotIn(KEY[:8], json.dumps(self.get("/minimill/v1/providers")))
        status, _, body = self.chat("local", "hello", max_tokens=2)
        self.assertEqual(status, 200, body)


class User(Hostile):
    def test_reads_no_file_and_opens_no_socket(self):
        self.serve()
        self.chat("local", SECRET, max_tokens=2)
        data = self.folder / "data" / "minimill"
        for path in [data, *data.rglob("*")]:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and path.suffix != ".gguf":
                self.assertEqual(mode & 0o077, 0, path)

    @unittest.skipUnless(os.getuid() == 0, "only root can act as another user")
    def test_is_let_in_by_no_socket_even_where_the_folders_are_opened(self):
        self.serve()
        self.chat("local", "hello", max_tokens=2)
        run = self.folder / "data" / "minimill" / "run"
        for folder in (self.folder, self.folder / "data", self.folder / "data" / "minimill", run):
            folder.chmod(0o755)
        script = ("import os, socket, sys\nos.setgid(12345); os.setuid(12345)\nfor path in sys.argv[1:]:\n"
                  "    try: socket.socket(socket.AF_UNIX).connect(path); print('in', path)\n    except PermissionError: pass\n")
        done = subprocess.run([sys.executable, "-c", script, *map(str, run.glob("*.sock"))], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
