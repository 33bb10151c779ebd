"""What the tests of the Python clients share: each test is a function of the lane ("local" or "cloud", which are also
names of models); each result is printed as a line of JSON."""

import json
import os
import signal
import time
import traceback
import urllib.request

URL = os.environ["MINIMILL_URL"]
STALLING_MODEL = "sim-fault-stall"  # of the simulated cloud: it never answers
LIMIT_S = 60

HI = [{"role": "user", "content": "hi"}]
ASK = [{"role": "user", "content": "Please use get_weather."}]
STORY = [{"role": "user", "content": "Tell me a story."}]

WEATHER_SCHEMA = {"type": "object", "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
                  "required": ["unit"], "additionalProperties": False}
VERDICT_SCHEMA = {"type": "object", "properties": {"good": {"type": "boolean"}, "grade": {"type": "string", "enum": ["a", "b"]}},
                  "required": ["good", "grade"], "additionalProperties": False}
OPENAI_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": WEATHER_SCHEMA}}


def late(*_):
    raise TimeoutError(f"not done within {LIMIT_S} s")


def run(client, tests):
    """`tests`: {feature: test(lane)}, run on both lanes."""
    signal.signal(signal.SIGALRM, late)
    only = os.environ.get("ONLY_FEATURE")
    for feature, test in tests.items():
        for lane in ("local", "cloud"):
            if only and feature != only:
                continue
            began, error = time.monotonic(), None
            signal.alarm(LIMIT_S)
            try:
                test(lane)
            except BaseException:  # whatever a client raises is this test's failure, not the next one's
                error = traceback.format_exc()[-2000:]
            signal.alarm(0)
            print(json.dumps({"client": client, "feature": feature, "lane": lane, "ok": error is None,
                              "ms": round(1000 * (time.monotonic() - began)), "error": error}), flush=True)


def daemon_is_idle():
    """Nothing is under way any more: the daemon has noticed that the client left."""
    until = time.monotonic() + 10
    while True:
        with urllib.request.urlopen(f"{URL}/minimill/v1/status") as answer:
            lanes = json.load(answer)["lanes"]
        if all(lane["running"] == 0 and lane["waiting"] == 0 for lane in lanes):
            return
        assert time.monotonic() < until, f"still under way: {lanes}"


def raises(kind, call, *says):
    """The error, which is of that kind and says each of those."""
    try:
        call()
    except kind as error:
        for text in says:
            assert text in str(error), f"{text!r} is not in {error}"
        return error
    raise AssertionError(f"no {kind}")


def check_text(lane, text):
    """Random weights may say anything; the simulated cloud says that it is one."""
    assert text, "no text"
    assert lane != "cloud" or "simulated" in text, text


def check_unit(arguments):
    values = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert values["unit"] in ("celsius", "fahrenheit"), values


def check_verdict(text):
    verdict = json.loads(text) if isinstance(text, str) else text
    assert isinstance(verdict["good"], bool) and verdict["grade"] in ("a", "b"), verdict
