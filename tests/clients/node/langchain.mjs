import { createAgent, tool } from "langchain";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { assert, checkText, checkUnit, checkVerdict, daemonIsIdle, run, stallingModel, url, verdictSchema, weatherSchema } from "./harness.mjs";

const configuration = { baseURL: `${url}/v1` };
const model = (name, more = {}) =>
  new ChatOpenAI({ model: name, apiKey: "unused", configuration, maxRetries: 0, temperature: 0, maxTokens: 16, ...more });
const weather = tool(async () => "21 degrees", { name: "get_weather", description: "Weather", schema: weatherSchema });

await run("npm langchain", {
  chat: async (lane) => checkText(lane, (await model(lane).invoke("hi")).content),
  streaming: async (lane) => {
    let text = "";
    for await (const chunk of await model(lane).stream("hi")) text += chunk.content;
    checkText(lane, text);
  },
  tools: async (lane) => {
    const bound = model(lane, { maxTokens: 200 }).bindTools([weather], { tool_choice: "get_weather" });
    checkUnit((await bound.invoke("Please use get_weather.")).tool_calls[0].args);
  },
  agent: ["cloud", async (lane) => {
    const agent = createAgent({ model: model(lane, { maxTokens: 200 }), tools: [weather] });
    const result = await agent.invoke({ messages: [{ role: "user", content: "Please use get_weather." }] });
    assert.match(result.messages.at(-1).content, /21 degrees/);
  }],
  "structured output": async (lane) => {
    const structured = model(lane, { maxTokens: 200 }).withStructuredOutput(verdictSchema, { name: "verdict", method: "jsonSchema" });
    checkVerdict(await structured.invoke("Judge."));
  },
  embeddings: async (lane) => {
    const embeddings = new OpenAIEmbeddings({ model: lane, apiKey: "unused", configuration, maxRetries: 0 });
    const vectors = await embeddings.embedDocuments(["one text", "another text"]);
    assert.equal(vectors.length, 2);
    assert.ok(vectors[0].length > 8);
  },
  errors: async (lane) => {
    await assert.rejects(model(lane, { temperature: 9 }).invoke("x"), (error) => error.status === 400 && /temperature/.test(error.message));
    await assert.rejects(model("none").invoke("x"), (error) => error.status === 404);
  },
  cancellation: async (lane) => {
    const controller = new AbortController();
    const stream = await model(lane, { maxTokens: 600 }).stream("Tell me a story.", { signal: controller.signal });
    await assert.rejects(async () => {
      for await (const _ of stream) controller.abort();
    }, /abort/i);
    await daemonIsIdle();
  },
  "time-out": async (lane) => {
    const slow = model(lane === "cloud" ? stallingModel : lane, { maxTokens: 600, timeout: 30 });
    await assert.rejects(slow.invoke("Tell me a story."), /time/i);
    await daemonIsIdle();
  },
});
