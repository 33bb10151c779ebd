// Numbers as people read them. Every figure of the page is written by these.

export function percent(share: number | null | undefined, digits = 0): string {
  if (share == null || Number.isNaN(share)) return "–";
  return `${(100 * share).toFixed(digits)} %`;
}

/// As many digits as say something: $12.40, $0.021, $0.00034.
export function usd(amount: number | null | undefined): string {
  if (amount == null || Number.isNaN(amount)) return "–";
  const size = Math.abs(amount);
  if (size < 5e-7) return "$0";
  const digits = size >= 1 ? 2 : size >= 0.1 ? 3 : Math.min(6, 1 - Math.floor(Math.log10(size)));
  return `${amount < 0 ? "−" : ""}$${size.toFixed(digits)}`;
}

export function duration(ms: number | null | undefined): string {
  if (ms == null || Number.isNaN(ms)) return "–";
  if (ms < 0.5) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  if (s < 172_800) return `${(s / 3600).toFixed(1)} h`;
  return `${Math.round(s / 86_400)} d`;
}

export function count(number: number): string {
  if (number < 10_000) return String(Math.round(number));
  if (number < 1e6) return `${(number / 1e3).toFixed(number < 1e5 ? 1 : 0)} k`;
  return `${(number / 1e6).toFixed(number < 1e7 ? 2 : 1)} M`;
}

export function bytes(size: number): string {
  if (size < 1e6) return `${Math.round(size / 1e3)} kB`;
  if (size < 1e9) return `${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB`;
  return `${(size / 1e9).toFixed(1)} GB`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/// The time of day; with its date where that is not today.
export function time(at: number): string {
  const then = new Date(at);
  const today = new Date().toDateString() === then.toDateString();
  return today ? clock.format(then) : `${date.format(then)} ${clock.format(then)}`;
}

/// "triage-this-mail" → "triage this mail"
export const words = (slug: string) => slug.replace(/-/g, " ");

/// What a request is, in the fewest words there are for it.
export const subject = (of: { title?: string; operation: string; task?: string }) =>
  of.title || words(of.operation) || of.task || "something new";
