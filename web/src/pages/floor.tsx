// The first screen, to be understood in five seconds: what each lane does right now, and whether it is worth it.

import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { BoundPromise, LaneName, LaneState, Money, Overview, Provider, Running, Summary, Waiting } from "../api";
import { axis, Chart, dayAxis, everyDay, font, type Palette } from "../chart";
import { bytes, count, duration, percent, subject, time, usd } from "../format";
import { days, ended, floor, now, overview, providers, today } from "../live";
import { Empty, Panel } from "../parts";
import { link } from "../route";

const kShownEnded = 7;
const kLongWait_ms = 30_000; // a queue's bar is full
const kDay_s = 86_400;

const scope = (each: BoundPromise) => each.operation || each.app || "everything";

function PromiseFigure({ of }: { of: Overview }) {
  const worst = [...of.promises].sort((a, b) => Number(a.kept) - Number(b.kept))[0];
  const checks = of.all.checks;
  const evidence =
    checks.share == null
      ? "no answer was checked yet"
      : `${percent(checks.share)} passed their checks, ${checks.good} of ${checks.of}`;
  if (!worst) {
    return (
      <div class="figure">
        <h2>Quality</h2>
        <p class="big">{percent(checks.share)}</p>
        <p class="under">
          {checks.share == null ? evidence : `of ${count(checks.of)} checks passed (${percent(checks.low)} to ${percent(checks.high)})`}
          <br />
          <a href={link("router")}>no promise is set</a>
        </p>
      </div>
    );
  }
  return (
    <div class="figure">
      <h2>Promise</h2>
      <p class={`big ${worst.kept ? "good" : "warn"}`}>{worst.kept ? "kept" : "not proved"}</p>
      <p class="under">
        lose at most {percent(worst.max_loss)} of {scope(worst)}, {percent(worst.confidence)} sure:{" "}
        {worst.kept ? `${worst.audits} audits` : `${worst.missing} audits missing`}
        <br />
        <a href={link("router")}>{evidence}</a>
      </p>
    </div>
  );
}

function Saved({ money }: { money: Money }) {
  const interval =
    money.saved_low_usd == null
      ? "at the cloud's prices; no comparison yet"
      : `${usd(money.saved_low_usd)} to ${usd(money.saved_high_usd)}, by ${money.pairs} comparisons`;
  const share = money.all_cloud_usd > 0 ? money.saved_usd / money.all_cloud_usd : null;
  return (
    <div class="figure">
      <h2>Saved</h2>
      <p class="big">
        {usd(money.saved_usd)} <small>{share != null && percent(share)}</small>
      </p>
      <p class="under">
        {interval}
        <br />
        all cloud: {usd(money.all_cloud_usd)}
      </p>
    </div>
  );
}

function Figures({ of }: { of: Overview }) {
  const share = of.all.share_local;
  const now = today.value?.share_local;
  return (
    <section class="figures" aria-label="What it is worth">
      <div class="figure">
        <h2>On the device</h2>
        <p class="big local">{percent(share.share)}</p>
        <p class="under">
          {count(share.good)} of {count(share.of)} answers
          <br />
          today {percent(now?.share)}
          {now?.of ? ` of ${count(now.of)}` : ""}
        </p>
      </div>
      <PromiseFigure of={of} />
      <div class="figure">
        <h2>Spent</h2>
        <p class="big">{usd(of.all.money.spent_usd)}</p>
        <p class="under">
          today {usd(today.value?.money.spent_usd ?? 0)}
          <br />
          {of.all.money.comparing_usd > 0 ? `${usd(of.all.money.comparing_usd)} to compare` : `${count(of.all.cloud.answered)} answers`}
        </p>
      </div>
      <Saved money={of.all.money} />
      <div class="figure">
        <h2>Waiting, then working</h2>
        <p class="big">{duration(of.all.mean_wait_ms)}</p>
        <p class="under">
          mean wait in its lane
          <br />
          {duration(of.all.mean_duration_ms)} mean in work
        </p>
      </div>
    </section>
  );
}

const kPhases: Record<string, string> = {
  queued: "queued",
  loading: "loading the model",
  reading: "reading the prompt",
  answering: "answering",
  writing: "writing",
};

function Slot({ each }: { each: Running }) {
  const ran = now.value - each.since_ms;
  const speed = each.tokens_per_second ? `${each.tokens_per_second.toFixed(0)} tokens/s` : "";
  return (
    <li class={`slot ${each.phase}`}>
      <a href={each.task ? link("requests", each.task) : link("requests", each.id)}>
        <span class="what">{subject(each)}</span>
        <span class="who">
          {each.app}
          {each.attempt > 1 && `, attempt ${each.attempt}`}
        </span>
        <span class="phase">
          {kPhases[each.phase]}
          {each.tokens > 0 && `, ${each.tokens} tokens`}
          {speed && <b> {speed}</b>}
        </span>
        <span class="age num">{duration(Math.max(0, ran))}</span>
      </a>
    </li>
  );
}

