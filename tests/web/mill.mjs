// What the page's tests share: the real daemon in a folder of its own, and a real browser.

import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync, existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const kDeadlineMs = 60_000; // generous: busy machines
export const kScreens = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../../build/screens");

function browserPath() {
  const named = process.env.MINIMILL_BROWSER;
  if (named) return named;
  const found = ["chromium", "chromium-browser", "google-chrome"]
    .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim())
    .find(Boolean);
  return found || undefined; // playwright-core's own, where it was installed
}

export async function launch() {
  mkdirSync(kScreens, { recursive: true });
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : []; // root may have none
  return chromium.launch({ executablePath: browserPath(), args: sandbox });
}

/// Whether `condition` gives something true before the deadline.
export async function eventually(condition, what) {
  const end = Date.now() + kDeadlineMs;
  let last;
  while (Date.now() < end) {
    try {
      const result = await condition();
      if (result) return result;
    } catch (error) {
      last = error;
    }
    await new Promise((then) => setTimeout(then, 25));
  }
  throw new Error(`not within ${kDeadlineMs} ms: ${what} ${last ?? ""}`);
}

async function freePort() {
  const server = createServer();
  await new Promise((then) => server.listen(0, "127.0.0.1", then));
  const { port } = server.address();
  await new Promise((then) => server.close(then));
  return port;
}

export class Mill {
  constructor(extra = "") {
    this.folder = mkdtempSync(path.join(tmpdir(), "mm-web-"));
    this.env = {
      ...process.env,
      XDG_DATA_HOME: path.join(this.folder, "data"),
      XDG_CONFIG_HOME: path.join(this.folder, "config"),
      NO_COLOR: "1",
    };
    this.model = path.join(this.folder, "tiny.gguf");
    const made = spawnSync(process.env.MINIMILL_TINY_GGUF, [this.model]);
    if (made.status !== 0) throw new Error(`no model was made: ${made.stderr}`);
    this.config = path.join(this.folder, "minimill.toml");
    writeFileSync(
      this.config,
      `[local]\nmodel = "${this.model}"\ncontext_tokens = 1024\n` +
        "[sim_cloud]\nenabled = true\nfirst_token_ms = 60\ntokens_per_second = 200\n" +
        "[prices.sim-large]\ninput = 2.5\noutput = 10.0\n" +
        extra,
    );
  }

  get database() {
    return path.join(this.folder, "data", "minimill", "minimill.db");
  }

  async start() {
    this.port ??= await freePort(); // the same after a restart, as an open page expects
    this.process = spawn(process.env.MINIMILL, ["--config", this.config, "serve", "--listen", `127.0.0.1:${this.port}`], {
      env: this.env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: this.process.stdout });
    await new Promise((then, fail) => {
      lines.once("line", (line) => (line.includes("listens on") ? then() : fail(new Error(line))));
      this.process.once("exit", (code) => fail(new Error(`the daemon exited with ${code}`)));
    });
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop(signal = "SIGTERM") {
    const { process: child } = this;
    if (!child || child.exitCode != null || child.signalCode) return;
    const gone = new Promise((then) => child.once("exit", then));
    child.kill(signal);
    await gone;
  }

  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  run(...args) {
    return new Promise((then, fail) =>
      execFile(process.env.MINIMILL, ["--config", this.config, ...args.map(String)], { env: this.env, maxBuffer: 1 << 26 }, (error, out, err) =>
        error ? fail(new Error(`${args}: ${err}`)) : then(out),
      ),
    );
  }

  async get(where) {
    const response = await fetch(this.url + where);
    if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async post(where, body, headers = {}) {
    const response = await fetch(this.url + where, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  chat(model, text, app = "mail-agent", more = {}) {
    return this.post("/v1/chat/completions", { model, messages: [{ role: "user", content: text }], max_tokens: 24, ...more }, { "user-agent": app });
  }

  task(title, more = {}) {
    return this.post("/minimill/v1/tasks", { title, ...more });
  }

  tasksFile(tasks) {
    const file = path.join(this.folder, "tasks.jsonl");
    writeFileSync(file, tasks.map((each) => JSON.stringify(each)).join("\n") + "\n");
    return file;
  }
}

export const exists = existsSync;
