"""Simon Willison's llm, told of minimill by extra-openai-models.yaml as its documentation says."""

import os
import pathlib
import tempfile

from harness import STALLING_MODEL, URL, VERDICT_SCHEMA, check_text, check_verdict, daemon_is_idle, raises, run

folder = tempfile.TemporaryDirectory(prefix="mm-llm-")
os.environ["LLM_USER_PATH"] = folder.name
os.environ["OPENAI_API_KEY"] = "unused"
pathlib.Path(folder.name, "extra-openai-models.yaml").write_text("".join(
    f"- model_id: mm-{name}\n  model_name: {name}\n  api_base: {URL}/v1\n  supports_schema: true\n  supports_tools: true\n"
    for name in ("local", "cloud", "none", STALLING_MODEL)))

import llm  # noqa: E402 (reads the folder's name when it is imported)
import openai  # noqa: E402


def prompt(name, text, **options):
    stream = options.pop("stream", False)
    return llm.get_model(f"mm-{name}").prompt(text, stream=stream, **options)


def chat(lane):
    check_text(lane, prompt(lane, "hi", max_tokens=16).text())


def streaming(lane):
    check_text(lane, "".join(prompt(lane, "hi", stream=True, max_tokens=16)))


def tools(lane):
    called = []

    def get_weather(unit: bool) -> str:
        """Weather"""
        called.append(unit)
        return "21 degrees"

    # llm cannot insist on a tool: random weights need not call it.
    text = llm.get_model(f"mm-{lane}").chain("Please use get_weather.", tools=[get_weather], stream=False,
                                            options={"max_tokens": 60}).text()
    assert lane == "local" or (called and "21 degrees" in text), (called, text)


def structured_output(lane):
    check_verdict(prompt(lane, "Judge.", schema=VERDICT_SCHEMA, max_tokens=200, temperature=0).text())


def errors(lane):
    raises(openai.NotFoundError, lambda: prompt("none", "hi").text())


def cancellation(lane):
    response = prompt(lane, "Tell me a story.", stream=True, max_tokens=600, temperature=0)
    pieces = iter(response)
    next(pieces)
    del pieces, response
    daemon_is_idle()


run("PyPI llm", {"chat": chat, "streaming": streaming, "tools": tools, "structured output": structured_output,
                 "errors": errors, "cancellation": cancellation})