function Waiter({ each }: { each: Waiting }) {
  const waited = Math.max(0, now.value - each.since_ms);
  return (
    <li class="waiter">
      <span class="what">{subject(each)}</span>
      <span class="who">{each.app}</span>
      <span class="age num">{duration(waited)}</span>
      <svg class="wait" height="2" aria-hidden="true">
        <rect width={`${Math.min(100, (100 * waited) / kLongWait_ms)}%`} height="2" />
      </svg>
    </li>
  );
}

export const verdict = (each: Summary) =>
  each.escalated && each.lane === "local"
    ? { text: "escalated", class: "warn" }
    : each.status >= 400
      ? { text: "failed", class: "bad" }
      : each.good === true
        ? { text: "right", class: "good" }
        : each.good === false
          ? { text: "wrong", class: "bad" }
          : each.escalated
            ? { text: "after the device", class: "warn" }
            : { text: "", class: "" };

function Done({ each }: { each: Summary }) {
  const said = verdict(each);
  return (
    <li class="done">
      <a href={link("requests", each.id)}>
        <span class="what">{subject(each)}</span>
        <span class={`said ${said.class}`}>{said.text}</span>
        <span class="age num">
          {each.cost_usd > 0 && `${usd(each.cost_usd)} · `}
          {duration(each.duration_ms)}
        </span>
      </a>
    </li>
  );
}

function LaneBand({ lane }: { lane: LaneState }) {
  const done = ended.value.filter((each) => each.lane === lane.lane).slice(0, kShownEnded);
  const free = Math.max(0, lane.slots - lane.running);
  const name = lane.lane === "local" ? "Local" : "Cloud";
  const more = lane.waiting - lane.queue.length;
  return (
    <section class={`lane ${lane.lane}`} aria-label={`${name} lane`}>
      <header>
        <h2>{name}</h2>
        <p>
          <b class="num">{lane.waiting}</b> waiting
        </p>
        <p>
          <b class="num">
            {lane.running}/{lane.slots}
          </b>{" "}
          at work
        </p>
        <p class="dim">{lane.expected_wait_s >= 0.05 ? `next: in ${duration(lane.expected_wait_s * 1000)}` : "next: at once"}</p>
      </header>
      <div class="stage queue">
        <h3>Waiting</h3>
        {lane.queue.length === 0 ? (
          <p class="nobody">nobody waits</p>
        ) : (
          <ol>
            {lane.queue.slice(0, kShownEnded).map((each) => (
              <Waiter each={each} key={`${each.run}/${each.task}/${each.since_ms}`} />
            ))}
          </ol>
        )}
        {lane.waiting > kShownEnded && <p class="more">and {count(more + lane.queue.length - kShownEnded)} more</p>}
      </div>
      <div class="stage work">
        <h3>At work</h3>
        <ol>
          {lane.requests.map((each) => (
            <Slot each={each} key={each.id} />
          ))}
          {free > 0 && (
            <li class="slot free" key="free">
              {free === 1 ? "one slot is free" : `${count(free)} slots are free`}
            </li>
          )}
        </ol>
      </div>
      <div class="stage end">
        <h3>Done</h3>
        {done.length === 0 ? (
          <p class="nobody">nothing yet</p>
        ) : (
          <ol>
            {done.map((each) => (
              <Done each={each} key={each.id} />
            ))}
          </ol>
        )}
      </div>
    </section>
  );
}

export function shareByDay(of: Overview): uPlot.AlignedData {
  const all = everyDay(of);
  return [
    all.map((each) => each.at),
    all.map((each) => each.sum?.answered ?? 0),
    all.map((each) => each.sum?.local.answered ?? 0),
    all.map((each) => (each.sum?.share_local.share == null ? null : 100 * each.sum.share_local.share)),
  ];
}

const shareOptions = (colors: Palette): Omit<uPlot.Options, "width" | "height"> => ({
  legend: { show: false },
  cursor: { show: false },
  padding: [8, 0, 0, 0],
  scales: { x: { range: (_, from, to) => [from - kDay_s / 2, to + kDay_s / 2] }, y: { range: (_, __, max) => [0, Math.max(4, max * 1.05)] }, share: { range: [0, 100] } },
  series: [
    {},
    { scale: "y", fill: colors.cloud, paths: uPlot.paths.bars!({ size: [0.7, 34] }), points: { show: false } },
    { scale: "y", fill: colors.local, paths: uPlot.paths.bars!({ size: [0.7, 34] }), points: { show: false } },
    { scale: "share", stroke: colors.ink, width: 1.5, spanGaps: true, points: { size: 5, fill: colors.panel } },
  ],
  axes: [
    dayAxis(colors),
    { ...axis(colors), scale: "y", size: 44, values: (_, at) => at.map((each) => count(each)) },
    { ...axis(colors), scale: "share", side: 1, size: 46, grid: { show: false }, font: font(12), values: (_, at) => at.map((each) => `${each} %`) },
  ],
});

