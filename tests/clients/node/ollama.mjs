import { Ollama } from "ollama";
import { assert, checkText, checkUnit, checkVerdict, daemonIsIdle, run, stallingModel, url, verdictSchema, weatherSchema } from "./harness.mjs";

const client = new Ollama({ host: url });
const hi = [{ role: "user", content: "hi" }];
const tools = [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: weatherSchema } }];
const long = { options: { num_predict: 600, temperature: 0 } };

await run("npm ollama", {
  chat: async (lane) => {
    const answer = await client.chat({ model: lane, messages: hi, options: { num_predict: 16 } });
    checkText(lane, answer.message.content);
    assert.ok(answer.done && answer.eval_count > 0);
    const generated = await client.generate({ model: lane, prompt: "hi", options: { num_predict: 16 } });
    checkText(lane, generated.response);
  },
  streaming: async (lane) => {
    let text = "";
    let last;
    for await (const part of await client.chat({ model: lane, messages: hi, stream: true, options: { num_predict: 16 } })) {
      text += part.message.content;
      last = part;
    }
    checkText(lane, text);
    assert.ok(last.done && last.total_duration > 0);
  },
  tools: async (lane) => {
    // Ollama has no way to insist: random weights need not call.
    const answer = await client.chat({
      model: lane, tools, messages: [{ role: "user", content: "Please use get_weather." }], options: { num_predict: 60 },
    });
    for (const call of answer.message.tool_calls ?? []) checkUnit(call.function.arguments);
    if (lane === "cloud") assert.equal(answer.message.tool_calls[0].function.name, "get_weather");
  },
  "structured output": async (lane) => {
    const answer = await client.chat({
      model: lane, messages: [{ role: "user", content: "Judge." }], format: verdictSchema,
      options: { num_predict: 200, temperature: 0 },
    });
    checkVerdict(JSON.parse(answer.message.content));
  },
  embeddings: async (lane) => {
    const answer = await client.embed({ model: lane, input: ["one text", "another text"] });
    assert.equal(answer.embeddings.length, 2);
    assert.ok(answer.embeddings[0].length > 8);
  },
  models: ["local", async () => {
    const names = (await client.list()).models.map((model) => model.name);
    assert.ok(["auto", "local", "cloud", "sim-large"].every((name) => names.includes(name)), names.join());
    assert.ok((await client.show({ model: "auto" })).capabilities.includes("tools"));
    assert.ok((await client.chat({ model: "local:latest", messages: hi, options: { num_predict: 1 } })).done);
    await client.chat({ model: "local", messages: hi, keep_alive: "5m", options: { num_predict: 1 } });
    assert.ok((await client.ps()).models.length > 0);
    await assert.rejects(client.show({ model: "none" }), /not found/);
    await assert.rejects(client.pull({ model: "/etc/passwd" }), /no model/);
  }],
  errors: async (lane) => {
    const wrong = client.chat({ model: lane, messages: hi, options: { temperature: "hot" } });
    await assert.rejects(wrong, (error) => error.status_code === 400 && /temperature/.test(error.message));
    await assert.rejects(client.chat({ model: "none", messages: hi }), (error) => error.status_code === 404);
  },
  cancellation: async (lane) => {
    const stream = await client.chat({ model: lane, messages: hi, stream: true, ...long });
    await assert.rejects(async () => {
      for await (const _ of stream) stream.abort();
    }, { name: "AbortError" });
    await daemonIsIdle();
  },
  "time-out": async (lane) => {
    const slow = new Ollama({
      host: url,
      fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(30) }),
    });
    const model = lane === "cloud" ? stallingModel : lane;
    await assert.rejects(slow.chat({ model, messages: hi, ...long }), { name: "TimeoutError" });
    await daemonIsIdle();
  },
});
