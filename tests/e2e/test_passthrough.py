"""A backend of the app's own protocol gets what the app sent and says what it says, whatever minimill knows of it."""

import http.server
import json
import threading

from support import MinimillTest

OPENAI_FRAMES = [
    'data: {"id": "x",  "object":"chat.completion.chunk","created":1,"model":"m-1","odd":[1, 2],"choices":[{"index":0,"delta":{"content":"h\\u00e9"},"finish_reason":null}]}',
    'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop","new":{}}]}',
    'data: [DONE]',
]
OPENAI_USAGE = 'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
OPENAI_WHOLE = '{"id":"x",  "object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hi","odd":1},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"new_in_2027":true}'
ANTHROPIC_FRAMES = [
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}',
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}',
    'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi","odd": 1}}',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}',
    'event: message_stop\ndata: {"type":"message_stop"}',
]
THINKING = [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "hi"}]},
            {"role": "user", "content": "and?"}]


class Upstream(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, dict(self.headers), body))
        openai = self.path.endswith("/chat/completions")
        if body.get("stream"):
            frames = [*OPENAI_FRAMES[:2], OPENAI_USAGE, OPENAI_FRAMES[2]] if openai else ANTHROPIC_FRAMES
            self.answer("text/event-stream", "".join(frame + "\n\n" for frame in frames))
        else:
            self.answer("application/json", OPENAI_WHOLE)

    def answer(self, kind, text):
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Passthrough(MinimillTest):
    def setUp(self):
        super().setUp()
        Upstream.seen.clear()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        self.write_config(f'[[provider]]\nname = "o"\nbase_url = "{url}/v1"\nmodels = ["o-1"]\n'
                          f'[[provider]]\nname = "a"\nprotocol = "anthropic"\nbase_url = "{url}"\nmodels = ["a-1"]\n')
        self.serve()

    def frames_of(self, text):
        return [frame for frame in text.split("\n\n") if frame]

    def test_openai_gets_every_field_and_its_answer_arrives_byte_for_byte(self):
        body = {"model": "o-1", "messages": [{"role": "user", "content": "x", "odd": 1}], "verbosity": "low",
                "new_in_2027": {"deep": [1.5, None]}, "metadata": {"a": "b"}}
        status, headers, text = self.request("POST", "/v1/chat/completions", body)
        self.assertEqual((status, text), (200, OPENAI_WHOLE))
        self.assertEqual(Upstream.seen[-1][2], body)
        self.assertNotIn("x-minimill-left-out", headers)

    def test_openais_frames_arrive_as_they_were_and_token_counts_only_where_asked_for(self):
        body = {"model": "o-1", "messages": [{"role": "user", "content": "x"}], "stream": True}
        _, _, text = self.request("POST", "/v1/chat/completions", body)
        self.assertEqual(self.frames_of(text), OPENAI_FRAMES)
        _, _, text = self.request("POST", "/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
        self.assertEqual(self.frames_of(text), [*OPENAI_FRAMES[:2], OPENAI_USAGE, OPENAI_FRAMES[2]])

    def test_anthropics_thinking_and_cache_marks_are_kept_both_ways(self):
        body = {"model": "a-1", "max_tokens": 4096, "stream": True, "messages": THINKING,
                "thinking": {"type": "enabled", "budget_tokens": 2048}, "context_management": {"edits": []},
                "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}
        _, _, text = self.request("POST", "/v1/messages", body, {"anthropic-beta": "context-management-2025-06-27"})
        path, headers, sent = Upstream.seen[-1]
        self.assertEqual(sent, body)
        self.assertEqual((path, headers["anthropic-beta"]), ("/v1/messages", "context-management-2025-06-27"))
        self.assertEqual(self.frames_of(text), ANTHROPIC_FRAMES)

    def test_another_protocol_hears_what_it_can_and_the_rest_is_named(self):
        body = {"model": "o-1", "max_tokens": 64, "messages": THINKING, "thinking": {"type": "enabled", "budget_tokens": 2048}}
        status, headers, text = self.request("POST", "/v1/messages", body)
        self.assertEqual(status, 200, text)
        self.assertEqual(json.loads(text)["content"], [{"type": "text", "text": "hi"}])
        self.assertEqual(set(headers["x-minimill-left-out"].split(", ")), {"thinking", "cache_control", "thinking blocks"})
        self.assertEqual([message["role"] for message in Upstream.seen[-1][2]["messages"]], ["user", "assistant", "user"])
