// What was spent and what was saved: by day, app, operation and provider. The same aggregate as everywhere.

import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { Budget, Overview, Sum } from "../api";
import { axis, Chart, dayAxis, everyDay, type Palette } from "../chart";
import { count, percent, usd, words } from "../format";
import { days, ended, now, overview } from "../live";
import { Empty, Panel, useFetched } from "../parts";
import { Spans } from "./floor";

function moneyByDay(of: Overview): uPlot.AlignedData {
  const days = everyDay(of);
  return [
    days.map((each) => each.at),
    days.map((each) => each.sum?.money.all_cloud_usd ?? 0),
    days.map((each) => each.sum?.money.spent_usd ?? 0),
  ];
}

const moneyOptions = (colors: Palette): Omit<uPlot.Options, "width" | "height"> => ({
  legend: { show: false },
  cursor: { show: false },
  padding: [8, 12, 0, 0],
  scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] }, x: { range: (_, min, max) => [min - 43_200, max + 43_200] } },
  series: [
    {},
    { stroke: colors.good, width: 1.5, dash: [5, 4], points: { show: true, size: 5, fill: colors.panel } },
    { fill: colors.cloud, paths: uPlot.paths.bars!({ size: [0.6, 34] }), points: { show: false } },
  ],
  axes: [
    dayAxis(colors),
    { ...axis(colors), size: 64, values: (_, at) => at.map((each) => usd(each)) },
  ],
});

type Named = Sum & { name: string };

