"""What the end-to-end tests share: the real binary in a folder of its own."""

import http.client
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time
import unittest

MINIMILL = os.environ["MINIMILL"]
TINY_GGUF = os.environ["MINIMILL_TINY_GGUF"]
DEADLINE_S = 60  # generous: sanitizers and busy machines


def eventually(condition, what):
    """Waits until `condition` gives something true; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        select.select([], [], [], 0.02)
    raise AssertionError(f"not within {DEADLINE_S} s: {what}")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie has ended
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not pathlib.Path("/proc/self").exists()


class Program:
    """A minimill subcommand that serves; its first lines say where."""

    def __init__(self, arguments, env, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen([MINIMILL, *arguments], env=env, stdout=subprocess.PIPE, stderr=self.log)
        self.first_line = self.process.stdout.readline().decode()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)

    def close(self):
        if self.process.poll() is None:
            self.kill(signal.SIGTERM)
        self.process.stdout.close()
        self.log.close()


class MinimillTest(unittest.TestCase):
    """A test with a data folder, a tiny model and helpers around the binary."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mm-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.env = {**os.environ, "XDG_DATA_HOME": str(self.folder / "data"),
                    "XDG_CONFIG_HOME": str(self.folder / "config"), "NO_COLOR": "1"}
        self.model = self.folder / "tiny.gguf"
        subprocess.run([TINY_GGUF, self.model], check=True)
        self.config = self.folder / "minimill.toml"
        self.programs = []  # started by this test, oldest first
        self.write_config()

    def write_config(self, text=""):
        self.config.write_text(f'[local]\nmodel = "{self.model}"\ncontext_tokens = 1024\n{text}')

    def run_minimill(self, *arguments, check=True, **options):
        done = subprocess.run([MINIMILL, "--config", self.config, *map(str, arguments)], env=self.env,
                              capture_output=True, text=True, timeout=4 * DEADLINE_S, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments):
        program = Program(["--config", str(self.config), *arguments], self.env, self.folder / "log.txt")
        self.addCleanup(program.close)
        self.programs.append(program)
        return program

    def tearDown(self):
        """Nothing that a test does may hold the daemon's event loop: then nobody else is served."""
        log = self.folder / "log.txt"
        held = [line for line in log.read_text(errors="replace").splitlines() if "event loop was held" in line] if log.exists() else []
        self.assertEqual(held, [])
        super().tearDown()

    def serve(self, *arguments):
        """The daemon, listening; `self.port` is set."""
        program = self.start("serve", "--listen", "127.0.0.1:0", *arguments)
        self.assertIn("listens on", program.first_line, (self.folder / "log.txt").read_text())
        self.port = int(program.first_line.split("http://127.0.0.1:")[1].split("/")[0])
        return program

    def sim_cloud(self, *arguments):
        """A simulated provider; returns its base URL."""
        program = self.start("sim-cloud", *arguments)
        return program.first_line.split(" on ")[1].strip()

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode(errors="replace")
        finally:
            connection.close()

    def status_of(self, method, path, body=None):
        """Its status alone: an event stream has no end to read to."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body)
            return connection.getresponse().status
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.request("GET", path)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def chat(self, model, text, headers=None, **fields):
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.request("POST", "/v1/chat/completions", body, headers)

    def open_stream(self, model, text, **fields):
        """The response of a streamed chat, headers read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": text}], **fields}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        return connection.getresponse()

    def write_tasks(self, tasks, name="tasks.jsonl"):
        path = self.folder / name
        path.write_text("".join(json.dumps(task) + "\n" for task in tasks))
        return path

    def engine_pid(self):
        engines = self.get("/minimill/v1/status")["engines"]
        return engines[0]["pid"] if engines else 0


def events_of(response):
    """The data of each server-sent event, as it comes."""
    for line in response:
        text = line.decode().strip()
        if text.startswith("data: "):
            yield text[len("data: "):]


def text_of(events):
    """What the chunks of a streamed answer say together."""
    said = ""
    for data in events:
        if data == "[DONE]":
            return said
        for choice in json.loads(data)["choices"]:
            said += choice["delta"].get("content") or ""
    raise AssertionError(f"the stream ended without [DONE] after {said!r}")
