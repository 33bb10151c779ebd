// One prompt, answered side by side: by the device, by the cloud, and by whichever the router chooses.

import { useRef, useState } from "preact/hooks";
import { ApiError } from "../api";
import { duration, percent, usd } from "../format";
import { ended } from "../live";
import { Lane, Trouble, useFetched } from "../parts";
import { link } from "../route";

interface Answer {
  text: string;
  state: "waiting" | "writing" | "done" | "failed";
  lane: "local" | "cloud" | "";
  model: string;
  reason: string;
  likely: number | null;
  id: string;
  first_ms: number | null;
  all_ms: number | null;
  error: ApiError | null;
}

const kAsked: Answer = { text: "", state: "waiting", lane: "", model: "", reason: "", likely: null, id: "", first_ms: null, all_ms: null, error: null };
const kMaxTokens = 400;
const kFirst = ["local", "auto", "cloud"];

async function ask(model: string, prompt: string, signal: AbortSignal, show: (answer: Answer) => void) {
  const began = performance.now();
  let answer = { ...kAsked };
  const change = (part: Partial<Answer>) => {
    answer = { ...answer, ...part };
    show(answer);
  };
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, stream: true, max_tokens: kMaxTokens, messages: [{ role: "user", content: prompt }], stream_options: { include_usage: true } }),
    });
    if (!response.ok || !response.body) {
      const told = (await response.json()) as { error?: { message?: string } };
      throw new ApiError(response.status, told.error?.message ?? `the daemon answered ${response.status}`);
    }
    const header = (name: string) => response.headers.get(`x-minimill-${name}`) ?? "";
    change({
      lane: header("lane") as Answer["lane"],
      model: header("model"),
      reason: header("reason"),
      likely: header("probability") ? Number(header("probability")) : null,
      id: header("request-id"),
      state: "writing",
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      const lines = (rest + chunk.value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
        const event = JSON.parse(line.slice(6)) as { choices?: { delta?: { content?: string } }[]; error?: { message: string } };
        if (event.error) throw new ApiError(502, event.error.message);
        const said = event.choices?.[0]?.delta?.content;
        if (said) change({ text: answer.text + said, first_ms: answer.first_ms ?? performance.now() - began });
      }
    }
    change({ state: "done", all_ms: performance.now() - began });
  } catch (failed) {
    if (signal.aborted) return;
    change({ state: "failed", error: failed instanceof ApiError ? failed : new ApiError(0, "the connection broke off") });
  }
}

function Column({ model, answer }: { model: string; answer: Answer | undefined }) {
  // What it cost is told as the request ends, on the stream that tells of all of them.
  const record = answer?.id ? ended.value.find((each) => each.id === answer.id) : undefined;
  return (
    <section class={`answer-column ${answer?.lane ?? ""}`} aria-label={`Answer of ${model}`} aria-busy={answer?.state === "writing"}>
      <header>
        <h2>{model}</h2>
        {answer?.lane && <Lane lane={answer.lane} />}
        <span class="dim">{answer?.model && answer.model !== model && answer.model.split("/").pop()}</span>
      </header>
      {answer ? (
        <>
          <p class="text">{answer.text || (answer.state === "waiting" ? "waiting its turn…" : "")}</p>
          <Trouble error={answer.error} />
          <footer>
            {answer.reason && <p class="dim">{answer.reason}</p>}
            <p class="num">
              {[
                answer.first_ms != null && `first word ${duration(answer.first_ms)}`,
                answer.all_ms != null && `all ${duration(answer.all_ms)}`,
                record && usd(record.cost_usd),
                answer.likely != null && `device ${percent(answer.likely)} likely`,
              ]
                .filter(Boolean)
                .join(" · ")}{" "}
              {record && <a href={link("requests", answer.id)}>why</a>}
            </p>
          </footer>
        </>
      ) : (
        <p class="empty">not asked yet</p>
      )}
    </section>
  );
}

export function Playground() {
  const { value } = useFetched<{ data: { id: string }[] }>("/v1/models");
  const [prompt, setPrompt] = useState("");
  const [models, setModels] = useState(kFirst);
  const [answers, setAnswers] = useState<Record<string, Answer>>({});
  const asking = useRef<AbortController | null>(null);
  const busy = Object.values(answers).some((each) => each.state === "waiting" || each.state === "writing");
  const run = (event?: Event) => {
    event?.preventDefault();
    if (!prompt.trim() || busy) return;
    asking.current = new AbortController();
    setAnswers(Object.fromEntries(models.map((each) => [each, kAsked])));
    for (const model of models) {
      void ask(model, prompt, asking.current.signal, (answer) => setAnswers((now) => ({ ...now, [model]: answer })));
    }
  };
  const stop = () => {
    asking.current?.abort();
    setAnswers((now) => Object.fromEntries(Object.entries(now).map(([model, each]) => [model, each.state === "done" ? each : { ...each, state: "failed" as const }])));
  };
  const others = (value?.data ?? []).map((each) => each.id).filter((each) => !models.includes(each));
  return (
    <div class="playground">
      <div class="title">
        <h1>Playground</h1>
      </div>
      <form onSubmit={run}>
        <label>
          <span>Ask all of them</span>
          <textarea
            rows={3}
            value={prompt}
            onInput={(event) => setPrompt(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
            }}
          />
        </label>
        <div class="buttons">
          {busy ? (
            <button type="button" onClick={stop}>
              Stop
            </button>
          ) : (
            <button class="main">Ask</button>
          )}
          <label>
            <span class="unseen">Beside them</span>
            <select
              value=""
              onChange={(event) => {
                const model = event.currentTarget.value;
                if (model) setModels([...models, model]);
              }}
            >
              <option value="">and another…</option>
              {others.map((each) => (
                <option value={each} key={each}>
                  {each.split("/").pop()}
                </option>
              ))}
            </select>
          </label>
          {models.slice(kFirst.length).map((each) => (
            <button type="button" class="quiet" key={each} onClick={() => setModels(models.filter((one) => one !== each))}>
              without {each.split("/").pop()}
            </button>
          ))}
        </div>
      </form>
      <div class="answers">
        {models.map((each) => (
          <Column model={each} answer={answers[each]} key={each} />
        ))}
      </div>
    </div>
  );
}