function ShareChart({ of }: { of: Overview }) {
  const data = useMemo(() => shareByDay(of), [of]);
  const said = of.by_day.map((each) => `${each.day}: ${percent(each.share_local.share)} of ${each.answered}`).join("; ");
  return (
    <Panel
      title="Answered on the device, by day"
      class="byday"
      aside={
        <span class="legend">
          <i class="local" /> device <i class="cloud" /> cloud <i class="line" /> share
        </span>
      }
    >
      <Chart label={`Share answered on the device by day. ${said}`} height={220} data={data} options={shareOptions} />
    </Panel>
  );
}

const health = (each: Provider) => {
  const measured = each.models.map((model) => model.measured).find((found) => found != null);
  if (each.key === "missing") return { class: "bad", text: "no key" };
  if (!measured) return { class: "idle", text: "not asked yet" };
  if (measured.breaker !== "closed") return { class: "bad", text: measured.last_error ?? "failing" };
  const speed = measured.first_token_ms ?? measured.duration_ms;
  return { class: "ready", text: `${duration(speed)} to answer, ${percent(measured.error_rate)} errors` };
};

const kStates: Record<string, string> = { stopped: "asleep", starting: "loading", ready: "ready", failed: "failed" };

function Plant() {
  const state = floor.value;
  if (!state) return null;
  const load = state.machine.load;
  return (
    <Panel title="Plant" class="plant">
      <table>
        <caption class="unseen">Engines, providers and the machine</caption>
        <tbody>
          {state.engines.map((each) => (
            <tr key={each.model}>
              <th scope="row">
                <i class={`lamp ${each.state}`} aria-hidden="true" />
                {each.model.split("/").pop()}
              </th>
              <td>
                {kStates[each.state]}
                {each.in_flight > 0 && `, ${each.in_flight} at work`}
                {each.restarts > 0 && `, ${each.restarts} restarts`}
                {each.error && <span class="bad"> {each.error}</span>}
              </td>
            </tr>
          ))}
          {state.engines.length === 0 && (
            <tr>
              <th scope="row">
                <i class="lamp stopped" aria-hidden="true" />
                engine
              </th>
              <td>starts with the first request</td>
            </tr>
          )}
          {providers.value.map((each) => (
            <tr key={each.name}>
              <th scope="row">
                <i class={`lamp ${health(each).class}`} aria-hidden="true" />
                {each.name}
              </th>
              <td>{health(each).text}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">machine</th>
            <td>
              {load != null && `load ${load.toFixed(1)} on ${state.machine.processors} processors, `}
              {bytes(state.machine.memory_available)} free
            </td>
          </tr>
        </tbody>
      </table>
    </Panel>
  );
}

function FirstRun() {
  const base = location.origin;
  return (
    <Panel title="Nothing has been asked yet" class="first">
      <p>Point an app at the mill: whatever takes a base URL works, and any key does. For example</p>
      <pre>{`export OPENAI_BASE_URL=${base}/v1 OPENAI_API_KEY=unused
export ANTHROPIC_BASE_URL=${base} ANTHROPIC_API_KEY=unused
export OLLAMA_HOST=${base}`}</pre>
      <p>
        or ask in the <a href={link("playground")}>playground</a>. The first request appears here as it arrives.
      </p>
    </Panel>
  );
}

const kSpans = [
  { days: 1, name: "today" },
  { days: 7, name: "7 days" },
  { days: 30, name: "30 days" },
  { days: 365, name: "a year" },
];

export function Spans() {
  return (
    <div class="spans" role="group" aria-label="Span of time">
      {kSpans.map((each) => (
        <button aria-pressed={days.value === each.days} onClick={() => (days.value = each.days)}>
          {each.name}
        </button>
      ))}
    </div>
  );
}

export function Floor() {
  const of = overview.value;
  const state = floor.value;
  const untouched = of != null && of.all.requests === 0 && ended.value.length === 0 && state?.lanes.every((each) => each.running === 0);
  return (
    <div class="floor">
      <div class="title">
        <h1>The floor</h1>
        <Spans />
        <p class="dim num clock">{time(now.value)}</p>
      </div>
      {of ? <Figures of={of} /> : <section class="figures loading" aria-busy="true" />}
      {untouched && <FirstRun />}
      <div class="lanes">
        {state ? state.lanes.map((each) => <LaneBand lane={each} key={each.lane} />) : <Empty>waiting for the daemon</Empty>}
      </div>
      <div class="lower">
        {of && <ShareChart of={of} />}
        <Plant />
      </div>
    </div>
  );
}

export const laneName = (lane: LaneName) => (lane === "local" ? "device" : "cloud");
