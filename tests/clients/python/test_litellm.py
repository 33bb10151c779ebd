import litellm

from harness import (ASK, HI, OPENAI_TOOL, STALLING_MODEL, STORY, URL, VERDICT_SCHEMA, check_text, check_unit,
                     check_verdict, daemon_is_idle, raises, run)

litellm.telemetry = False


def create(model, **options):
    return litellm.completion(model=f"openai/{model}", api_base=f"{URL}/v1", api_key="unused", num_retries=0,
                              max_retries=0, **options)


def chat(lane):
    check_text(lane, create(lane, messages=HI, max_tokens=16).choices[0].message.content)
    anthropic = litellm.completion(model=f"anthropic/{lane}", api_base=URL, api_key="unused", messages=HI, max_tokens=16)
    check_text(lane, anthropic.choices[0].message.content)
    ollama = litellm.completion(model=f"ollama_chat/{lane}", api_base=URL, messages=HI, max_tokens=16)
    check_text(lane, ollama.choices[0].message.content)


def streaming(lane):
    chunks = create(lane, messages=HI, max_tokens=16, stream=True)
    check_text(lane, "".join(chunk.choices[0].delta.content or "" for chunk in chunks))


def tools(lane):
    message = create(lane, messages=ASK, tools=[OPENAI_TOOL], tool_choice="required", max_tokens=200, temperature=0).choices[0].message
    check_unit(message.tool_calls[0].function.arguments)


def structured_output(lane):
    answer = create(lane, messages=HI, max_tokens=200, temperature=0, response_format={
        "type": "json_schema", "json_schema": {"name": "verdict", "schema": VERDICT_SCHEMA, "strict": True}})
    check_verdict(answer.choices[0].message.content)


def embeddings(lane):
    answer = litellm.embedding(model=f"openai/{lane}", api_base=f"{URL}/v1", api_key="unused", input=["one text", "another text"])
    assert len(answer.data) == 2 and len(answer.data[0]["embedding"]) > 8


def errors(lane):
    raises(litellm.BadRequestError, lambda: create(lane, messages=HI, temperature=9), "temperature")
    raises(litellm.NotFoundError, lambda: create("none", messages=HI))


def cancellation(lane):
    stream = create(lane, messages=STORY, max_tokens=600, temperature=0, stream=True)
    next(stream)
    stream.completion_stream.response.close()
    daemon_is_idle()


def time_out(lane):
    model = STALLING_MODEL if lane == "cloud" else lane
    raises(litellm.Timeout, lambda: create(model, messages=STORY, max_tokens=600, temperature=0, timeout=0.03))
    daemon_is_idle()


run("PyPI litellm", {"chat": chat, "streaming": streaming, "tools": tools, "structured output": structured_output,
                     "embeddings": embeddings, "errors": errors, "cancellation": cancellation, "time-out": time_out})
