"""What may stand in a message arrives as the backend understands it, and what a provider would refuse is mended where it means the same."""

import unittest

from case import CLAUDES_TOOL, FUNCTION, PDF, Case, user

OWN_TO_OPENAI = {
    "a file": {"messages": [user([{"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}])]},
    "sound": {"messages": [user([{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}])]},
    "allowed tools": {"messages": [user("go")], "tools": [FUNCTION], "tool_choice": {
        "type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
    "a custom tool": {"messages": [user("go")], "tools": [{"type": "custom", "custom": {"name": "f"}}]},
}
OWN_TO_ANTHROPIC = {
    "a document": {"messages": [user([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}])]},
    "a search result": {"messages": [user([{"type": "search_result", "source": "s", "title": "t",
                                            "content": [{"type": "text", "text": "x"}]}, {"type": "text", "text": "go"}])]},
    "a tool of its own": {"messages": [user("go")], "tools": [{"type": "web_search_20250305", "name": "web_search"}]},
}


class OwnProtocol(Case):
    def test_what_the_apps_own_provider_understands_is_passed(self):
        for what, fields in OWN_TO_OPENAI.items():
            with self.subTest(what):
                self.openai(**fields)
                self.assertEqual({key: self.sent[key] for key in fields}, fields)
        for what, fields in OWN_TO_ANTHROPIC.items():
            with self.subTest(what):
                self.claude(**fields)
                self.assertEqual({key: self.sent[key] for key in fields}, fields)

    def test_what_another_protocols_provider_cannot_know_is_refused_by_its_place(self):
        status, _, answer = self.post("/v1/chat/completions", model="claude-x", **OWN_TO_OPENAI["sound"])

        self.assertEqual((status, answer["error"]["param"]), (400, "messages[0].content[0].type"))


class Mended(Case):
    def test_document_that_was_sent_as_a_picture_is_a_document(self):
        self.openai("claude-x", [user([{"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}}])])

        self.assertEqual(self.sent["messages"][0]["content"][0]["type"], "document")

    def test_stop_sequences_of_blanks_are_kept_from_claude_and_named(self):
        headers, _ = self.openai("claude-x", stop=["\n", "END"])

        self.assertEqual(self.sent["stop_sequences"], ["END"])
        self.assertIn("stop", headers["x-minimill-left-out"])

    def test_beginning_of_the_answer_ends_without_blanks_for_claude(self):
        self.openai("claude-x", [user("go"), {"role": "assistant", "content": "It is: "}])

        self.assertEqual(self.sent["messages"][1]["content"][0]["text"], "It is:")

    def test_text_of_blanks_is_left_out_for_claude(self):
        called = {"role": "assistant", "content": " \n",
                  "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
        self.openai("claude-x", [{"role": "system", "content": " "}, user("go"), called,
                                 {"role": "tool", "tool_call_id": "c1", "content": "1"}], tools=[FUNCTION])

        self.assertNotIn("system", self.sent)
        self.assertEqual([block["type"] for block in self.sent["messages"][1]["content"]], ["tool_use"])

    def test_no_thinking_is_not_said_to_who_may_not_know_the_word(self):
        self.ask("/api/chat", model="gpt-x", stream=False, think=False, messages=[user("go")])

        self.assertNotIn("reasoning_effort", self.sent)


class NewerNames(Case):
    CONFIG = '[[provider]]\nname = "openai"\nbase_url = "URL/v1"\nkey_env = "HOME"\nmodels = ["gpt-5-mini"]\n'

    def test_limit_goes_by_the_name_that_the_provider_takes(self):
        self.claude("gpt-5-mini")
        self.assertEqual((self.sent.get("max_tokens"), self.sent["max_completion_tokens"]), (None, 99))
        self.response(model="gpt-5-mini", max_output_tokens=99)
        self.assertEqual((self.sent.get("max_tokens"), self.sent["max_completion_tokens"]), (None, 99))


class StrictTemplates(Case):
    CONFIG = '[[engine]]\nname = "eng"\nbase_url = "URL/v1"\n'

    def test_engine_gets_one_system_message_at_the_beginning(self):
        self.response([{"role": "developer", "content": "D"}, user("hi")], model="eng", instructions="I")

        self.assertEqual([each["role"] for each in self.sent["messages"]], ["system", "user"])


class LeftOut(Case):
    def test_what_minimill_honours_itself_is_not_said_to_be_left_out(self):
        headers, _ = self.response(store=False)

        self.assertNotIn("store", headers["x-minimill-left-out"] or "")

    def test_claudes_tools_reach_a_provider_of_openais_kind(self):
        self.claude("gpt-x", tools=[CLAUDES_TOOL])

        self.assertEqual(self.sent["tools"][0]["function"]["name"], "f")


if __name__ == "__main__":
    unittest.main()
