// What changes by itself: the daemon's one event stream, and the one aggregate, as signals.

import { computed, effect, signal } from "@preact/signals";
import { ApiError, type FloorState, get, type Overview, type Provider, type Summary } from "./api";

const kKeptEnded = 200;
const kRetryMs = 1000;
const kOverviewEveryMs = 1000;
const kProvidersEveryMs = 5000;
const kMeasures = 500;

export type Connection = "connecting" | "live" | "lost" | "locked";

export const connection = signal<Connection>("connecting");
export const floor = signal<FloorState | null>(null);
export const ended = signal<Summary[]>([]); // newest first
export const days = signal(30);
export const overview = signal<Overview | null>(null);
export const today = computed(() => overview.value?.by_day.find((each) => each.day === todayIs()) ?? null);
export const providers = signal<Provider[]>([]);
export const now = signal(Date.now()); // by the daemon's clock, twice a second
export const stale = signal(false); // the daemon has a newer page than this
export const trouble = signal("");

function todayIs(): string {
  return new Date(now.value).toISOString().slice(0, 10);
}

let skewMs = 0; // of the daemon's clock
let source: EventSource | null = null;
let boot = "";
let pendingEnded: Summary[] = [];
let frame: FloorState | null = null;
let drawing = false;

/// All news since the last frame at once: however many come, the page is drawn once.
function draw() {
  if (drawing) return;
  drawing = true;
  const came = performance.now();
  // A page in the background is drawn rarely, and is still to know what is there.
  const next = document.hidden ? (then: () => void) => setTimeout(then, 250) : requestAnimationFrame;
  next(() => {
    drawing = false;
    if (frame) floor.value = frame;
    if (pendingEnded.length > 0) {
      ended.value = [...pendingEnded.reverse(), ...ended.value].slice(0, kKeptEnded);
      pendingEnded = [];
      overviewDue();
    }
    frame = null;
    setTimeout(() => {
      performance.measure("update", { start: came, end: performance.now() });
      if (performance.getEntriesByName("update").length > kMeasures) performance.clearMeasures("update");
    });
  });
}

function connect() {
  source?.close();
  const events = new EventSource("/minimill/v1/events");
  source = events;
  events.addEventListener("hello", (event) => {
    const hello = JSON.parse((event as MessageEvent<string>).data) as { boot: string };
    if (boot !== hello.boot) {
      if (boot) void lookForNewerPage();
      boot = hello.boot;
      refresh();
    } else if (connection.value !== "live") {
      refresh();
    }
    connection.value = "live";
  });
  events.addEventListener("floor", (event) => {
    frame = JSON.parse((event as MessageEvent<string>).data) as FloorState;
    skewMs = frame.now_ms - Date.now();
    draw();
  });
  events.addEventListener("ended", (event) => {
    pendingEnded.push(JSON.parse((event as MessageEvent<string>).data) as Summary);
    draw();
  });
  events.addEventListener("gap", () => refresh());
  events.onerror = () => {
    if (connection.value === "live") connection.value = "lost";
    if (events.readyState === EventSource.CLOSED && source === events) {
      source = null;
      void findOut();
    }
  };
}

/// Why there is no stream: no daemon, or one that does not know this browser (any more).
async function findOut() {
  try {
    await get("/minimill/v1/floor");
    connect();
    return;
  } catch (error) {
    const status = error instanceof ApiError ? error.status : 0;
    connection.value = status === 401 || status === 403 ? "locked" : "lost";
  }
  setTimeout(() => void findOut(), kRetryMs);
}

async function lookForNewerPage() {
  try {
    const page = await fetch("/", { headers: { accept: "text/html" }, cache: "no-cache" });
    const text = await page.text();
    const own = document.querySelector<HTMLScriptElement>("script[type=module]")?.getAttribute("src");
    stale.value = page.ok && own != null && !text.includes(own);
  } catch {
    // Whoever has no daemon has no newer page.
  }
}

let overviewTimer = 0;
let overviewAt = -Infinity; // when it was asked for
export function overviewDue() {
  if (overviewTimer || document.hidden) return;
  const wait = Math.max(0, overviewAt + kOverviewEveryMs - performance.now());
  overviewTimer = window.setTimeout(() => {
    overviewTimer = 0;
    void fetchOverview();
  }, wait);
}

async function fetchOverview() {
  overviewAt = performance.now();
  const asked = days.value;
  try {
    const got = await get<Overview>(`/minimill/v1/overview?days=${asked}`);
    if (asked === days.value) overview.value = got;
    trouble.value = "";
  } catch (error) {
    if (error instanceof ApiError && error.status > 403) trouble.value = error.message;
  }
}

async function fetchProviders() {
  try {
    providers.value = (await get<{ providers: Provider[] }>("/minimill/v1/providers")).providers;
  } catch {
    // The connection's state says what is wrong.
  }
}

async function fetchEnded() {
  try {
    const page = await get<{ requests: Summary[] }>("/minimill/v1/requests?limit=50");
    ended.value = page.requests;
  } catch {
    // As above.
  }
}

function refresh() {
  overviewAt = -Infinity;
  overviewDue();
  void fetchProviders();
  void fetchEnded();
}

export function start() {
  connect();
  effect(() => {
    days.value;
    overviewAt = -Infinity;
    overviewDue();
  });
  setInterval(() => (now.value = Date.now() + skewMs), 500);
  setInterval(() => {
    if (!document.hidden) void fetchProviders();
  }, kProvidersEveryMs);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
}
