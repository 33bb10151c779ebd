// What was learnt from the cloud's answers: of each operation its rung, its proof, and what became of it.

import { useState } from "preact/hooks";
import { ApiError, post, type Skill } from "../api";
import { count, percent, time, words } from "../format";
import { ended } from "../live";
import { Empty, Panel, Trouble, useFetched } from "../parts";
import { link, place } from "../route";

interface Opened extends Skill {
  templates: string[];
  log: { at: string; text: string }[];
}

/// Right predictions on its way to the proof, and the bar it answers from.
function Proof({ of }: { of: Skill }) {
  const needed = of.predictions + of.missing;
  const share = of.bar != null ? 1 : needed > 0 ? of.predictions / needed : 0;
  const text = of.bar != null ? `answers from ${percent(of.bar)} sure on` : of.missing > 0 ? `${count(of.missing)} right predictions missing` : "nothing to prove yet";
  return (
    <span class="proof">
      <svg height="8" role="img" aria-label={text}>
        <rect class="track" width="100%" height="8" />
        <rect class={of.bar != null ? "goodfill" : "local"} width={`${100 * share}%`} height="8" />
      </svg>
      <small class="dim">{text}</small>
    </span>
  );
}

const kStateClass: Record<string, string> = { proven: "good", "on trial": "warn", learning: "", demoted: "bad", "pinned to the cloud": "bad" };

function Open({ operation, app }: { operation: string; app: string }) {
  const [asked, setAsked] = useState(0);
  const [failed, setFailed] = useState<ApiError | null>(null);
  const path = `/minimill/v1/skills/${encodeURIComponent(operation)}`;
  const { value, error } = useFetched<Opened>(`${path}?app=${encodeURIComponent(app)}`, asked);
  if (!value) return error ? <Trouble error={error} /> : null;
  const pinned = value.state === "pinned to the cloud";
  const pin = async () => {
    try {
      await post(`${path}/pin`, { app, to: pinned ? "auto" : "cloud" });
      setFailed(null);
      setAsked(asked + 1);
    } catch (why) {
      setFailed(why as ApiError);
    }
  };
  return (
    <Panel
      title={words(operation)}
      aside={
        <>
          <span class={kStateClass[value.state]}>{value.state}</span>
          <button onClick={() => void pin()}>{pinned ? "Let it answer again" : "Pin to the cloud"}</button>
        </>
      }
    >
      <Trouble error={failed} />
      <div class="columns">
        <div>
          <dl>
            <dt>Answers are</dt>
            <dd>{value.form || "of a form not known yet"}</dd>
            <dt>Learnt from</dt>
            <dd>{count(value.examples)} examples</dd>
            <dt>Foretold right</dt>
            <dd>{value.predictions > 0 ? `${percent(value.share_right)} of ${count(value.predictions)}` : "–"}</dd>
            <dt>Answered</dt>
            <dd>
              {count(value.answered)}, of which {count(value.right)} were found right and {count(value.wrong)} wrong
            </dd>
          </dl>
          <h3>What its requests share</h3>
          {value.templates.length === 0 ? <Empty>nothing yet</Empty> : value.templates.map((each, i) => <pre key={i}>{each}</pre>)}
        </div>
        <div>
          <h3>What became of it</h3>
          <ol class="log">
            {[...value.log].reverse().map((each, i) => (
              <li key={i}>
                <span class="dim num">{time(Date.parse(each.at))}</span> {each.text}
              </li>
            ))}
          </ol>
        </div>
      </div>
    </Panel>
  );
}

export function Skills() {
  const news = ended.value[0]?.id ?? "";
  const { value, error } = useFetched<{ skills: Skill[]; not_kept: { app: string; operation: string; answers: number }[] }>("/minimill/v1/skills", news);
  const [app, operation] = place.value.rest;
  if (!value) return error ? <Trouble error={error} /> : <Empty>looking…</Empty>;
  const skills = [...value.skills].sort((a, b) => b.answered - a.answered || b.examples - a.examples);
  return (
    <div class="skills">
      <div class="title">
        <h1>Skills</h1>
        <p class="dim">What the cloud answered, the device learns: micro-models of kilobytes, let in once proven</p>
      </div>
      {operation && <Open app={app} operation={operation} />}
      <Panel title="Operations">
        {skills.length === 0 ? (
          <Empty>Nothing was learnt yet. It begins with the first tasks that come again and again.</Empty>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Operations">
            <table class="list">
              <caption class="unseen">Operations and their rungs</caption>
              <thead>
                <tr>
                  <th scope="col">Operation</th>
                  <th scope="col">App</th>
                  <th scope="col">State</th>
                  <th scope="col">Answers are</th>
                  <th scope="col" class="num">Examples</th>
                  <th scope="col" class="num">Foretold right</th>
                  <th scope="col">Proof</th>
                  <th scope="col" class="num">Answered</th>
                  <th scope="col" class="num">Right, wrong</th>
                </tr>
              </thead>
              <tbody>
                {skills.map((each) => (
                  <tr key={`${each.app}/${each.operation}`}>
                    <th scope="row">
                      <a href={link("skills", each.app, each.operation)}>{words(each.operation)}</a>
                    </th>
                    <td>{each.app}</td>
                    <td class={kStateClass[each.state]}>{each.state}</td>
                    <td>{each.form || "–"}</td>
                    <td class="num">{count(each.examples)}</td>
                    <td class="num">{each.predictions > 0 ? percent(each.share_right) : "–"}</td>
                    <td>
                      <Proof of={each} />
                    </td>
                    <td class="num">{count(each.answered)}</td>
                    <td class="num">
                      {count(each.right)}, {count(each.wrong)}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {value.not_kept.length > 0 && (
        <Panel title="Could have been learnt from">
          <p class="dim">The cloud answered these, and nothing of it was kept: the apps' rules do not allow it.</p>
          <table class="list">
            <caption class="unseen">Answers that were not kept</caption>
            <tbody>
              {value.not_kept.map((each) => (
                <tr key={`${each.app}/${each.operation}`}>
                  <th scope="row">{words(each.operation)}</th>
                  <td>{each.app}</td>
                  <td class="num">{count(each.answers)} {each.answers === 1 ? "answer" : "answers"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
      )}
    </div>
  );
}
