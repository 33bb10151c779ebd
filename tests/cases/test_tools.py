"""Calls of tools never merge, vanish or stay unanswered."""

import json
import unittest

from case import CLAUDES_TOOL, FUNCTION, PNG, Case, chunk, completion, user

CALLED = {"role": "assistant", "content": None,
          "tool_calls": [{"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
CLAUDE_CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}


def call(index, id_, arguments):
    return chunk({"tool_calls": [{"index": index, "id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}]})


class Calls(Case):
    def test_two_calls_of_one_index_stay_two(self):
        self.provider.says = [call(0, "call_a", '{"a":1}'), call(0, "call_b", '{"a":2}'), chunk({}, "tool_calls"), "data: [DONE]\n\n"]

        _, stream = self.claude("gpt-x", tools=[CLAUDES_TOOL], stream=True)

        self.assertEqual(stream.count('"type":"tool_use"'), 2, stream)

    def test_answer_with_a_call_ends_by_it_whatever_the_provider_says(self):
        asked = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        self.provider.says = completion({"content": None, "tool_calls": [asked]}, "stop")

        _, answer = self.claude("gpt-x", tools=[CLAUDES_TOOL])

        self.assertEqual(answer["stop_reason"], "tool_use")

    def test_call_without_an_id_gets_one_that_can_be_answered(self):
        self.provider.says = completion({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})

        _, answer = self.claude("gpt-x", tools=[CLAUDES_TOOL])

        self.assertRegex(answer["content"][0]["id"], r"^[a-zA-Z0-9_-]+$")

    def test_id_that_claude_refuses_is_rewritten_in_call_and_result_alike(self):
        self.openai("claude-x", [user("go"), CALLED, {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"}], tools=[FUNCTION])

        asked, answered = (self.sent["messages"][i]["content"][0] for i in (1, 2))
        self.assertRegex(asked["id"], r"^[a-zA-Z0-9_-]+$")
        self.assertEqual(asked["id"], answered["tool_use_id"])

    def test_no_thinking_is_asked_for_in_a_loop_that_began_without(self):
        self.openai("claude-x", [user("go"), CALLED, {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"}],
                    tools=[FUNCTION], reasoning_effort="medium")

        self.assertNotIn("thinking", self.sent)


class Results(Case):
    def test_picture_in_a_tools_result_reaches_a_provider_that_takes_words_there(self):
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
        self.claude("gpt-x", [user("look"), CLAUDE_CALLED, user([{"type": "tool_result", "tool_use_id": "t1", "content": [picture]}])],
                    tools=[CLAUDES_TOOL])

        self.assertIn(PNG, json.dumps(self.sent))

    def test_picture_as_a_functions_output_is_taken(self):
        self.response([user("look"), {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                       {"type": "function_call_output", "call_id": "c1",
                        "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]}])

        self.assertIn(PNG, json.dumps(self.sent))


class Kinds(Case):
    def test_tools_that_openai_runs_itself_are_left_out_and_named(self):
        headers, _ = self.response(tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "web_search"}])

        self.assertEqual(len(self.sent["tools"]), 1)
        self.assertIn("web_search", headers["x-minimill-left-out"])

    def test_custom_tool_is_a_function_of_one_string(self):
        self.response(tools=[{"type": "custom", "name": "apply_patch"}])

        function = self.sent["tools"][0]["function"]
        self.assertEqual((function["name"], list(function["parameters"]["properties"])), ("apply_patch", ["input"]))

    def test_custom_call_of_the_history_is_carried(self):
        self.response([user("go"), {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "x"},
                       {"type": "custom_tool_call_output", "call_id": "c1", "output": "y"}])

        self.assertEqual([each["role"] for each in self.sent["messages"]], ["user", "assistant", "tool"])

    def test_strictness_of_a_tool_arrives(self):
        self.response(tools=[{"type": "function", "name": "f", "strict": True, "parameters": {"type": "object"}}])

        self.assertIs(self.sent["tools"][0]["function"]["strict"], True)

    def test_tools_count_among_the_tokens(self):
        long = {"name": "f", "description": "word " * 400, "input_schema": {"type": "object"}}
        _, without = self.ask("/v1/messages/count_tokens", model="gpt-x", messages=[user("hi")], tools=[])
        _, with_one = self.ask("/v1/messages/count_tokens", model="gpt-x", messages=[user("hi")], tools=[long])

        self.assertGreater(with_one["input_tokens"], without["input_tokens"] + 200)


if __name__ == "__main__":
    unittest.main()
