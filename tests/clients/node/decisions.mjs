// The newest openai, whose Decisions the one that others beside it want does not have: the same question by each lane, then by what
// was learnt from the cloud's answers.

import OpenAI, { BadRequestError } from "openai-newest";
import { assert, run, url } from "./harness.mjs";

const app = "decisions-node";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0, defaultHeaders: { "User-Agent": app } });
const queues = ["billing", "delivery", "passwords"];
const words = "hello please again today urgent customer writes thanks since Monday asked help".split(" ");
const question = { type: "choice", name: "queue", instructions: "Which queue is it for?", choices: queues.map((value) => ({ value })) };

let seed = 7; // the same texts every time (a linear congruential generator)
const below = (n) => Math.floor(((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648) * n);
const textAbout = (queue) => {
  const picked = Array.from({ length: 5 }, () => words[below(words.length)]);
  picked.splice(below(6), 0, queue);
  return `${picked.join(" ")} ${below(1000)}`;
};

async function decide(model, queue) {
  const began = performance.now();
  const decision = await client.decisions.create({ model, input: textAbout(queue), questions: [question] });
  return { answer: decision.answers[0], model: decision.model, ms: performance.now() - began };
}

await run("openai newest", {
  decisions: async (lane) => {
    const decision = await client.decisions.create({
      model: lane,
      input: [{ role: "user", content: "about billing" }],
      questions: [
        question,
        { type: "predicate", instructions: "It is urgent." },
        { type: "score", instructions: "How urgent?", levels: [{ label: "low" }, { label: "high" }] },
      ],
    });
    const [choice, predicate, score] = decision.answers;
    assert.ok(choice.type === "choice" && choice.name === "queue" && queues.includes(choice.choice));
    assert.ok(Math.abs(choice.probabilities.reduce((sum, each) => sum + each.probability, 0) - 1) < 1e-6);
    assert.ok(predicate.probability >= 0 && predicate.probability <= 1);
    assert.deepEqual(score.probabilities.map((each) => each.value), [0, 1]);
    assert.ok(lane !== "cloud" || choice.choice === "billing");
    assert.ok(decision.usage.total_tokens > 0);
  },
  "decisions learnt": ["cloud", async () => {
    const headers = { "content-type": "application/json" };
    await fetch(`${url}/minimill/v1/traces/keep`, { method: "POST", headers, body: JSON.stringify({ app, what: "all" }) });
    const first = await decide("cloud", "delivery");
    assert.equal(first.answer.choice, "delivery");
    for (let i = 0; i < 120; ++i) await decide("cloud", queues[below(3)]);
    let last = first;
    while (last.model !== "micro-model") { // the harness ends it where it never comes
      await decide("cloud", queues[below(3)]);
      last = await decide("auto", "delivery");
    }
    assert.ok(last.answer.choice === "delivery" && last.answer.confidence > 0.5, JSON.stringify(last));
    const times = [];
    for (let i = 0; i < 50; ++i) times.push((await decide("auto", "delivery")).ms);
    times.sort((a, b) => a - b);
    console.error(`${app}: the same question in ${first.ms.toFixed(1)} ms by the cloud, ${times[25].toFixed(1)} ms by the micro-model`);
  }],
  "decision errors": async (lane) => {
    const wrong = { type: "choice", instructions: "Which?", choices: [{ value: "a" }] };
    const asked = client.decisions.create({ model: lane, input: "x", questions: [wrong] });
    await assert.rejects(asked, (error) => error instanceof BadRequestError && error.param === "questions[0].choices");
  },
});
