import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { assert, checkText, checkUnit, checkVerdict, daemonIsIdle, run, stallingModel, url, verdictSchema, weatherSchema } from "./harness.mjs";

const lanesSeen = [];
const openai = createOpenAI({
  baseURL: `${url}/v1`,
  apiKey: "unused",
  fetch: async (input, init) => {
    const response = await fetch(input, init);
    lanesSeen.push(response.headers.get("x-minimill-lane"));
    return response;
  },
});
const chat = (name) => openai.chat(name);
const plain = { maxRetries: 0, temperature: 0 };

await run("npm ai", {
  chat: async (lane) => {
    checkText(lane, (await generateText({ ...plain, model: chat(lane), prompt: "hi", maxOutputTokens: 16 })).text);
  },
  streaming: async (lane) => {
    let text = "";
    const result = streamText({ ...plain, model: chat(lane), prompt: "hi", maxOutputTokens: 16 });
    for await (const piece of result.textStream) text += piece;
    checkText(lane, text);
    assert.ok((await result.usage).outputTokens > 0);
  },
  responses: async (lane) => {
    const result = await generateText({ ...plain, model: openai.responses(lane), prompt: "hi", maxOutputTokens: 16 });
    checkText(lane, result.text);
  },
  tools: async (lane) => {
    let called;
    await generateText({
      ...plain, model: chat(lane), prompt: "Please use get_weather.", toolChoice: "required", maxOutputTokens: 200,
      tools: { get_weather: tool({ inputSchema: jsonSchema(weatherSchema), execute: async (input) => { called = input; return "21"; } }) },
    });
    checkUnit(called);
  },
  "structured output": async (lane) => {
    const result = await generateObject({
      ...plain, model: chat(lane), prompt: "Judge.", schema: jsonSchema(verdictSchema), maxOutputTokens: 200,
    });
    checkVerdict(result.object);
  },
  embeddings: async (lane) => {
    const result = await embedMany({ model: openai.embedding(lane), values: ["one text", "another text"], maxRetries: 0 });
    assert.equal(result.embeddings.length, 2);
    assert.ok(result.embeddings[0].length > 8);
  },
  errors: async (lane) => {
    const wrong = generateText({ ...plain, model: chat(lane), prompt: "x", temperature: 9 });
    await assert.rejects(wrong, (error) => APICallError.isInstance(error) && error.statusCode === 400 && /temperature/.test(error.message));
    await assert.rejects(generateText({ ...plain, model: chat("none"), prompt: "x" }), (error) => error.statusCode === 404);
  },
  cancellation: async (lane) => {
    const controller = new AbortController();
    const result = streamText({
      ...plain, model: chat(lane), prompt: "Tell me a story.", maxOutputTokens: 600, abortSignal: controller.signal, onError: () => {},
    });
    for await (const _ of result.textStream) controller.abort();
    await daemonIsIdle();
  },
  "time-out": async (lane) => {
    const slow = generateText({
      ...plain, model: chat(lane === "cloud" ? stallingModel : lane), prompt: "Tell me a story.", maxOutputTokens: 600,
      abortSignal: AbortSignal.timeout(30),
    });
    await assert.rejects(slow, (error) => /Timeout|Abort/.test(error.name));
    await daemonIsIdle();
  },
  // Three tools over several turns, the lane left to minimill; how much is asked of the device alternates, so both take turns.
  "agent loop": ["auto", async () => {
    const order = ["find_customer", "find_order", "cancel_order"];
    const called = [];
    const tools = Object.fromEntries(order.map((name) => [name, tool({
      description: name, inputSchema: jsonSchema(weatherSchema),
      execute: async () => { called.push(name); return `${name} done`; },
    })]));
    lanesSeen.length = 0;
    const result = await generateText({
      ...plain, model: chat("auto"), tools, maxOutputTokens: 200, stopWhen: stepCountIs(5),
      prompt: "Use find_customer, then find_order, then cancel_order.",
      prepareStep: ({ stepNumber }) => ({
        model: chat(stepNumber % 2 === 0 ? "auto:quality=0" : "auto:quality=1"),
        toolChoice: stepNumber < order.length ? { type: "tool", toolName: order[stepNumber] } : "auto",
      }),
    });
    assert.deepEqual(called, order);
    assert.deepEqual(lanesSeen, ["local", "cloud", "local", "cloud"]);
    assert.match(result.text, /find_customer done; find_order done; cancel_order done/);
  }],
});
