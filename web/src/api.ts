// minimill's public API (GET /openapi.json), as far as the page uses it. Its errors come back as ApiError, with what
// the daemon says and what it advises.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint = "",
  ) {
    super(message);
  }
}

export async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch {
    throw new ApiError(0, "the daemon does not answer", "is it running? minimill serve");
  }
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (!response.ok) {
    const error = (body as { error?: { message?: string; hint?: string } } | undefined)?.error;
    throw new ApiError(response.status, error?.message ?? `the daemon answered ${response.status}`, error?.hint);
  }
  return body as T;
}

export const get = <T>(path: string) => call<T>(path);
export const post = <T>(path: string, body: unknown) =>
  call<T>(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

// What it answers with.

export type LaneName = "local" | "cloud";

export interface Share {
  good: number;
  of: number;
  share: number | null;
  low: number | null;
  high: number | null;
}

export interface LaneSum {
  answered: number;
  attempts: number;
  failures: number;
  checks: Share;
  judged: Share;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}

export interface Money {
  spent_usd: number;
  comparing_usd: number;
  all_cloud_usd: number;
  saved_usd: number;
  saved_low_usd: number | null;
  saved_high_usd: number | null;
  pairs: number;
}

export interface Sum {
  requests: number;
  answered: number;
  errors: number;
  escalated: number;
  local: LaneSum;
  cloud: LaneSum;
  share_local: Share;
  checks: Share;
  judged: Share;
  mean_wait_ms: number;
  mean_duration_ms: number;
  prompt_tokens: number;
  completion_tokens: number;
  money: Money;
}

export interface BoundPromise {
  app: string;
  operation: string;
  max_loss: number;
  confidence: number;
  kept: boolean;
  bar: number | null;
  audits: number;
  missing: number;
}

export interface Overview {
  since: string;
  until: string;
  all: Sum;
  promises: BoundPromise[];
  by_day: (Sum & { day: string })[];
  by_app: (Sum & { app: string })[];
  by_operation: (Sum & { operation: string })[];
  by_provider: (Sum & { provider: string })[];
}

export interface Waiting {
  app: string;
  task: string;
  run: string;
  title: string;
  operation: string;
  interactive: boolean;
  since_ms: number;
}

export type Phase = "queued" | "loading" | "reading" | "answering" | "writing";

export interface Running {
  id: string;
  app: string;
  task: string;
  run: string;
  title: string;
  origin: string;
  operation: string;
  model: string;
  backend: string;
  phase: Phase;
  p_local_ok: number;
  attempt: number;
  since_ms: number;
  tokens: number;
  tokens_per_second: number | null;
}

export interface LaneState {
  lane: LaneName;
  slots: number;
  running: number;
  waiting: number;
  expected_wait_s: number;
  requests: Running[];
  queue: Waiting[];
}

export interface Engine {
  model: string;
  state: "stopped" | "starting" | "ready" | "failed";
  in_flight: number;
  restarts: number;
  error: string;
}

export interface FloorState {
  now_ms: number;
  lanes: LaneState[];
  engines: Engine[];
  machine: { processors: number; memory_available: number; load: number | null };
}

export interface Summary {
  id: string;
  at_ms: number;
  app: string;
  origin: string;
  task: string;
  run: string;
  operation: string;
  lane: LaneName;
  model: string;
  backend: string;
  status: number;
  error: string;
  attempts: number;
  escalated: boolean;
  good: boolean | null;
  p_local_ok: number;
  queued_ms: number;
  first_token_ms: number;
  duration_ms: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
  cloud_usd: number;
}

export interface Reason {
  layer: string;
  text: string;
  weight: number;
}

export interface Attempt {
  lane: LaneName;
  backend: string;
  model: string;
  queued_ms: number;
  first_token_ms: number;
  duration_ms: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
  usage_estimated: boolean;
  hedge: boolean;
  held_tokens: number;
  held_ms: number;
  p_held: number;
  error: string;
}

export interface Outcome {
  at: string;
  kind: string;
  ok: boolean;
  detail: string;
}

export interface Why {
  request: string;
  at: string;
  app: string;
  task: string;
  run: string;
  trace: string;
  model_asked: string;
  privacy: string;
  status: number;
  lane: LaneName;
  model: string;
  operation: string;
  p_local_ok: number;
  threshold: number;
  cloud_usd: number;
  reasons: Reason[];
  attempts: Attempt[];
  outcomes: Outcome[];
}

export interface Task {
  id: string;
  run: string;
  title: string;
  notes: string;
  state: string;
  answer: string;
  error: string;
  lane: LaneName;
  escalated: boolean;
  failures?: { at: string; attempt: number; lane: string; error: string }[];
}

export interface Provider {
  name: string;
  configured: boolean;
  protocol: string;
  base_url: string;
  key: string;
  at_a_time: number;
  at_a_time_limit: number;
  waiting: number;
  models: {
    model: string;
    price: { input_usd_per_mtok: number; output_usd_per_mtok: number } | null;
    measured: {
      answers: number;
      first_token_ms: number | null;
      tokens_per_second: number | null;
      duration_ms: number | null;
      error_rate: number;
      breaker: string;
      last_error?: string;
    } | null;
  }[];
}

export interface RouterState {
  threshold: number;
  threshold_checked: number;
  bounds: BoundPromise[];
  calibration: {
    outcomes: number;
    expected_calibration_error: number;
    bins: { outcomes: number; foretold: number; came_true: number }[];
  };
  outcomes: { kind: string; weight: number; agreed: number; disagreed: number }[];
  local_models: string[];
  operations: {
    operation: string;
    title: string;
    seen: number;
    local: { right: number; wrong: number };
    cloud: { right: number; wrong: number };
    to_prove: number;
  }[];
}

export interface Skill {
  app: string;
  operation: string;
  state: string;
  form: string;
  examples: number;
  predictions: number;
  share_right: number;
  bar: number | null;
  missing: number;
  answered: number;
  right: number;
  wrong: number;
}

export interface Budget {
  scope: string;
  of: string;
  usd_per_day: number | null;
  usd_per_month: number | null;
  soft: number;
  spent_today_usd: number;
  spent_this_month_usd: number;
}
