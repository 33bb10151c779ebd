import OpenAI, { APIConnectionTimeoutError, APIUserAbortError, BadRequestError, NotFoundError } from "openai";
import {
  assert, checkText, checkUnit, checkVerdict, daemonIsIdle, longChat, run, stallingModel, url, verdictSchema,
  weatherSchema,
} from "./harness.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
const tools = [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: weatherSchema } }];
const ask = [{ role: "user", content: "Please use get_weather." }];

await run("npm openai", {
  chat: async (lane) => {
    const answer = await client.chat.completions.create({
      model: lane, messages: [{ role: "user", content: "hi" }], max_tokens: 16,
    });
    checkText(lane, answer.choices[0].message.content);
    assert.ok(answer.usage.total_tokens > 0);
  },
  streaming: async (lane) => {
    const stream = await client.chat.completions.create({
      model: lane, messages: [{ role: "user", content: "hi" }], max_tokens: 16, stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    checkText(lane, text);
    assert.ok(usage.completion_tokens > 0);
  },
  tools: async (lane) => {
    const answer = await client.chat.completions.create({
      model: lane, messages: ask, tools, tool_choice: "required", max_tokens: 200, temperature: 0,
    });
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, "get_weather");
    checkUnit(JSON.parse(call.function.arguments));
    const after = await client.chat.completions.create({
      model: lane, tools, max_tokens: 16,
      messages: [...ask, answer.choices[0].message, { role: "tool", tool_call_id: call.id, content: "21 degrees" }],
    });
    assert.ok(after.choices[0].message.content || after.choices[0].message.tool_calls);
    if (lane === "cloud") assert.match(after.choices[0].message.content, /21 degrees/);
  },
  "tools streamed": async (lane) => {
    const runner = client.chat.completions.stream({
      model: lane, messages: ask, tools, tool_choice: "required", max_tokens: 200, temperature: 0,
    });
    const message = await runner.finalMessage();
    checkUnit(JSON.parse(message.tool_calls[0].function.arguments));
  },
  "parallel tools": ["cloud", async (lane) => {
    const second = { type: "function", function: { name: "get_time", parameters: weatherSchema } };
    const answer = await client.chat.completions.create({
      model: lane, tools: [...tools, second], messages: [{ role: "user", content: "In parallel: get_weather, get_time" }],
    });
    assert.deepEqual(answer.choices[0].message.tool_calls.map((call) => call.function.name), ["get_weather", "get_time"]);
  }],
  "structured output": async (lane) => {
    const answer = await client.chat.completions.parse({
      model: lane, messages: [{ role: "user", content: "Judge." }], max_tokens: 200, temperature: 0,
      response_format: { type: "json_schema", json_schema: { name: "verdict", strict: true, schema: verdictSchema } },
    });
    checkVerdict(JSON.parse(answer.choices[0].message.content));
  },
  logprobs: async (lane) => {
    const answer = await client.chat.completions.create({
      model: lane, messages: [{ role: "user", content: "hi" }], max_tokens: 4, logprobs: true, top_logprobs: 2,
    });
    const tokens = answer.choices[0].logprobs.content;
    assert.ok(tokens.length > 0 && tokens.every((token) => token.logprob <= 0 && token.top_logprobs.length <= 2));
  },
  "several choices": async (lane) => {
    const answer = await client.chat.completions.create({
      model: lane, messages: [{ role: "user", content: "hi" }], max_tokens: 4, n: 2,
    });
    assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1]);
  },
  completions: async (lane) => {
    const answer = await client.completions.create({ model: lane, prompt: "hi", max_tokens: 12 });
    checkText(lane, answer.choices[0].text);
  },
  responses: async (lane) => {
    const first = await client.responses.create({ model: lane, input: "hi", max_output_tokens: 16 });
    checkText(lane, first.output_text);
    const second = await client.responses.create({
      model: lane, input: "and?", previous_response_id: first.id, max_output_tokens: 16,
    });
    checkText(lane, second.output_text);
    assert.equal((await client.responses.retrieve(second.id)).previous_response_id, first.id);
    await client.responses.delete(first.id);
    await assert.rejects(client.responses.retrieve(first.id), NotFoundError);
  },
  "responses streamed": async (lane) => {
    const stream = await client.responses.create({ model: lane, input: "hi", max_output_tokens: 16, stream: true });
    let text = "";
    let last;
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    assert.ok(["response.completed", "response.incomplete"].includes(last.type), last.type);
    assert.equal(last.response.output_text ?? text, text);
    checkText(lane, text);
  },
  "responses tools": async (lane) => {
    const answer = await client.responses.create({
      model: lane, input: "Please use get_weather.", tool_choice: "required", max_output_tokens: 200, temperature: 0,
      tools: [{ type: "function", name: "get_weather", parameters: weatherSchema, strict: true }],
    });
    const call = answer.output.find((item) => item.type === "function_call");
    checkUnit(JSON.parse(call.arguments));
  },
  embeddings: async (lane) => {
    const answer = await client.embeddings.create({ model: lane, input: ["one text", "another text"], dimensions: 16 });
    assert.deepEqual(answer.data.map((each) => each.embedding.length), [16, 16]);
    const length = Math.hypot(...answer.data[0].embedding);
    assert.ok(Math.abs(length - 1) < 1e-3, `length ${length}`);
  },
  models: ["local", async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(["auto", "local", "cloud"].every((name) => names.includes(name)));
    assert.equal((await client.models.retrieve("auto")).id, "auto");
    await assert.rejects(client.models.retrieve("no/such"), NotFoundError);
  }],
  errors: async (lane) => {
    const wrong = client.chat.completions.create({ model: lane, messages: [{ role: "user", content: "x" }], temperature: 9 });
    await assert.rejects(wrong, (error) => error instanceof BadRequestError && error.param === "temperature");
    await assert.rejects(client.chat.completions.create({ model: "none", messages: [{ role: "user", content: "x" }] }), NotFoundError);
  },
  cancellation: async (lane) => {
    const stream = await client.chat.completions.create({ ...longChat(lane), stream: true });
    for await (const _ of stream) break;
    stream.controller.abort();
    await daemonIsIdle();
    const controller = new AbortController();
    const whole = client.chat.completions.create(longChat(lane), { signal: controller.signal });
    controller.abort();
    await assert.rejects(whole, APIUserAbortError);
    await daemonIsIdle();
  },
  "time-out": async (lane) => {
    const request = lane === "cloud" ? { ...longChat(lane), model: stallingModel } : longChat(lane);
    await assert.rejects(client.chat.completions.create(request, { timeout: 30 }), APIConnectionTimeoutError);
    await daemonIsIdle();
  },
});
