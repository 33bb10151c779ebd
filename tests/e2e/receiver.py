"""A webhook's receiver as every webhook's receiver should be: it performs an effect once per Idempotency-Key."""

import http.server
import json
import sys
import threading


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a sender that was killed is what this is for
            super().handle_error(request, client_address)


class Receiver:
    """Serves on loopback; every request is a line of `log`, flushed before it is answered. `answer` may be replaced by a
    function of the request's number (from 1) that gives the status, or None to hang up without an answer."""

    def __init__(self, log):
        self.requests = []  # of (key, body), in order
        self.effects = {}  # key: body, of what was performed
        self.answer = lambda number: 200
        self.changed = threading.Condition()
        self.log = open(log, "a", encoding="utf-8")
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def take(self, key, body):
        """Logs the request, performs its effect unless it was performed before; the status to answer."""
        with self.changed:
            self.requests.append((key, body))
            status = self.answer(len(self.requests))
            performed = key not in self.effects and (status is None or status // 100 == 2)
            if performed:
                self.effects[key] = body
            self.log.write(json.dumps({"key": key, "task": body["id"], "state": body["state"], "performed": performed}) + "\n")
            self.log.flush()
            self.changed.notify_all()
            return status

    def wait_for(self, effects, deadline_s):
        """Whether so many effects have been performed within so many seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.effects) >= effects, deadline_s)

    def handler(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = receiver.take(self.headers["idempotency-key"], body)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-length", "0")
                if status // 100 == 3:
                    self.send_header("location", receiver.url + "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.log.close()
