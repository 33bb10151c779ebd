// What the tests of the JavaScript clients share. Each test is a function of the lane ("local" or "cloud", which are
// also names of models); each result is printed as a line of JSON.

import assert from "node:assert/strict";

export { assert };
export const url = process.env.MINIMILL_URL;
export const stallingModel = "sim-fault-stall"; // of the simulated cloud: it never answers
const limitMs = 60_000;

const wanted = (name, value) => !process.env[name] || process.env[name] === value;

/// Runs `tests` ({feature: async (lane) => …}) on both lanes, those of one of them ({feature: [lane, test]}) on that.
export async function run(client, tests) {
  for (const [feature, entry] of Object.entries(tests)) {
    const [lanes, test] = Array.isArray(entry) ? [[entry[0]], entry[1]] : [["local", "cloud"], entry];
    for (const lane of lanes) {
      if (!wanted("ONLY_FEATURE", feature)) continue;
      const began = Date.now();
      let error = null;
      let timer;
      try {
        const late = new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs);
        });
        await Promise.race([test(lane), late]);
      } catch (thrown) {
        error = String(thrown?.stack ?? thrown).slice(0, 2000);
      }
      clearTimeout(timer);
      console.log(JSON.stringify({ client, feature, lane, ok: error === null, ms: Date.now() - began, error }));
    }
  }
  process.exit(0); // some clients keep connections, and with them the process
}

/// A chat long enough to be cut off in the middle, for either lane.
export const longChat = (lane) => ({
  model: lane,
  messages: [{ role: "user", content: "Tell me a story." }],
  max_tokens: 600,
  temperature: 0,
});

/// Nothing is under way any more: the daemon has noticed that the client left.
export async function daemonIsIdle() {
  const until = Date.now() + 10_000;
  for (;;) {
    const status = await (await fetch(`${url}/minimill/v1/status`)).json();
    if (status.lanes.every((lane) => lane.running === 0 && lane.waiting === 0)) return;
    assert.ok(Date.now() < until, `still under way: ${JSON.stringify(status.lanes)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const weatherSchema = {
  type: "object",
  properties: { unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
  required: ["unit"],
  additionalProperties: false,
};

export const verdictSchema = {
  type: "object",
  properties: { good: { type: "boolean" }, grade: { type: "string", enum: ["a", "b"] } },
  required: ["good", "grade"],
  additionalProperties: false,
};

export function checkVerdict(verdict) {
  assert.equal(typeof verdict.good, "boolean");
  assert.ok(["a", "b"].includes(verdict.grade));
}

export function checkUnit(input) {
  assert.ok(["celsius", "fahrenheit"].includes(input.unit), JSON.stringify(input));
}

/// Random weights may say anything; the simulated cloud says that it is one.
export function checkText(lane, text) {
  assert.ok(text.length > 0, "no text");
  if (lane === "cloud") assert.match(text, /simulated/);
}
