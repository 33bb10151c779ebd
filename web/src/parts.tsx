// Small parts that every page is made of.

import { type ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, get, type LaneName, type Share } from "./api";
import { percent } from "./format";

export const Lane = ({ lane }: { lane: LaneName }) => (
  <span class={`tag ${lane}`}>{lane}</span>
);

export function Panel(props: {
  title: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        <div class="aside">{props.aside}</div>
      </header>
      {props.children}
    </section>
  );
}

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

export function Trouble({ error }: { error: ApiError | null }) {
  if (!error) return null;
  return (
    <p class="trouble" role="alert">
      <strong>{error.message}</strong> {error.hint}
    </p>
  );
}

/// A share with its interval of 95 %, as a bar.
export function ShareBar({ share, label }: { share: Share; label: string }) {
  if (share.share == null) return <span class="dim">no evidence yet</span>;
  const text = `${percent(share.share)} (${percent(share.low)} to ${percent(share.high)}), ${share.good} of ${share.of}`;
  const part = (from: number, to: number) => ({ x: `${100 * from}%`, width: `${Math.max(0.5, 100 * (to - from))}%` });
  return (
    <span class="sharebar" title={text}>
      <svg role="img" aria-label={`${label}: ${text}`} height="10">
        <rect class="track" width="100%" height="10" />
        <rect class="fill" {...part(0, share.share)} height="10" />
        <rect class="interval" {...part(share.low ?? 0, share.high ?? 0)} y="4" height="2" />
      </svg>
      <span class="num">{percent(share.share)}</span>
    </span>
  );
}

/// Fetched when shown, and again whenever `key` is another.
export function useFetched<T>(path: string, key: unknown = "") {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let gone = false;
    get<T>(path).then(
      (got) => {
        if (gone) return;
        setValue(got);
        setError(null);
      },
      (failed) => {
        if (!gone) setError(failed instanceof ApiError ? failed : new ApiError(0, String(failed)));
      },
    );
    return () => {
      gone = true;
    };
  }, [path, key]);
  return { value, error, setValue };
}
