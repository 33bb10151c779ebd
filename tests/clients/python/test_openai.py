import math

import openai

from harness import (ASK, HI, OPENAI_TOOL, STALLING_MODEL, STORY, URL, VERDICT_SCHEMA, WEATHER_SCHEMA, check_text,
                     check_unit, check_verdict, daemon_is_idle, raises, run)

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0)
create = client.chat.completions.create


def chat(lane):
    answer = create(model=lane, messages=HI, max_tokens=16)
    check_text(lane, answer.choices[0].message.content)
    assert answer.usage.total_tokens > 0


def streaming(lane):
    text, usage = "", None
    for chunk in create(model=lane, messages=HI, max_tokens=16, stream=True, stream_options={"include_usage": True}):
        text += chunk.choices[0].delta.content or "" if chunk.choices else ""
        usage = chunk.usage or usage
    check_text(lane, text)
    assert usage.completion_tokens > 0


def tools(lane):
    options = dict(model=lane, tools=[OPENAI_TOOL], max_tokens=200, temperature=0)
    message = create(messages=ASK, tool_choice="required", **options).choices[0].message
    check_unit(message.tool_calls[0].function.arguments)
    results = [{"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21 degrees"}]
    after = create(messages=[*ASK, message, *results], **options).choices[0].message
    assert lane == "local" or "21 degrees" in after.content


def structured_output(lane):
    answer = create(model=lane, messages=HI, max_tokens=200, temperature=0, response_format={
        "type": "json_schema", "json_schema": {"name": "verdict", "schema": VERDICT_SCHEMA, "strict": True}})
    check_verdict(answer.choices[0].message.content)


def responses(lane):
    first = client.responses.create(model=lane, input="hi", max_output_tokens=16)
    check_text(lane, first.output_text)
    with client.responses.stream(model=lane, input="and?", previous_response_id=first.id, max_output_tokens=16) as stream:
        kinds = [event.type for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds
    called = client.responses.create(model=lane, input="Please use get_weather.", tool_choice="required", temperature=0, max_output_tokens=200,
                                     tools=[{"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA, "strict": True}])
    check_unit(next(item for item in called.output if item.type == "function_call").arguments)


def embeddings(lane):
    data = client.embeddings.create(model=lane, input=["one text", "another text"], dimensions=16).data
    assert [len(each.embedding) for each in data] == [16, 16]
    assert abs(math.hypot(*data[0].embedding) - 1) < 1e-3


def errors(lane):
    error = raises(openai.BadRequestError, lambda: create(model=lane, messages=HI, temperature=9))
    assert error.param == "temperature", error
    raises(openai.NotFoundError, lambda: create(model="none", messages=HI))


def cancellation(lane):
    stream = create(model=lane, messages=STORY, max_tokens=600, temperature=0, stream=True)
    next(iter(stream))
    stream.close()
    daemon_is_idle()


def time_out(lane):
    model = STALLING_MODEL if lane == "cloud" else lane
    raises(openai.APITimeoutError, lambda: create(model=model, messages=STORY, max_tokens=600, temperature=0, timeout=0.03))
    daemon_is_idle()


run("PyPI openai", {"chat": chat, "streaming": streaming, "tools": tools, "structured output": structured_output,
                    "responses": responses, "embeddings": embeddings, "errors": errors, "cancellation": cancellation,
                    "time-out": time_out})
