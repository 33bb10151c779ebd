// Light or dark: as the system says, until somebody chooses.

import { signal } from "@preact/signals";

export type Theme = "light" | "dark";

const kKey = "minimill-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>("light");

function chosen(): Theme | null {
  const kept = localStorage.getItem(kKey);
  return kept === "light" || kept === "dark" ? kept : null;
}

function apply() {
  theme.value = chosen() ?? (system.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme.value;
}

export function startTheme() {
  apply();
  system.addEventListener("change", apply);
}

export function switchTheme() {
  localStorage.setItem(kKey, theme.value === "dark" ? "light" : "dark");
  apply();
}
