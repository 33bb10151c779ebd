import Anthropic, { APIConnectionTimeoutError, BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import {
  assert, checkText, checkUnit, checkVerdict, daemonIsIdle, longChat, run, stallingModel, url, verdictSchema,
  weatherSchema,
} from "./harness.mjs";

const client = new Anthropic({ baseURL: url, apiKey: "unused", maxRetries: 0 });
const tools = [{ name: "get_weather", description: "Weather", input_schema: weatherSchema }];
const ask = [{ role: "user", content: "Please use get_weather." }];
const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

await run("npm @anthropic-ai/sdk", {
  chat: async (lane) => {
    const message = await client.messages.create({
      model: lane, max_tokens: 16, system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
      messages: [{ role: "user", content: "hi" }],
    });
    checkText(lane, textOf(message));
    assert.ok(message.usage.output_tokens > 0);
  },
  streaming: async (lane) => {
    const stream = client.messages.stream({ model: lane, max_tokens: 16, messages: [{ role: "user", content: "hi" }] });
    let text = "";
    stream.on("text", (piece) => { text += piece; });
    const message = await stream.finalMessage();
    checkText(lane, text);
    assert.equal(textOf(message), text);
    assert.ok(message.stop_reason);
  },
  tools: async (lane) => {
    const message = await client.messages.create({
      model: lane, max_tokens: 200, temperature: 0, messages: ask, tools, tool_choice: { type: "any" },
    });
    const call = message.content.find((block) => block.type === "tool_use");
    checkUnit(call.input);
    assert.equal(message.stop_reason, "tool_use");
    const after = await client.messages.create({
      model: lane, max_tokens: 16, tools,
      messages: [...ask, { role: "assistant", content: message.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "21 degrees" }] }],
    });
    assert.ok(after.content.length > 0);
    if (lane === "cloud") assert.match(textOf(after), /21/);
  },
  "tools streamed": async (lane) => {
    const stream = client.messages.stream({
      model: lane, max_tokens: 200, temperature: 0, messages: ask, tools, tool_choice: { type: "tool", name: "get_weather" },
    });
    const message = await stream.finalMessage();
    checkUnit(message.content.find((block) => block.type === "tool_use").input);
  },
  "structured output": async (lane) => {
    const message = await client.messages.create({
      model: lane, max_tokens: 200, temperature: 0, messages: [{ role: "user", content: "Judge." }],
      output_config: { format: { type: "json_schema", schema: verdictSchema } },
    });
    checkVerdict(JSON.parse(textOf(message)));
  },
  "counting tokens": async (lane) => {
    const count = await client.messages.countTokens({ model: lane, messages: [{ role: "user", content: "hello there" }] });
    assert.ok(count.input_tokens > 0);
  },
  models: ["local", async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes("auto"));
  }],
  errors: async (lane) => {
    const wrong = client.messages.create({ model: lane, max_tokens: 0, messages: [{ role: "user", content: "x" }] });
    await assert.rejects(wrong, (error) => error instanceof BadRequestError && /max_tokens/.test(error.message));
    await assert.rejects(client.messages.create({ model: "none", max_tokens: 1, messages: ask }), NotFoundError);
  },
  cancellation: async (lane) => {
    const stream = client.messages.stream(longChat(lane));
    await new Promise((resolve, reject) => {
      stream.on("text", resolve);
      stream.on("error", reject);
    });
    stream.abort();
    await assert.rejects(stream.done());
    await daemonIsIdle();
  },
  "time-out": async (lane) => {
    const request = lane === "cloud" ? { ...longChat(lane), model: stallingModel } : longChat(lane);
    await assert.rejects(client.messages.create(request, { timeout: 30 }), APIConnectionTimeoutError);
    await daemonIsIdle();
  },
});
