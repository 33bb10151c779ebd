"""The newest openai, whose Decisions the older one beside litellm does not have: the same question by each lane, then by what was
learnt from the cloud's answers."""

import json
import random
import sys
import time
import urllib.request

import openai

from harness import URL, raises, run

APP = "decisions-python"
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0, default_headers={"User-Agent": APP})
QUEUES = ["billing", "delivery", "passwords"]
WORDS = "hello please again today urgent customer writes thanks since Monday asked help".split()
QUESTION = {"type": "choice", "name": "queue", "instructions": "Which queue is it for?", "choices": [{"value": each} for each in QUEUES]}
chance = random.Random(11)


def text_about(queue):
    words = chance.sample(WORDS, 5)
    words.insert(chance.randrange(6), queue)
    return " ".join(words) + f" {chance.randrange(1000)}"


def decide(model, queue):
    """(answer, model, ms)"""
    began = time.monotonic()
    decision = client.decisions.create(model=model, input=text_about(queue), questions=[QUESTION])
    return decision.answers[0], decision.model, 1000 * (time.monotonic() - began)


def decisions(lane):
    decision = client.decisions.create(model=lane, input=[{"role": "user", "content": "about billing"}], questions=[
        QUESTION, {"type": "predicate", "instructions": "It is urgent."},
        {"type": "score", "instructions": "How urgent?", "levels": [{"label": "low"}, {"label": "high"}]}])
    choice, predicate, score = decision.answers
    assert (choice.type, choice.name, choice.choice in QUEUES) == ("choice", "queue", True), choice
    assert abs(sum(each.probability for each in choice.probabilities) - 1) < 1e-6
    assert 0 <= predicate.probability <= 1 and 0 <= score.score <= 1 and [each.value for each in score.probabilities] == [0, 1]
    assert lane != "cloud" or choice.choice == "billing"
    assert decision.usage.total_tokens > 0


def decisions_learnt(lane):
    if lane == "local":
        return  # nothing is learnt from the device
    rule = json.dumps({"app": APP, "what": "all"}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{URL}/minimill/v1/traces/keep", rule, {"content-type": "application/json"}))
    answer, _, cloud_ms = decide("cloud", "delivery")
    assert answer.choice == "delivery", answer
    for _ in range(120):
        decide("cloud", chance.choice(QUEUES))
    model = ""
    while model != "micro-model":  # the harness ends it where it never comes
        decide("cloud", chance.choice(QUEUES))
        answer, model, _ = decide("auto", "delivery")
    assert answer.choice == "delivery" and answer.confidence > 0.5, answer
    times = sorted(decide("auto", "delivery")[2] for _ in range(50))
    print(f"{APP}: the same question in {cloud_ms:.1f} ms by the cloud, {times[25]:.1f} ms by the micro-model", file=sys.stderr)


def decision_errors(lane):
    wrong = {"type": "choice", "instructions": "Which?", "choices": [{"value": "a"}]}
    error = raises(openai.BadRequestError, lambda: client.decisions.create(model=lane, input="x", questions=[wrong]))
    assert error.param == "questions[0].choices", error.param


run("openai newest (Python)", {"decisions": decisions, "decisions learnt": decisions_learnt, "decision errors": decision_errors})
