// The models on this machine: what they take, whether they are loaded, and how to get another.

import { useState } from "preact/hooks";
import { ApiError, post } from "../api";
import { bytes, count, duration, percent, usd } from "../format";
import { floor, providers } from "../live";
import { Empty, Panel, Trouble, useFetched } from "../parts";

interface Tags {
  models: { name: string; size: number; details: { parameter_size?: string; quantization_level?: string; family?: string } }[];
}

function Pull({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [progress, setProgress] = useState<{ text: string; share: number | null } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const pull = async (event: Event) => {
    event.preventDefault();
    if (!name.trim() || progress) return;
    setError(null);
    setProgress({ text: "asking", share: null });
    try {
      const response = await fetch("/api/pull", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: name.trim(), stream: true }),
      });
      if (!response.ok || !response.body) throw new ApiError(response.status, ((await response.json()) as { error: string }).error);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
        const lines = (rest + chunk.value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines.filter(Boolean)) {
          const news = JSON.parse(line) as { status?: string; error?: string; total?: number; completed?: number };
          if (news.error) throw new ApiError(502, news.error);
          const share = news.total ? (news.completed ?? 0) / news.total : null;
          setProgress({ text: news.total ? `${bytes(news.completed ?? 0)} of ${bytes(news.total)}` : (news.status ?? ""), share });
        }
      }
      done();
    } catch (failed) {
      setError(failed instanceof ApiError ? failed : new ApiError(0, "the download broke off"));
    }
    setProgress(null);
  };
  return (
    <form class="pull" onSubmit={(event) => void pull(event)}>
      <label>
        <span>Get a model</span>
        <input value={name} onInput={(event) => setName(event.currentTarget.value)} placeholder="smollm2:135m" />
      </label>
      <button disabled={progress != null}>Pull</button>
      {progress && (
        <span class="progress" role="status">
          <svg height="10" aria-hidden="true">
            <rect class="track" width="100%" height="10" />
            <rect class="local" width={`${100 * (progress.share ?? 0)}%`} height="10" />
          </svg>
          {progress.text}
        </span>
      )}
      <Trouble error={error} />
    </form>
  );
}

export function Models() {
  const [asked, setAsked] = useState(0);
  const [failed, setFailed] = useState<ApiError | null>(null);
  const { value, error } = useFetched<Tags>("/api/tags", asked);
  const engines = floor.value?.engines ?? [];
  const free = floor.value?.machine.memory_available ?? 0;
  const models = (value?.models ?? []).filter((each) => each.size > 0); // "auto" and the cloud's have none
  const biggest = Math.max(free, ...models.map((each) => each.size), 1);
  // Asking for an empty answer loads a model, and with no time to keep it ends it: so Ollama's clients do it.
  const load = async (model: string, keep: boolean) => {
    try {
      await post("/api/generate", keep ? { model, stream: false } : { model, keep_alive: 0, stream: false });
      setFailed(null);
    } catch (why) {
      setFailed(why as ApiError);
    }
    setAsked(asked + 1);
  };
  return (
    <div class="models">
      <div class="title">
        <h1>Models</h1>
        <p class="dim">{bytes(free)} of memory are free</p>
        <Pull done={() => setAsked(asked + 1)} />
      </div>
      <Trouble error={error ?? failed} />
      <Panel title="On this machine">
        {models.length === 0 ? (
          <Empty>None was pulled yet. smollm2:135m is small, and quick to try.</Empty>
        ) : (
          <ul class="modellist">
            {models.map((each) => {
              const engine = engines.find((one) => one.model === each.name || `${one.model}:latest` === each.name || one.model.endsWith(`/${each.name}`));
              const state = engine?.state ?? "stopped";
              return (
                <li key={each.name}>
                  <span>
                    <i class={`lamp ${state}`} aria-hidden="true" />
                    <b>{each.name}</b>{" "}
                    <small class="dim">
                      {[each.details.family, each.details.parameter_size, each.details.quantization_level].filter(Boolean).join(", ")}
                    </small>
                  </span>
                  <svg height="14" role="img" aria-label={`${bytes(each.size)} beside ${bytes(free)} of free memory`}>
                    <rect class="ghost" width={`${(100 * free) / biggest}%`} height="14" />
                    <rect class={state === "ready" ? "local" : "cool"} width={`${Math.max(0.4, (100 * each.size) / biggest)}%`} height="14" />
                  </svg>
                  <span class="num">{bytes(each.size)}</span>
                  {state === "ready" ? (
                    <button onClick={() => void load(each.name, false)}>Unload</button>
                  ) : (
                    <button disabled={state === "starting"} onClick={() => void load(each.name, true)}>
                      {state === "starting" ? "loading…" : "Load"}
                    </button>
                  )}
                </li>
              );
            })}
          </ul>
        )}
      </Panel>
      <Panel title="In the cloud">
        {providers.value.length === 0 ? (
          <Empty>No provider is configured: everything is answered on the device.</Empty>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Models of providers">
            <table class="list">
              <caption class="unseen">Models of providers</caption>
              <thead>
                <tr>
                  <th scope="col">Model</th>
                  <th scope="col">Provider</th>
                  <th scope="col" class="num">$ per Mtok in, out</th>
                  <th scope="col" class="num">First token</th>
                  <th scope="col" class="num">Tokens/s</th>
                  <th scope="col" class="num">Errors</th>
                  <th scope="col" class="num">Answers</th>
                </tr>
              </thead>
              <tbody>
                {providers.value.flatMap((provider) =>
                  provider.models.map((each) => (
                    <tr key={`${provider.name}/${each.model}`}>
                      <th scope="row">{each.model}</th>
                      <td>{provider.name}</td>
                      <td class="num">
                        {each.price ? `${usd(each.price.input_usd_per_mtok)}, ${usd(each.price.output_usd_per_mtok)}` : "not known"}
                      </td>
                      <td class="num">{duration(each.measured?.first_token_ms)}</td>
                      <td class="num">{each.measured?.tokens_per_second?.toFixed(0) ?? "–"}</td>
                      <td class="num">{each.measured ? percent(each.measured.error_rate) : "–"}</td>
                      <td class="num">{each.measured ? count(each.measured.answers) : "–"}</td>
                    </tr>
                  )),
                )}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </div>
  );
}
