"""Typed questions with a closed set of answers: by the engine, by the cloud, and by what was learnt from the cloud."""

import json
import random
import time

from support import MinimillTest, eventually

QUEUES = ["billing", "delivery", "passwords"]
WORDS = ["hello", "please", "again", "today", "urgent", "customer", "writes", "thanks", "since", "Monday", "asked", "help"]


def question(kind="choice", **fields):
    asked = {"type": kind, "name": "queue", "instructions": "Which queue is it for?", **fields}
    if kind == "choice":
        asked["choices"] = [{"value": each} for each in QUEUES]
    return asked


def text_about(chance, queue):
    words = chance.sample(WORDS, 5)
    words.insert(chance.randrange(6), queue)
    return " ".join(words) + f" {chance.randrange(1000)}"


class Decisions(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[watch]\nenabled = false\n[sim_cloud]\nenabled = true\nfirst_token_ms = 30\n")
        self.serve()

    def decide(self, model, text, *questions):
        """(headers, body)"""
        status, headers, body = self.request("POST", "/v1/decisions", {"model": model, "input": text, "questions": questions},
                                             {"User-Agent": "decider"})
        self.assertEqual(status, 200, body)
        return headers, json.loads(body)

    def test_engine_weighs_the_options_of_every_kind_of_question(self):
        score = question("score", levels=[{"label": "low"}, {"label": "middle"}, {"label": "high"}])

        headers, decision = self.decide("local", "hello", question(), question("predicate"), score)

        self.assertEqual(headers["x-minimill-lane"], "local")
        choice, predicate, score = decision["answers"]
        for answer in (choice, score):
            self.assertAlmostEqual(sum(each["probability"] for each in answer["probabilities"]), 1)
        self.assertEqual([each["value"] for each in choice["probabilities"]], QUEUES)
        self.assertEqual([each["value"] for each in score["probabilities"]], [0, 1, 2])
        self.assertTrue(0 < predicate["probability"] < 1)
        self.assertEqual(decision["usage"]["output_tokens"], 3)  # one of each: nothing is written
        self.assertEqual(len(self.get("/minimill/v1/status")["engines"]), 1)

    def test_question_the_cloud_answered_is_a_micro_models_later_and_its_options_tell_how_likely_they_are(self):
        chance = random.Random(3)
        self.run_minimill("trace", "keep", "decider", "30d")
        began = time.monotonic()
        headers, decision = self.decide("cloud", text_about(chance, "billing"), question())
        cloud_ms = 1000 * (time.monotonic() - began)
        self.assertEqual((headers["x-minimill-lane"], decision["answers"][0]["choice"]), ("cloud", "billing"))
        for _ in range(160):
            self.decide("cloud", text_about(chance, chance.choice(QUEUES)), question())

        def learnt():
            headers, decision = self.decide("auto", text_about(chance, "delivery"), question())
            return decision if headers["x-minimill-model"] == "micro-model" else self.decide(
                "cloud", text_about(chance, chance.choice(QUEUES)), question()) and None

        decision = eventually(learnt, "the question is learnt")
        answer = decision["answers"][0]
        self.assertEqual((answer["choice"], decision["model"]), ("delivery", "micro-model"))
        self.assertGreater(answer["confidence"], 0.5)
        self.assertAlmostEqual(sum(each["probability"] for each in answer["probabilities"]), 1)
        times = []
        for _ in range(50):
            began = time.monotonic()
            self.decide("auto", text_about(chance, "delivery"), question())
            times.append(1000 * (time.monotonic() - began))
        print(f"\nthe same question: {cloud_ms:.1f} ms by the cloud, {sorted(times)[25]:.1f} ms by the micro-model")
        skill = json.loads(self.run_minimill("skill", "list", "--json").stdout)["skills"][0]
        self.assertEqual((skill["app"], skill["state"]), ("decider", "proven"))
        other = question()
        other["choices"].append({"value": "nobody"})
        headers, _ = self.decide("auto", text_about(chance, "delivery"), other)
        self.assertNotEqual(headers["x-minimill-model"], "micro-model")  # another list of answers is novel

    def test_command_line_decides_and_says_what_is_wrong(self):
        said = self.run_minimill("decide", "Which?", "--choice", "billing", "--choice", "bank", "--model", "cloud", "--json",
                                 input="about billing")
        self.assertEqual(json.loads(said.stdout)["answers"][0]["choice"], "billing")
        self.assertIn("% yes", self.run_minimill("decide", "Is it?", "--model", "local", "--local-only", input="x").stdout)
        missing = self.run_minimill("decide", "Is it?", "--input", self.folder / "none", check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("cannot read", missing.stderr)
        self.assertEqual(self.run_minimill("decide", check=False).returncode, 2)

    def test_wrong_question_is_refused_in_the_protocols_words(self):
        for body, field in (({"model": "auto", "input": "x", "questions": []}, "questions"),
                            ({"model": "auto", "input": "x", "questions": [question("poem")]}, "questions[0].type"),
                            ({"model": "none", "input": "x", "questions": [question()]}, "model")):
            status, _, said = self.request("POST", "/v1/decisions", body)
            error = json.loads(said)["error"]
            self.assertEqual((status, error["param"], error["type"]),
                             (404 if field == "model" else 400, field, "invalid_request_error"))
