// What the router has learnt, and how true its estimates have been.

import type { BoundPromise, RouterState } from "../api";
import { count, percent, words } from "../format";
import { ended } from "../live";
import { Empty, Panel, Trouble, useFetched } from "../parts";
import { link } from "../route";

const kSide = 260;
const kPad = 30;
const kRefetchEvery = 5; // ended requests

/// Of what was foretold with 70 %, did 70 % come true? (Murphy and Winkler 1977)
function Reliability({ of }: { of: RouterState["calibration"] }) {
  const x = (share: number) => kPad + share * (kSide - kPad - 8);
  const y = (share: number) => kSide - kPad - share * (kSide - kPad - 8);
  const bins = of.bins.filter((each) => each.outcomes > 0);
  const most = Math.max(1, ...bins.map((each) => each.outcomes));
  const text = bins.map((each) => `foretold ${percent(each.foretold)}, came true ${percent(each.came_true)}, ${count(each.outcomes)} outcomes`).join("; ");
  return (
    <svg class="reliability" viewBox={`0 0 ${kSide} ${kSide}`} role="img" aria-label={`Reliability diagram. ${text}`}>
      {[0, 0.25, 0.5, 0.75, 1].map((each) => (
        <g key={each}>
          <line class="grid" x1={x(0)} x2={x(1)} y1={y(each)} y2={y(each)} />
          <text x={kPad - 5} y={y(each) + 4} text-anchor="end">{100 * each}</text>
          <text x={x(each)} y={kSide - kPad + 15} text-anchor="middle">{100 * each}</text>
        </g>
      ))}
      <line class="ideal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
      <polyline class="curve" points={bins.map((each) => `${x(each.foretold)},${y(each.came_true)}`).join(" ")} />
      {bins.map((each, i) => (
        <circle class="bin" key={i} cx={x(each.foretold)} cy={y(each.came_true)} r={3 + 7 * Math.sqrt(each.outcomes / most)}>
          <title>{`foretold ${percent(each.foretold)}, came true ${percent(each.came_true)}, ${count(each.outcomes)} outcomes`}</title>
        </circle>
      ))}
      <text class="axis" x={(kSide + kPad) / 2} y={kSide - 2} text-anchor="middle">foretold, %</text>
      <text class="axis" transform={`translate(9 ${(kSide - kPad) / 2}) rotate(-90)`} text-anchor="middle">came true, %</text>
    </svg>
  );
}

function Bounds({ of }: { of: RouterState }) {
  if (of.bounds.length === 0) {
    return (
      <p class="empty">
        No quality is promised: the bar is {percent(of.threshold)}, and {percent(of.threshold_checked)} where a check tells.
        Promise one in the configuration: <code>[[router.bound]] max_loss = 0.05</code>
      </p>
    );
  }
  const scope = (each: BoundPromise) => words(each.operation) || each.app || "everything";
  return (
    <ul class="bounds">
      {of.bounds.map((each, i) => (
        <li key={i}>
          <b>{scope(each)}</b>: lose at most {percent(each.max_loss)} against cloud only, {percent(each.confidence)} sure.{" "}
          {each.kept ? (
            <span class="good">
              Kept: the device answers from {percent(each.bar)} on, by {count(each.audits)} audits.
            </span>
          ) : (
            <span class="warn">Not proved yet, so all of it goes to the cloud: {count(each.missing)} audits are missing, {count(each.audits)} are there.</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Tally({ right, wrong }: { right: number; wrong: number }) {
  const all = right + wrong;
  if (all < 0.5) return <span class="dim">–</span>;
  return (
    <span title={`${right.toFixed(1)} right, ${wrong.toFixed(1)} wrong`}>
      {percent(right / all)} <small class="dim">of {count(all)}</small>
    </span>
  );
}

export function RouterPage() {
  const news = Math.floor(ended.value.length / kRefetchEvery) + (ended.value[0]?.id ?? "");
  const { value, error } = useFetched<RouterState>("/minimill/v1/router", news);
  if (!value) return error ? <Trouble error={error} /> : <Empty>asking the router…</Empty>;
  const operations = [...value.operations].sort((a, b) => b.seen - a.seen);
  return (
    <div class="router">
      <div class="title">
        <h1>Router</h1>
        <p class="dim">
          {count(value.operations.length)} operations learnt, {count(value.calibration.outcomes)} estimates held against what came
        </p>
      </div>
      <div class="pair">
        <Panel title="Does it know what it doesn't know?" aside={`mean error ${percent(value.calibration.expected_calibration_error, 1)}`}>
          {value.calibration.outcomes === 0 ? <Empty>No estimate was held against an outcome yet.</Empty> : <Reliability of={value.calibration} />}
          <p class="dim">On the line, what is foretold with 70 % comes true 7 times of 10. Larger dots are more outcomes.</p>
        </Panel>
        <div class="stack">
          <Panel title="Quality promised">
            <Bounds of={value} />
          </Panel>
          <Panel title="How far each kind of evidence is believed">
            <table class="list">
              <caption class="unseen">Kinds of evidence</caption>
              <thead>
                <tr>
                  <th scope="col">Evidence</th>
                  <th scope="col" class="num">Weight</th>
                </tr>
              </thead>
              <tbody>
                {value.outcomes.map((each) => (
                  <tr key={each.kind}>
                    <th scope="row">{words(each.kind)}</th>
                    <td class="num">{percent(each.weight)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Panel>
        </div>
      </div>
      <Panel title="Operations">
        {operations.length === 0 ? (
          <Empty>None was recognised yet.</Empty>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Operations">
            <table class="list">
              <caption class="unseen">Operations and how they fared</caption>
              <thead>
                <tr>
                  <th scope="col">Operation</th>
                  <th scope="col" class="num">Met</th>
                  <th scope="col" class="num">Right on the device</th>
                  <th scope="col" class="num">Right in the cloud</th>
                  <th scope="col" class="num">Good ones in a row wanted</th>
                </tr>
              </thead>
              <tbody>
                {operations.map((each) => (
                  <tr key={each.operation}>
                    <th scope="row">
                      <a href={`${link("requests")}?operation=${encodeURIComponent(each.operation)}`}>{words(each.operation)}</a>
                    </th>
                    <td class="num">{count(each.seen)}</td>
                    <td class="num">
                      <Tally {...each.local} />
                    </td>
                    <td class="num">
                      <Tally {...each.cloud} />
                    </td>
                    <td class="num">{each.to_prove > 0 ? count(each.to_prove) : "–"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </div>
  );
}
