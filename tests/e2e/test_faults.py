"""What dies, and what survives it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest

from support import MINIMILL, MinimillTest, eventually, events_of, is_alive, text_of


def children_of(pid):
    return [int(line) for line in subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True,
                                                 text=True, check=False).stdout.split()]


class EngineFaults(MinimillTest):
    def test_engine_killed_in_mid_answer_costs_a_retry_and_no_error(self):
        self.serve()
        events = events_of(self.open_stream("local", "Tell me about steel mills", max_tokens=900))
        for _ in range(3):
            next(events)
        killed = self.engine_pid()

        os.kill(killed, signal.SIGKILL)

        text_of(events)  # to its end
        self.assertNotEqual(self.engine_pid(), killed)
        self.assertEqual(self.get("/minimill/v1/status")["engines"][0]["restarts"], 1)

    def test_no_engine_outlives_a_killed_daemon(self):
        daemon = self.serve()
        self.chat("local", "hello", max_tokens=2)
        engine = self.engine_pid()
        self.assertTrue(is_alive(engine))

        daemon.kill()

        eventually(lambda: not is_alive(engine), "llama-server is gone")

    def test_no_engine_outlives_a_stopped_daemon(self):
        daemon = self.serve()
        self.chat("local", "hello", max_tokens=2)
        engine = self.engine_pid()

        daemon.kill(signal.SIGTERM)

        self.assertFalse(is_alive(engine))

    def test_truncated_model_is_a_clear_error(self):
        self.model.write_bytes(self.model.read_bytes()[:200_000])

        done = self.run_minimill("ask", "-m", "local", "hello", check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("truncated", done.stderr)


def is_connecting_to(port):
    """Whether a TCP connect to this port is under way (SYN sent, no answer)."""
    sockets = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(fields[2].endswith(f":{port:04X}") and fields[3] == "02" for fields in sockets)


@unittest.skipUnless(pathlib.Path("/proc/net/tcp").exists(), "needs Linux to see what is connecting")
class ProviderThatConnectsForEver(MinimillTest):
    """A listen queue that is full: connecting neither succeeds nor fails. Giving up on it must harm nobody else."""

    def setUp(self):
        super().setUp()
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        self.port_of_provider = listener.getsockname()[1]
        queued = socket.create_connection(("127.0.0.1", self.port_of_provider))
        self.addCleanup(queued.close)
        engine = self.sim_cloud("--first-token-ms", "1", "--tokens-per-second", "0")
        self.config.write_text(
            f'[[provider]]\nname = "p"\nbase_url = "http://127.0.0.1:{self.port_of_provider}/v1"\nmodels = ["big"]\n'
            f'[local]\nmodel = "mine"\n[[engine]]\nname = "mine"\nbase_url = "{engine}/v1"\n'
            f"[watch]\nenabled = false\n[cloud]\nhedge_budget = 0\n")
        self.serve()

    def assert_local_answers_come_at_once(self):
        took = []

        def ask():
            began = time.monotonic()
            status, _, body = self.chat("local", "x")
            took.append(time.monotonic() - began if status == 200 else body)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        self.assertTrue(all(isinstance(s, float) and s < 5 for s in took), took)

    def test_client_that_hangs_up_meanwhile_harms_nobody(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        body = json.dumps({"model": "big", "stream": True, "messages": [{"role": "user", "content": "x"}]})
        client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
                       f"\r\n\r\n{body}".encode())
        eventually(lambda: is_connecting_to(self.port_of_provider), "the provider is being connected")

        client.close()

        eventually(lambda: not is_connecting_to(self.port_of_provider), "the daemon has given up")
        self.assert_local_answers_come_at_once()

    def test_deadline_that_strikes_meanwhile_harms_nobody(self):
        status, _, body = self.chat("big", "x", {"x-minimill-deadline-ms": "200"})

        self.assertNotEqual(status, 200, body)
        eventually(lambda: not is_connecting_to(self.port_of_provider), "the daemon has given up")
        self.assert_local_answers_come_at_once()


class DaemonFaults(MinimillTest):
    def test_daemon_killed_in_mid_week_loses_nothing(self):
        url = self.sim_cloud("--first-token-ms", "30", "--tokens-per-second", "0")
        self.write_config(f'[[provider]]\nname = "sim"\nbase_url = "{url}/v1"\nmodels = ["sim-large"]\n'
                          f"[tasks]\nmax_tokens = 16\n")
        tasks = [{"id": f"t-{i}", "title": "Copy the word" if i % 2 else "Prove it step by step and compare",
                  "notes": f"The word is steel {i}.", "arrives_s": i} for i in range(60)]
        path = self.write_tasks(tasks)
        daemon = self.serve()
        runner = subprocess.Popen([MINIMILL, "--config", self.config, "run", path, "--speed", "20", "--json"],
                                  env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        report = []
        reader = threading.Thread(target=lambda: report.append(runner.stdout.read()))
        reader.start()
        done = lambda: len(self.get("/minimill/v1/tasks?state=done&limit=1000")["tasks"])
        eventually(lambda: done() >= 10, "some tasks are done")

        daemon.kill()
        before = self.port
        daemon = self.start("serve", "--listen", f"127.0.0.1:{before}")

        reader.join(120)
        runner.wait(5)
        runner.stdout.close()
        figures = json.loads(report[0])["all"]
        self.assertEqual((figures["tasks"], figures["done"], figures["failed"]), (60, 60, 0))

    def test_killed_run_goes_on_where_it_was(self):
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 20\ntokens_per_second = 0\n[tasks]\nmax_tokens = 8\n")
        path = self.write_tasks([{"id": f"t-{i}", "title": "Copy the word", "notes": f"steel {i}", "arrives_s": i}
                                 for i in range(40)])
        arguments = [MINIMILL, "--config", self.config, "run", path, "--speed", "20", "--json"]
        first = subprocess.Popen(arguments, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in first.stderr:
            if not line.startswith("0/"):
                break
        first.kill()
        first.wait()
        first.stderr.close()

        second = self.run_minimill("run", path, "--speed", "20", "--json")

        self.assertIn("Going on with run", second.stderr)
        self.assertEqual(json.loads(second.stdout)["all"]["done"], 40)


class ProviderFaults(MinimillTest):
    def setUp(self):
        super().setUp()
        self.url = self.sim_cloud("--first-token-ms", "1", "--tokens-per-second", "0")
        models = ["sim-large"] + [f"sim-fault-{fault}" for fault in ("401", "429", "500", "garbage", "half-event", "disconnect")]
        for protocol, base in [("openai", self.url + "/v1"), ("anthropic", self.url)]:
            names = [name if protocol == "openai" else name + "-anthropic" for name in models]
            self.config.write_text(self.config.read_text() + (
                f'[[provider]]\nname = "{protocol}"\nprotocol = "{protocol}"\nbase_url = "{base}"\n'
                f"models = {json.dumps(names if protocol == 'openai' else ['sim-anthropic'])}\n"))
        self.serve()

    def test_both_wire_formats_answer(self):
        for model in ("sim-large", "sim-anthropic"):
            status, _, body = self.chat(model, "hello")
            self.assertEqual(status, 200, body)
            self.assertIn("[simulated]", json.loads(body)["choices"][0]["message"]["content"])
            self.assertIn("[simulated]", text_of(events_of(self.open_stream(model, "hello"))))

    def test_each_fault_becomes_the_protocols_own_error(self):
        for fault, expected in [("401", 401), ("500", 502), ("garbage", 502)]:
            status, _, body = self.chat(f"sim-fault-{fault}", "hello")
            self.assertEqual(status, expected, body)
            self.assertTrue(json.loads(body)["error"]["message"])

    def test_rate_limit_says_when_to_come_back(self):
        status, headers, body = self.chat("sim-fault-429", "hello")
        self.assertEqual(status, 429, body)
        self.assertEqual(headers["retry-after"], "1")

    def test_half_an_answer_is_an_error_and_never_an_answer(self):
        for fault in ("half-event", "disconnect"):
            status, _, body = self.chat(f"sim-fault-{fault}", "hello")
            self.assertEqual(status, 502, body)
            events = list(events_of(self.open_stream(f"sim-fault-{fault}", "hello")))
            self.assertIn("error", json.loads(events[-1]))
            self.assertNotIn("[DONE]", events)
