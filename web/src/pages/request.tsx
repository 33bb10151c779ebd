// One request, or all of one task: why it went where it went, what was tried, how long it took, what it cost and
// would have cost, and how it turned out.

import { useState } from "preact/hooks";
import { ApiError, type Attempt, post, type Reason, type Task, type Why } from "../api";
import { duration, percent, time, usd, words } from "../format";
import { ended } from "../live";
import { Empty, Lane, Panel, Trouble, useFetched } from "../parts";
import { link, place } from "../route";

const kLayers: Record<string, string> = {
  difficulty: "the text",
  history: "how this operation has fared",
  nearest: "the most similar requests",
  cloud: "how the cloud does",
};

function Reasons({ reasons }: { reasons: Reason[] }) {
  if (reasons.length === 0) return <Empty>No reason was given.</Empty>;
  const most = Math.max(0.5, ...reasons.map((each) => Math.abs(each.weight)));
  return (
    <ul class="reasons">
      {reasons.map((each, i) => {
        const part = (50 * Math.abs(each.weight)) / most;
        return (
          <li key={i}>
            <span class="why">
              {each.text} <small class="dim">{kLayers[each.layer] ?? each.layer}</small>
            </span>
            {each.weight === 0 ? (
              <span class="rule">a rule</span>
            ) : (
              <svg role="img" aria-label={`${each.weight > 0 ? "for" : "against"} the device, ${each.weight.toFixed(2)}`} height="12">
                <rect class="middle" x="50%" width="1" height="12" />
                <rect
                  class={each.weight > 0 ? "for" : "against"}
                  x={`${each.weight > 0 ? 50 : 50 - part}%`}
                  width={`${part}%`}
                  height="12"
                />
              </svg>
            )}
            <span class="num">{each.weight === 0 ? "" : `${each.weight > 0 ? "+" : "−"}${Math.abs(each.weight).toFixed(2)}`}</span>
          </li>
        );
      })}
    </ul>
  );
}

function Gauge({ why }: { why: Why }) {
  const wanted = Math.min(1, why.threshold);
  return (
    <svg class="gauge" height="26" role="img" aria-label={`likely good enough: ${percent(why.p_local_ok)}, wanted: ${why.threshold > 1 ? "more than any" : percent(why.threshold)}`}>
      <rect class="track" y="8" width="100%" height="10" />
      <rect class={why.p_local_ok >= why.threshold ? "local" : "cloud"} y="8" width={`${100 * why.p_local_ok}%`} height="10" />
      <rect class="mark" x={`${100 * wanted - (wanted === 1 ? 0.5 : 0)}%`} y="3" width="2" height="20" />
    </svg>
  );
}

function Timeline({ attempts }: { attempts: Attempt[] }) {
  const total = attempts.reduce((sum, each) => sum + each.queued_ms + each.duration_ms, 0) || 1;
  let at = 0;
  return (
    <ol class="timeline">
      {attempts.map((each, i) => {
        const began = at;
        at += each.queued_ms + each.duration_ms;
        const x = (ms: number) => `${(100 * ms) / total}%`;
        const first = each.first_token_ms > 0 ? each.first_token_ms : each.duration_ms;
        return (
          <li key={i} class={each.error ? "lost" : ""}>
            <div>
              <Lane lane={each.lane} /> <b>{each.model.split("/").pop()}</b>
              {each.backend && each.backend !== each.model && <span class="dim"> at {each.backend}</span>}
              {each.hedge && <span class="dim"> asked because another took long</span>}
            </div>
            <svg height="14" role="img" aria-label={`waited ${duration(each.queued_ms)}, took ${duration(each.duration_ms)}`}>
              <rect class="track" width="100%" height="14" />
              <rect class="queued" x={x(began)} width={x(each.queued_ms)} height="14" />
              <rect class={`${each.lane} first`} x={x(began + each.queued_ms)} width={x(first)} height="14" />
              <rect class={each.lane} x={x(began + each.queued_ms + first)} width={x(each.duration_ms - first)} height="14" />
            </svg>
            <p class="num">
              waited {duration(each.queued_ms)}, {each.first_token_ms > 0 && `first token after ${duration(each.first_token_ms)}, `}
              took {duration(each.duration_ms)}
              {!each.error && ` · ${each.prompt_tokens} + ${each.completion_tokens} tokens${each.usage_estimated ? " (estimated)" : ""}`}
              {each.cost_usd > 0 && ` · ${usd(each.cost_usd)}`}
            </p>
            {each.held_tokens > 0 && (
              <p class="dim">
                {each.held_tokens} tokens held back for {duration(each.held_ms)}: then {percent(each.p_held)} likely to be good enough
              </p>
            )}
            {each.error && <p class="bad">{each.error}</p>}
          </li>
        );
      })}
    </ol>
  );
}

function said(kind: string, ok: boolean): string {
  if (kind === "escalated") return "escalated to the cloud";
  if (kind === "feedback") return ok ? "called good" : "called bad";
  return `${kind} ${ok ? "passed" : "failed"}`;
}