function Breakdown({ title, rows }: { title: string; rows: Named[] }) {
  const sorted = [...rows].sort((a, b) => b.money.spent_usd - a.money.spent_usd || b.requests - a.requests);
  const most = Math.max(1e-12, ...sorted.map((each) => each.money.all_cloud_usd));
  return (
    <Panel title={title}>
      {sorted.length === 0 ? (
        <Empty>nothing yet</Empty>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={`Table: ${title}`}>
          <table class="list">
            <caption class="unseen">{title}</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col" class="num">Requests</th>
                <th scope="col" class="num">Device</th>
                <th scope="col" class="num">Spent</th>
                <th scope="col" class="num">All cloud</th>
                <th scope="col">
                  <span class="unseen">Spent of all cloud</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {sorted.map((each) => (
                <tr key={each.name}>
                  <th scope="row">{each.name || "not known"}</th>
                  <td class="num">{count(each.requests)}</td>
                  <td class="num">{percent(each.share_local.share)}</td>
                  <td class="num">{usd(each.money.spent_usd)}</td>
                  <td class="num">{usd(each.money.all_cloud_usd)}</td>
                  <td class="barcell">
                    <svg height="8" aria-hidden="true">
                      <rect class="ghost" width={`${(100 * each.money.all_cloud_usd) / most}%`} height="8" />
                      <rect class="cloud" width={`${(100 * each.money.spent_usd) / most}%`} height="8" />
                    </svg>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Budgets() {
  const { value } = useFetched<{ budgets: Budget[] }>("/minimill/v1/budgets", ended.value[0]?.id ?? "");
  const budgets = value?.budgets ?? [];
  const date = new Date(now.value);
  const monthDays = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  const gone = (date.getUTCDate() - 1 + (date.getUTCHours() + 1) / 24) / monthDays;
  return (
    <Panel title="Budgets">
      {budgets.length === 0 ? (
        <p class="empty">
          The cloud may cost any sum. Set a limit with <code>minimill budget set --usd-per-day 1</code>
        </p>
      ) : (
        <ul class="budgets">
          {budgets.flatMap((each) =>
            [
              { limit: each.usd_per_day, spent: each.spent_today_usd, span: "today", pace: null },
              { limit: each.usd_per_month, spent: each.spent_this_month_usd, span: "this month", pace: each.spent_this_month_usd / gone },
            ]
              .filter((one) => one.limit != null)
              .map((one) => {
                const share = one.limit ? Math.min(1, one.spent / one.limit) : 1;
                return (
                  <li key={`${each.scope}${each.of}${one.span}`}>
                    <span>
                      {each.of ? <>{each.of} <small class="dim">{each.scope}</small></> : "everything"}
                    </span>
                    <svg height="10" role="img" aria-label={`${percent(share)} spent`}>
                      <rect class="track" width="100%" height="10" />
                      <rect class={share >= 1 ? "bad" : share >= each.soft ? "warn" : "cloud"} width={`${100 * share}%`} height="10" />
                      <rect class="mark" x={`${100 * each.soft}%`} width="1" height="10" />
                    </svg>
                    <span class="num">
                      {usd(one.spent)} of {usd(one.limit)} {one.span}
                      {one.pace != null && `, at this pace ${usd(one.pace)}`}
                    </span>
                  </li>
                );
              }),
          )}
        </ul>
      )}
    </Panel>
  );
}

/// For a spreadsheet: a name that begins like a formula is made text (OWASP, CSV injection).
function cell(value: string | number): string {
  const text = String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

function csv(of: Overview): string {
  const lines = [["by", "name", "requests", "answered_local", "answered_cloud", "spent_usd", "all_cloud_usd", "saved_usd", "prompt_tokens", "completion_tokens"]];
  const add = (by: string, name: string, sum: Sum) =>
    lines.push(
      [by, name, sum.requests, sum.local.answered, sum.cloud.answered, sum.money.spent_usd, sum.money.all_cloud_usd, sum.money.saved_usd, sum.prompt_tokens, sum.completion_tokens].map(cell),
    );
  for (const each of of.by_day) add("day", each.day, each);
  for (const each of of.by_app) add("app", each.app, each);
  for (const each of of.by_operation) add("operation", each.operation, each);
  for (const each of of.by_provider) add("provider", each.provider, each);
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}

function save(of: Overview) {
  const url = URL.createObjectURL(new Blob([csv(of)], { type: "text/csv" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `minimill-${days.value}-days.csv`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function MoneyPage() {
  const of = overview.value;
  const data = useMemo(() => (of ? moneyByDay(of) : null), [of]);
  if (!of || !data) return <Empty>adding up…</Empty>;
  const money = of.all.money;
  return (
    <div class="money">
      <div class="title">
        <h1>Money</h1>
        <Spans />
        <button onClick={() => save(of)}>Save as CSV</button>
      </div>
      <section class="figures" aria-label="In all">
        <div class="figure">
          <h2>Spent</h2>
          <p class="big">{usd(money.spent_usd)}</p>
          <p class="under">{usd(money.comparing_usd)} of it to compare the lanes</p>
        </div>
        <div class="figure">
          <h2>Had all gone to the cloud</h2>
          <p class="big">{usd(money.all_cloud_usd)}</p>
          <p class="under">for the same {count(of.all.answered)} answers</p>
        </div>
        <div class="figure">
          <h2>Saved</h2>
          <p class="big good">{usd(money.saved_usd)}</p>
          <p class="under">
            {money.saved_low_usd == null
              ? "no interval: nothing was compared with the cloud yet"
              : `95 %: ${usd(money.saved_low_usd)} to ${usd(money.saved_high_usd)}, from ${money.pairs} answers of both lanes`}
          </p>
        </div>
      </section>
      <div class="lower">
        <Panel
          title="By day"
          aside={
            <span class="legend">
              <i class="cloud" /> spent <i class="dash" /> had all gone to the cloud
            </span>
          }
        >
          <Chart
            label={of.by_day.map((each) => `${each.day}: spent ${usd(each.money.spent_usd)} of ${usd(each.money.all_cloud_usd)}`).join("; ")}
            height={200}
            data={data}
            options={moneyOptions}
          />
        </Panel>
        <Budgets />
      </div>
      <div class="pair">
        <Breakdown title="By app" rows={of.by_app.map((each) => ({ ...each, name: each.app }))} />
        <Breakdown title="By provider and engine" rows={of.by_provider.map((each) => ({ ...each, name: each.provider.split("/").pop() ?? "" }))} />
      </div>
      <Breakdown title="By operation" rows={of.by_operation.map((each) => ({ ...each, name: words(each.operation) }))} />
    </div>
  );
}
