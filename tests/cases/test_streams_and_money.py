"""Streams survive what streams do, and cost what was used."""

import json
import unittest

from case import Case, chunk, completion, event, message, saying, started, user

PRICED = '[prices."claude-x"]\ninput = 3.0\ncached_input = 0.3\noutput = 15.0\n'
DONE = "data: [DONE]\n\n"
SURVIVED = {
    "a last event without its blank line": [chunk({"content": "hello"}), chunk({}, "stop"), "data: [DONE]\n"],
    "an end without [DONE]": [chunk({"content": "hello"}), chunk({}, "stop")],
    "blanks after [DONE]": [chunk({"content": "hello"}), chunk({}, "stop"), "data: [DONE] \n\n"],
    "empty data to keep it open": ["data:\n\n", chunk({"content": "hello"}), "data: \n\n", chunk({}, "stop"), DONE],
    "chunks without choices": ['data: {"id":"x"}\n\n', chunk({"content": "hello"}), chunk({}, "stop"), DONE],
    "JSON where events were asked for": completion({"content": "hello"}),
}


class Streams(Case):
    def test_what_streams_do_costs_nobody_the_answer(self):
        for what, said in SURVIVED.items():
            for path in ("/v1/chat/completions", "/v1/messages"):
                with self.subTest(what, client=path):
                    self.provider.says = said
                    _, stream = self.ask(path, model="gpt-x", max_tokens=9, stream=True, messages=[user("go")])
                    self.assertIn("hello", stream)
                    self.assertNotIn('"error"', stream)

    def test_half_a_character_is_replaced(self):
        self.provider.says = ['data: {"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}\n\n', chunk({}, "stop"), DONE]

        _, stream = self.claude("gpt-x", stream=True)

        self.assertIn("a\N{REPLACEMENT CHARACTER}", stream)


class AnotherAnswers(Case):
    CONFIG = "".join(f'[[provider]]\nname = "{name}"\nprotocol = "anthropic"\nbase_url = "URL/{name}"\nmodels = ["claude-2"]\n'
                     f'[prices."{name}/claude-2"]\ninput = {price}\noutput = {price}\n' for name, price in (("one", 1.0), ("two", 100.0)))

    def test_provider_that_fails_before_its_first_word_is_no_error_of_the_apps(self):
        self.provider.by_path = {"/one": [started(10), event("error", error={"type": "overloaded_error", "message": "Overloaded"})],
                                 "/two": [started(10), *saying("second")]}
        for path in ("/v1/messages", "/v1/chat/completions"):
            with self.subTest(client=path):
                _, stream = self.ask(path, model="claude-2", max_tokens=9, stream=True, messages=[user("go")])
                self.assertIn("second", stream)
                self.assertNotIn("verloaded", stream)


class Money(Case):
    CONFIG = PRICED

    def test_tokens_written_to_a_cache_cost_what_they_do(self):
        for kept, usd in (("ephemeral_5m_input_tokens", "3.750000"), ("ephemeral_1h_input_tokens", "6.000000")):
            with self.subTest(kept):
                self.provider.says = message(input_tokens=0, output_tokens=0, cache_creation_input_tokens=1_000_000,
                                             cache_creation={kept: 1_000_000})
                headers, _ = self.claude()
                self.assertEqual(headers["x-minimill-cost"], usd)


class Budgets(Case):
    CONFIG = PRICED

    def before_serving(self):
        self.run_minimill("budget", "set", "--usd-per-day", "0.01")

    def test_stream_that_breaks_off_is_paid_for_as_far_as_it_was_told(self):
        self.provider.says = [started(100_000), *saying("word")[:2]]

        _, stream = self.claude(stream=True)

        self.assertIn("error", stream)
        status, _, answer = self.post("/v1/messages", model="claude-x", max_tokens=9, messages=[user("go")])
        self.assertEqual((status, answer["error"]["type"]), (429, "rate_limit_error"), json.dumps(answer))


if __name__ == "__main__":
    unittest.main()