function Judge({ why, done }: { why: Why; done: () => void }) {
  const [error, setError] = useState<ApiError | null>(null);
  const [told, setTold] = useState("");
  const tell = async (outcome: "good" | "bad") => {
    try {
      await post("/v1/feedback", { request_id: why.request, outcome });
      setTold(`called ${outcome}`);
      setError(null);
      done();
    } catch (failed) {
      setError(failed as ApiError);
    }
  };
  return (
    <div class="buttons">
      <button onClick={() => void tell("good")}>Good answer</button>
      <button onClick={() => void tell("bad")}>Bad answer</button>
      <span role="status" class="dim">
        {told}
      </span>
      <Trouble error={error} />
    </div>
  );
}

function One({ why, done }: { why: Why; done: () => void }) {
  const cost = why.attempts.reduce((sum, each) => sum + each.cost_usd, 0);
  const last = why.attempts.at(-1);
  const byRule = why.p_local_ok >= why.threshold !== (why.lane === "local");
  const rule = why.reasons.find((each) => each.weight === 0);
  return (
    <article class="one">
      <header>
        <h2>
          {words(why.operation) || "something new"} <Lane lane={last?.lane ?? why.lane} />
        </h2>
        <p class="dim">
          <code>{why.request}</code> · {time(Date.parse(why.at))} · {why.app || "tasks"} asked for <code>{why.model_asked || "auto"}</code> · privacy {why.privacy}
          {why.trace && ` · ${why.trace}`}
        </p>
      </header>
      <div class="columns">
        <section aria-label="Decision">
          <h3>Why there</h3>
          <p>
            The device's answer was <b>{percent(why.p_local_ok)}</b> likely to be good enough;{" "}
            {why.threshold > 1 ? "no chance would have done" : `${percent(why.threshold)} was wanted`}
            {byRule ? `. But a rule sent it to the ${why.lane === "local" ? "device" : "cloud"}: ${rule?.text ?? "of the app's own"}.` : `: the ${why.lane === "local" ? "device" : "cloud"}.`}
          </p>
          <Gauge why={why} />
          <Reasons reasons={why.reasons} />
        </section>
        <section aria-label="What happened">
          <h3>What happened</h3>
          {why.attempts.length === 0 ? <Empty>Nobody was asked.</Empty> : <Timeline attempts={why.attempts} />}
          <ul class="outcomes">
            {why.outcomes.map((each, i) => (
              <li key={i} class={each.ok ? "good" : "bad"}>
                <b>{said(each.kind, each.ok)}</b> {each.detail && <span>{each.detail}</span>}
              </li>
            ))}
          </ul>
          <p>
            It cost <b class="num">{usd(cost)}</b>
            {why.cloud_usd > 0 && last?.lane === "local" && (
              <>
                {" "}
                where the cloud would have taken about <b class="num">{usd(why.cloud_usd)}</b>
              </>
            )}
            .
          </p>
          <Judge why={why} done={done} />
        </section>
      </div>
    </article>
  );
}

function TaskPart({ task, done }: { task: Task; done: () => void }) {
  const [error, setError] = useState<ApiError | null>(null);
  const act = async (what: "cancel" | "retry") => {
    try {
      await post(`/minimill/v1/tasks/${encodeURIComponent(task.id)}/${what}?run=${encodeURIComponent(task.run)}`, {});
      setError(null);
      done();
    } catch (failed) {
      setError(failed as ApiError);
    }
  };
  return (
    <Panel
      title={task.title || task.id}
      class="task"
      aside={
        <>
          <span class={`state ${task.state}`}>{task.state}</span>
          {(task.state === "queued" || task.state === "running") && <button onClick={() => void act("cancel")}>Cancel</button>}
          {task.state === "failed" && <button onClick={() => void act("retry")}>Try again</button>}
        </>
      }
    >
      <Trouble error={error} />
      {task.notes && <blockquote>{task.notes}</blockquote>}
      {task.answer && (
        <>
          <h3>Answer</h3>
          <pre class="answer">{task.answer}</pre>
        </>
      )}
      {task.error && <p class="bad">{task.error}</p>}
      {task.failures?.map((each, i) => (
        <p class="dim" key={i}>
          attempt {each.attempt}, {each.lane}: {each.error}
        </p>
      ))}
    </Panel>
  );
}

/// The newest ended request that belongs to what is shown: when it changes, there is news.
const newsOf = (id: string) => ended.value.find((each) => each.id === id || each.task === id)?.id ?? "";

export function Request() {
  const id = place.value.rest[0];
  const [asked, setAsked] = useState(0);
  const key = `${asked}/${newsOf(id)}`;
  const { value, error } = useFetched<{ requests: Why[] }>(`/minimill/v1/why/${encodeURIComponent(id)}`, key);
  const whose = value?.requests[0];
  const task = whose?.task || (id.startsWith("req_") ? "" : id);
  return (
    <div class="request">
      <p class="crumb">
        <a href={link("requests")}>Requests</a> / <code>{id}</code>
      </p>
      {task && <TaskOf id={task} run={whose?.run ?? ""} asked={key} done={() => setAsked(asked + 1)} />}
      {!(task && error?.status === 404) && <Trouble error={error} />}
      {value?.requests.map((each) => <One why={each} key={each.request} done={() => setAsked(asked + 1)} />)}
    </div>
  );
}

function TaskOf(props: { id: string; run: string; asked: string; done: () => void }) {
  const run = props.run ? `?run=${encodeURIComponent(props.run)}` : "";
  const { value } = useFetched<Task>(`/minimill/v1/tasks/${encodeURIComponent(props.id)}${run}`, props.asked);
  return value && <TaskPart task={value} done={props.done} />;
}
