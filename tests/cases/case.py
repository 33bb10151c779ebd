"""What the cases share: a provider that speaks both protocols and answers as it is told, and the daemon in front of it.

Each test here is one public fault report on a gateway or a local server, as a promise: what the backend would understand arrives,
and what it said comes back."""

import http.server
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from support import MinimillTest  # noqa: E402

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CLAUDES_TOOL = {"name": "f", "input_schema": {"type": "object"}}


def user(content):
    return {"role": "user", "content": content}


def completion(message=None, finish="stop"):
    """OpenAI's whole answer."""
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-x",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok", **(message or {})}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}


def message(**usage):
    """Anthropic's whole answer."""
    return {"id": "m", "type": "message", "role": "assistant", "model": "claude-x", "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5, **usage}}


def chunk(delta, finish=None):
    """A piece of OpenAI's stream."""
    data = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return f"data: {json.dumps(data)}\n\n"


def event(kind, **fields):
    """A piece of Anthropic's stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def started(input_tokens):
    return event("message_start", message={"id": "m", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
                                           "usage": {"input_tokens": input_tokens, "output_tokens": 1}})


def saying(text):
    """The rest of Anthropic's stream."""
    return [event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}),
            event("content_block_stop", index=0),
            event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 1}),
            event("message_stop")]


class ToldProvider:
    """Answers whatever it is asked by `says`: a whole answer, or a list of a stream's pieces. `by_path` says it for what begins so."""

    def __init__(self):
        self.says = None  # the protocol's usual answer
        self.by_path = {}
        self.status = 200
        self.bodies = []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                provider.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                said = next((says for path, says in provider.by_path.items() if self.path.startswith(path)), provider.says)
                if said is None:
                    said = message() if self.path.endswith("/messages") else completion()
                self.send_response(provider.status)
                self.send_header("content-type", "text/event-stream" if isinstance(said, list) else "application/json")
                self.send_header("connection", "close")
                self.end_headers()
                for piece in said if isinstance(said, list) else [json.dumps(said)]:
                    self.wfile.write(piece.encode())
                    self.wfile.flush()

            def do_GET(self):
                self.send_error(404)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Case(MinimillTest):
    """A daemon with two providers: `gpt-x` at one of OpenAI's kind, `claude-x` at one of Anthropic's."""

    CONFIG = ""  # beside them; URL stands for the provider's

    def setUp(self):
        super().setUp()
        self.provider = ToldProvider()
        self.addCleanup(self.provider.close)
        self.config.write_text("[cloud]\nhedge_budget = 0.0\n" + "".join(
            f'[[provider]]\nname = "{name}"\nprotocol = "{protocol}"\nbase_url = "{self.provider.url}{path}"\nmodels = ["{model}"]\n'
            for name, protocol, path, model in (("o", "openai", "/v1", "gpt-x"), ("a", "anthropic", "", "claude-x"))) +
            self.CONFIG.replace("URL", self.provider.url))
        self.before_serving()
        self.serve()

    def before_serving(self):
        pass

    def post(self, path, **body):
        """(status, headers, body): parsed where it is JSON."""
        status, headers, text = self.request("POST", path, body, {"content-type": "application/json"})
        return status, headers, json.loads(text) if headers["content-type"].startswith("application/json") else text

    def ask(self, path, **body):
        status, headers, answer = self.post(path, **body)
        self.assertEqual(status, 200, answer)
        return headers, answer

    def openai(self, model="gpt-x", messages=None, **fields):
        return self.ask("/v1/chat/completions", model=model, messages=messages or [user("go")], **fields)

    def claude(self, model="claude-x", messages=None, **fields):
        return self.ask("/v1/messages", model=model, max_tokens=99, messages=messages or [user("go")], **fields)

    def response(self, items="go", model="gpt-x", **fields):
        return self.ask("/v1/responses", model=model, input=items, **fields)

    @property
    def sent(self):
        """What the provider was sent last."""
        return self.provider.bodies[-1]
