"""A provider that counts how many requests it has at once, keeps those that say "hold" until it is told to let go, and refuses,
where it is told to, whatever is too many."""

import http.server
import json
import threading
import time

ANSWER = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


class CountingProvider:
    def __init__(self, takes=1_000_000, service_s=0.0):
        self.takes = takes  # at once; the rest gets 429
        self.service_s = service_s
        self.in_flight = 0
        self.most_in_flight = 0
        self.answered = 0
        self.refused = 0
        self.bodies = []  # of those taken, in the order in which they came
        self.changed = threading.Condition()
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def serve(self, body):
        """The status to answer, once it is time."""
        with self.changed:
            if self.in_flight >= self.takes:
                self.refused += 1
                return 429
            self.bodies.append(body)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.changed.notify_all()
        if "hold" in body:
            self.released.wait()
        time.sleep(self.service_s)
        with self.changed:
            self.in_flight -= 1
            self.answered += 1
        return 200

    def wait_for(self, in_flight, deadline_s=60):
        with self.changed:
            return self.changed.wait_for(lambda: self.in_flight == in_flight, deadline_s)

    def handler(self):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                status = provider.serve(body)
                answer = (ANSWER if status == 200 else '{"error":{"message":"too many at once"}}').encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
