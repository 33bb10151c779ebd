// A uPlot chart that follows its data, its width and the theme.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Overview, Sum } from "./api";
import { theme } from "./theme";

export type Palette = Record<"ink" | "dim" | "line" | "local" | "cloud" | "good" | "panel", string>;

function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: color("ink"),
    dim: color("dim"),
    line: color("line"),
    local: color("local"),
    cloud: color("cloud"),
    good: color("good"),
    panel: color("panel"),
  };
}

export function Chart(props: {
  label: string; // what it shows, for who cannot see it
  height: number;
  data: uPlot.AlignedData;
  options: (colors: Palette) => Omit<uPlot.Options, "width" | "height">;
}) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const series = props.data.length;
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(
      { ...props.options(palette()), width: element.clientWidth, height: props.height },
      props.data,
      element,
    );
    chart.current = made;
    const follow = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: props.height }));
    follow.observe(element);
    return () => {
      follow.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [theme.value, series, props.height]);
  useEffect(() => chart.current?.setData(props.data), [props.data]);
  return <div class="chart" ref={box} role="img" aria-label={props.label} />;
}

const kDay_s = 86_400;
const kLeastDays = 7; // shown, of however short a span

/// Every day since the first one that has something to show, at its noon (UTC), also those without any request.
export function everyDay(of: Overview): { at: number; sum: Sum | undefined }[] {
  const found = new Map<string, Sum>(of.by_day.map((each) => [each.day, each]));
  const end = Date.parse(of.until) / 1000;
  const first = of.by_day.length > 0 ? Date.parse(of.by_day[0].day) / 1000 : end;
  const all = [];
  for (let day = Math.min(first, end - kLeastDays * kDay_s); day < end; day += kDay_s) {
    all.push({ at: day + kDay_s / 2, sum: found.get(new Date(day * 1000).toISOString().slice(0, 10)) });
  }
  return all;
}

export const font = (size: number) => `${size}px "IBM Plex Sans Condensed", system-ui, sans-serif`;

export const axis = (colors: Palette): uPlot.Axis => ({
  stroke: colors.dim,
  font: font(12),
  grid: { stroke: colors.line, width: 1 },
  ticks: { show: false },
});

const kLabel_px = 64; // what a day's name takes
const dayName = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

/// The days themselves, each under its bar, as many as there is room for; the last one always.
export const dayAxis = (colors: Palette): uPlot.Axis => ({
  ...axis(colors),
  grid: { show: false },
  size: 26,
  splits: (chart) => {
    const all = chart.data[0];
    const every = Math.max(1, Math.ceil((all.length * kLabel_px) / Math.max(kLabel_px, chart.bbox.width / devicePixelRatio)));
    return all.filter((_, i) => (all.length - 1 - i) % every === 0) as number[];
  },
  values: (_, at) => at.map((each) => dayName.format(new Date(each * 1000))),
});
