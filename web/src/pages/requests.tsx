// The ledger, searched and paged by key: however many requests there are, a page is as quick as the first.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, type Summary } from "../api";
import { duration, subject, time, usd } from "../format";
import { ended, overview } from "../live";
import { Empty, Lane, Trouble } from "../parts";
import { go, link, place } from "../route";
import { verdict } from "./floor";

interface Page {
  requests: Summary[];
  next: string | null;
}

const kPage = 60;
const kTyping_ms = 200;
const kFilters = ["q", "app", "operation", "origin", "lane", "failed"];

function pathOf(query: URLSearchParams, after: string | null): string {
  const asked = new URLSearchParams();
  for (const key of kFilters) {
    const value = query.get(key);
    if (value) asked.set(key, value);
  }
  asked.set("limit", String(kPage));
  if (after) asked.set("after", after);
  return `/minimill/v1/requests?${asked}`;
}

/// One more filter, or one less where `value` is empty.
function filter(key: string, value: string) {
  const query = new URLSearchParams(place.value.query);
  if (value) query.set(key, value);
  else query.delete(key);
  go("requests", [], query, true);
}

function Filters({ query }: { query: URLSearchParams }) {
  const typing = useRef(0);
  const of = overview.value;
  const choice = (key: string, name: string, values: string[], shown = (value: string) => value) => (
    <label>
      <span>{name}</span>
      <select value={query.get(key) ?? ""} onChange={(event) => filter(key, event.currentTarget.value)}>
        <option value="">any</option>
        {values.map((each) => (
          <option value={each} key={each}>
            {shown(each)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <span>Search</span>
        <input
          type="search"
          placeholder="id, task, app, operation, model"
          defaultValue={query.get("q") ?? ""}
          onInput={(event) => {
            const text = event.currentTarget.value;
            clearTimeout(typing.current);
            typing.current = window.setTimeout(() => filter("q", text.trim()), kTyping_ms);
          }}
        />
      </label>
      {choice("lane", "Lane", ["local", "cloud"])}
      {choice("app", "App", of?.by_app.map((each) => each.app).filter(Boolean) ?? [])}
      {choice("operation", "Operation", of?.by_operation.map((each) => each.operation).filter(Boolean) ?? [])}
      {choice("origin", "From", ["app", "task", "batch", "shadow"])}
      <label class="check">
        <input
          type="checkbox"
          checked={query.get("failed") === "1"}
          onChange={(event) => filter("failed", event.currentTarget.checked ? "1" : "")}
        />
        <span>failed only</span>
      </label>
    </form>
  );
}

function Row({ each }: { each: Summary }) {
  const said = verdict(each);
  return (
    <tr>
      <td class="num time">{time(each.at_ms)}</td>
      <th scope="row">
        <a href={link("requests", each.id)}>{subject(each)}</a>
        {each.task && each.task !== subject(each) && <span class="dim"> {each.task}</span>}
      </th>
      <td class="app">{each.app || each.origin}</td>
      <td>
        <Lane lane={each.lane} />
      </td>
      <td class="model">{each.model.split("/").pop()}</td>
      <td class="num">
        {each.prompt_tokens} + {each.completion_tokens}
      </td>
      <td class="num">{duration(each.queued_ms)}</td>
      <td class="num">{duration(each.duration_ms)}</td>
      <td class="num">{each.cost_usd > 0 ? usd(each.cost_usd) : "–"}</td>
      <td>
        <span class={`said ${said.class}`}>{said.text}</span>
      </td>
    </tr>
  );
}

export function Requests() {
  const query = place.value.query;
  const asked = pathOf(query, null);
  const [rows, setRows] = useState<Summary[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const current = useRef(asked);
  current.current = asked;

  const load = async (after: string | null, before: Summary[]) => {
    setBusy(true);
    try {
      const page = await get<Page>(pathOf(query, after));
      if (current.current !== asked) return;
      setRows([...before, ...page.requests]);
      setNext(page.next);
      setError(null);
    } catch (failed) {
      setError(failed instanceof ApiError ? failed : new ApiError(0, String(failed)));
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => void load(null, []), [asked]);

  // Ended requests that are not in the list yet; whether they pass the filter, only the daemon knows.
  const since = rows?.[0]?.at_ms ?? 0;
  const fresh = rows ? ended.value.filter((each) => each.at_ms > since && !rows.some((row) => row.id === each.id)).length : 0;
  return (
    <div class="requests">
      <div class="title">
        <h1>Requests</h1>
        {fresh > 0 && (
          <button class="news" onClick={() => void load(null, [])}>
            {fresh} new, show
          </button>
        )}
      </div>
      <Filters query={query} />
      <Trouble error={error} />
      <div class="scroll" tabIndex={0} role="region" aria-label="The list">
        <table class="list">
          <caption class="unseen">Requests, newest first</caption>
          <thead>
            <tr>
              {["When", "What", "App", "Lane", "Model", "Tokens", "Waited", "Took", "Cost", ""].map((name) => (
                <th scope="col" class={["Tokens", "Waited", "Took", "Cost"].includes(name) ? "num" : ""} key={name}>
                  {name || <span class="unseen">Verdict</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{rows?.map((each) => <Row each={each} key={each.id} />)}</tbody>
        </table>
      </div>
      {rows?.length === 0 && !next && <Empty>No request is like that.</Empty>}
      {next && (
        <button class="wide" disabled={busy} onClick={() => void load(next, rows ?? [])}>
          {busy ? "looking…" : rows?.length ? "Older ones" : "Nothing among the newest; look further back"}
        </button>
      )}
    </div>
  );
}
