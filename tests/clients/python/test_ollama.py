import httpx
import ollama

from harness import (ASK, HI, OPENAI_TOOL, STALLING_MODEL, STORY, URL, VERDICT_SCHEMA, check_text, check_unit,
                     check_verdict, daemon_is_idle, raises, run)

client = ollama.Client(host=URL)
LONG = {"num_predict": 600, "temperature": 0}


def chat(lane):
    answer = client.chat(model=lane, messages=HI, options={"num_predict": 16})
    check_text(lane, answer.message.content)
    assert answer.done and answer.eval_count > 0
    check_text(lane, client.generate(model=lane, prompt="hi", options={"num_predict": 16}).response)


def streaming(lane):
    parts = list(client.chat(model=lane, messages=HI, stream=True, options={"num_predict": 16}))
    check_text(lane, "".join(part.message.content or "" for part in parts))
    assert parts[-1].done and parts[-1].total_duration > 0


def tools(lane):  # Ollama has no way to insist: random weights need not call
    answer = client.chat(model=lane, messages=ASK, tools=[OPENAI_TOOL], options={"num_predict": 60})
    for call in answer.message.tool_calls or []:
        check_unit(dict(call.function.arguments))
    assert lane == "local" or answer.message.tool_calls[0].function.name == "get_weather"


def structured_output(lane):
    answer = client.chat(model=lane, messages=HI, format=VERDICT_SCHEMA, options={"num_predict": 200, "temperature": 0})
    check_verdict(answer.message.content)


def embeddings(lane):
    vectors = client.embed(model=lane, input=["one text", "another text"]).embeddings
    assert len(vectors) == 2 and len(vectors[0]) > 8


def errors(lane):
    error = raises(ollama.ResponseError, lambda: client.chat(model=lane, messages=HI, options={"temperature": -1}), "temperature")
    assert error.status_code == 400
    assert raises(ollama.ResponseError, lambda: client.chat(model="none", messages=HI)).status_code == 404


def cancellation(lane):
    stream = client.chat(model=lane, messages=STORY, stream=True, options=LONG)
    next(stream)
    stream.close()
    daemon_is_idle()


def time_out(lane):
    slow = ollama.Client(host=URL, timeout=0.03)
    model = STALLING_MODEL if lane == "cloud" else lane
    raises(httpx.TimeoutException, lambda: slow.chat(model=model, messages=STORY, options=LONG))
    daemon_is_idle()


run("PyPI ollama", {"chat": chat, "streaming": streaming, "tools": tools, "structured output": structured_output,
                    "embeddings": embeddings, "errors": errors, "cancellation": cancellation, "time-out": time_out})
