"""One field wrong in type, too large, or missing: the protocol's own error, naming the field; never a crash, never a request sent."""

import copy
import unittest

from case import CLAUDES_TOOL, FUNCTION, PNG, Case, completion, message, user

MISSING = object()
HUGE = 1 << 70
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OPENAI = {"model": "gpt-x", "max_tokens": 9, "temperature": 1, "top_p": 1, "stop": ["x"], "n": 1, "seed": 1, "tools": [FUNCTION],
          "tool_choice": {"type": "function", "function": {"name": "f"}}, "stream": False,
          "messages": [user([{"type": "text", "text": "go"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]),
                       {"role": "assistant", "content": None, "tool_calls": [CALL]},
                       {"role": "tool", "tool_call_id": "c1", "content": "1"}]}
CLAUDE = {"model": "claude-x", "max_tokens": 9, "temperature": 1, "top_p": 1, "top_k": 1, "stop_sequences": ["x"], "tools": [CLAUDES_TOOL],
          "system": [{"type": "text", "text": "s"}], "tool_choice": {"type": "tool", "name": "f"}, "stream": False,
          "messages": [user([{"type": "text", "text": "go"},
                             {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]),
                       {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
                       user([{"type": "tool_result", "tool_use_id": "t1", "content": "1"}])]}
RESPONSE = {"model": "gpt-x", "max_output_tokens": 16, "temperature": 1, "top_p": 1, "instructions": "s", "store": False,
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "custom", "name": "g"}],
            "input": [user([{"type": "input_text", "text": "go"}]),
                      {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                      {"type": "function_call_output", "call_id": "c1", "output": "1"},
                      {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
                      {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"}]}
OLLAMA = {"model": "gpt-x", "stream": False, "tools": [FUNCTION], "options": {"num_predict": 9, "temperature": 1},
          "messages": [{"role": "user", "content": "go", "images": [PNG]}]}

# Path of the field, and what is wrong with it.
TABLE = {
    ("/v1/chat/completions", "openai"): (OPENAI, [
        ("model", 5), ("model", MISSING), ("messages", "go"), ("messages", MISSING), ("messages[0]", 5), ("messages[0].role", 5),
        ("messages[0].role", MISSING), ("messages[0].content", 5), ("messages[0].content[0].text", 5),
        ("messages[0].content[0].text", MISSING), ("messages[0].content[1].image_url", 5),
        ("messages[0].content[1].image_url.url", MISSING), ("messages[1].tool_calls", 5), ("messages[1].tool_calls[0].id", 5),
        ("messages[1].tool_calls[0].id", MISSING), ("messages[1].tool_calls[0].function.name", MISSING),
        ("messages[2].tool_call_id", MISSING), ("tools", 5), ("tools[0].function", 5), ("tools[0].function.name", MISSING),
        ("tool_choice", 5), ("tool_choice.function.name", MISSING), ("max_tokens", "9"), ("max_tokens", HUGE), ("temperature", "hot"),
        ("temperature", HUGE), ("top_p", HUGE), ("stop", 5), ("n", HUGE), ("seed", "x"), ("stream", "yes")]),
    ("/v1/messages", "anthropic"): (CLAUDE, [
        ("model", 5), ("model", MISSING), ("messages", "go"), ("messages", MISSING), ("messages[0].role", 5),
        ("messages[0].content", 5), ("messages[0].content[0].text", 5), ("messages[0].content[0].text", MISSING),
        ("messages[0].content[1].source", MISSING), ("messages[0].content[1].source.data", 5), ("messages[1].content[0].id", MISSING),
        ("messages[1].content[0].input", 5), ("messages[2].content[0].tool_use_id", MISSING), ("messages[2].content[0].content", 5),
        ("system", 5), ("tools", 5), ("tools[0].name", MISSING), ("tools[0].input_schema", 5), ("tool_choice", 5),
        ("max_tokens", MISSING), ("max_tokens", "9"), ("max_tokens", HUGE), ("temperature", "hot"), ("temperature", HUGE),
        ("top_k", HUGE), ("stop_sequences", 5), ("stream", "yes")]),
    ("/v1/responses", "openai"): (RESPONSE, [
        ("model", 5), ("model", MISSING), ("input", 5), ("input", MISSING), ("input[0].role", 5), ("input[0].content", 5),
        ("input[0].content[0].text", MISSING), ("input[1].call_id", MISSING), ("input[1].name", 5), ("input[1].arguments", 5),
        ("input[2].call_id", MISSING), ("input[2].output", 5), ("input[3].input", 5), ("input[4].output", MISSING), ("tools", 5),
        ("tools[0].name", MISSING), ("tools[1].name", MISSING), ("instructions", 5), ("max_output_tokens", "9"),
        ("max_output_tokens", HUGE), ("temperature", HUGE), ("top_p", "x"), ("store", "no")]),
    ("/api/chat", "ollama"): (OLLAMA, [
        ("model", 5), ("model", MISSING), ("messages", "go"), ("messages[0].role", 5), ("messages[0].content", 5),
        ("messages[0].images", 5), ("tools", 5), ("tools[0].function.name", MISSING), ("options", 5),
        ("options.num_predict", "9"), ("options.num_predict", HUGE), ("options.temperature", "hot"), ("stream", "yes")]),
}


def steps_of(path):
    """"a[0].b" → ["a", 0, "b"]"""
    steps = []
    for part in path.split("."):
        name, *indices = part.replace("]", "").split("[")
        steps += [name, *map(int, indices)]
    return steps


def with_fault(request, path, value):
    request = copy.deepcopy(request)
    *way, last = steps_of(path)
    place = request
    for step in way:
        place = place[step]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return request


def said_in(answer, protocol):
    """The error's message, where it is the protocol's own error."""
    if protocol == "ollama":
        return answer["error"]
    error = answer["error"]
    if protocol == "anthropic":
        assert answer["type"] == "error" and error["type"] == "invalid_request_error", answer
        return error["message"]
    assert error["type"] == "invalid_request_error", answer
    return f'{error["message"]} {error["param"]}'


class BadInput(Case):
    def test_requests_without_a_fault_are_taken(self):
        self.provider.by_path = {
            "/v1/chat": completion({"content": None, "tool_calls": [CALL]}, "tool_calls"),
            "/v1/messages": {**message(), "content": [{"type": "tool_use", "id": "t2", "name": "f", "input": {}}],
                             "stop_reason": "tool_use"}}
        for (path, _), (request, _) in TABLE.items():
            with self.subTest(path):
                self.assertEqual(self.post(path, **request)[0], 200)

    def test_every_fault_is_the_protocols_own_error_that_names_the_field(self):
        for (path, protocol), (request, faults) in TABLE.items():
            for field, value in faults:
                with self.subTest(path, field=field, value="missing" if value is MISSING else value):
                    status, _, answer = self.post(path, **with_fault(request, field, value))
                    self.assertEqual(status, 400, answer)
                    self.assertIn(field, said_in(answer, protocol))
        self.assertEqual(self.provider.bodies, [])


if __name__ == "__main__":
    unittest.main()
