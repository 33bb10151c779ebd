import anthropic

from harness import (ASK, HI, STALLING_MODEL, STORY, URL, VERDICT_SCHEMA, WEATHER_SCHEMA, check_text, check_unit,
                     check_verdict, daemon_is_idle, raises, run)

client = anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0)
create = client.messages.create
TOOLS = [{"name": "get_weather", "description": "Weather", "input_schema": WEATHER_SCHEMA}]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def chat(lane):
    message = create(model=lane, max_tokens=16, system="Be brief.", messages=HI)
    check_text(lane, text_of(message))
    assert message.usage.output_tokens > 0


def streaming(lane):
    with client.messages.stream(model=lane, max_tokens=16, messages=HI) as stream:
        text = "".join(stream.text_stream)
        assert text_of(stream.get_final_message()) == text
    check_text(lane, text)


def tools(lane):
    message = create(model=lane, max_tokens=200, messages=ASK, tools=TOOLS, tool_choice={"type": "any"})
    call = next(block for block in message.content if block.type == "tool_use")
    check_unit(call.input)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]
    after = create(model=lane, max_tokens=16, tools=TOOLS, messages=[
        *ASK, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}])
    assert lane == "local" or "21" in text_of(after)


def structured_output(lane):
    message = create(model=lane, max_tokens=200, messages=HI,
                     output_config={"format": {"type": "json_schema", "schema": VERDICT_SCHEMA}})
    check_verdict(text_of(message))


def counting_tokens(lane):
    assert client.messages.count_tokens(model=lane, messages=HI).input_tokens > 0


def errors(lane):
    raises(anthropic.BadRequestError, lambda: create(model=lane, max_tokens=0, messages=HI), "max_tokens")
    raises(anthropic.NotFoundError, lambda: create(model="none", max_tokens=1, messages=HI))


def cancellation(lane):
    with client.messages.stream(model=lane, max_tokens=600, messages=STORY) as stream:
        next(iter(stream.text_stream))
    daemon_is_idle()


def time_out(lane):
    model = STALLING_MODEL if lane == "cloud" else lane
    raises(anthropic.APITimeoutError, lambda: create(model=model, max_tokens=600, messages=STORY, timeout=0.03))
    daemon_is_idle()


run("PyPI anthropic", {"chat": chat, "streaming": streaming, "tools": tools, "structured output": structured_output,
                       "counting tokens": counting_tokens, "errors": errors, "cancellation": cancellation, "time-out": time_out})
