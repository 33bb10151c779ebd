"""What clients ask before all else, and the words by which they know what went wrong."""

import json
import unittest

from case import Case, completion, user

TOO_LONG = {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096,
                      "message": "the request exceeds the available context size"}}


class FirstQuestions(Case):
    CONFIG = '[[provider]]\nname = "o2"\nbase_url = "URL/v1"\nmodels = ["gpt-x"]\n'

    def test_server_says_that_it_is_there(self):
        for method in ("HEAD", "GET"):
            self.assertEqual(self.request(method, "/")[0], 200, method)

    def test_version_is_one_that_ollamas_clients_take(self):
        version = tuple(map(int, self.get("/api/version")["version"].split(".")))

        self.assertGreaterEqual(version, (0, 13, 4))

    def test_model_that_two_providers_serve_is_listed_once(self):
        listed = [each["id"] for each in self.get("/v1/models")["data"]]
        tagged = [each["name"] for each in self.get("/api/tags")["models"]]

        self.assertEqual((listed.count("gpt-x"), tagged.count("gpt-x")), (1, 1))

    def test_wish_for_a_socket_is_answered_so_that_clients_take_http_at_once(self):
        status, _, _ = self.request("GET", "/v1/responses", None, {"connection": "Upgrade", "upgrade": "websocket",
                                    "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="})

        self.assertEqual(status, 426)


class Compaction(Case):
    def test_conversation_is_summed_up_where_it_is_asked_for(self):
        self.provider.says = completion({"content": "Ann was here."})
        said = user("My name is Ann.")
        for path, items in (("/v1/responses", [said, {"type": "compaction_trigger"}]), ("/v1/responses/compact", [said])):
            with self.subTest(path):
                _, answer = self.ask(path, model="gpt-x", input=items)
                kinds = [item["type"] for item in answer["output"]]
                self.assertEqual(kinds.count("compaction"), 1)

    def test_summary_is_what_the_conversation_goes_on_from(self):
        self.provider.says = completion({"content": "Ann was here."})
        _, answer = self.response([user("My name is Ann."), {"type": "compaction_trigger"}])

        self.response([*answer["output"], user("who?")])

        self.assertIn("Ann was here.", json.dumps(self.sent))


class TooLong(Case):
    CONFIG = '[[engine]]\nname = "eng"\nbase_url = "URL/v1"\n'

    def test_prompt_over_the_context_is_each_protocols_own_error(self):
        self.provider.status, self.provider.says = 400, TOO_LONG
        for path, field, word in (("/v1/messages", "messages", "prompt is too long: 9000 tokens > 4096 maximum"),
                                  ("/v1/responses", "input", "context_length_exceeded"),
                                  ("/v1/chat/completions", "messages", "context_length_exceeded")):
            with self.subTest(path):
                status, _, answer = self.post(path, **{"model": "eng", "max_tokens": 9, field: [user("x")]})
                self.assertEqual(status, 400)
                self.assertIn(word, json.dumps(answer))


if __name__ == "__main__":
    unittest.main()
