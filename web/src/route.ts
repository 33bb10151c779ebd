// Where in the page one is: "#/requests/req_01J?lane=local". The address bar holds all of it, so that the back button
// and a sent link work.

import { signal } from "@preact/signals";

export interface Place {
  page: string;
  rest: string[];
  query: URLSearchParams;
}

function read(): Place {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { page: parts[0] ?? "floor", rest: parts.slice(1), query: new URLSearchParams(query) };
}

export const place = signal<Place>(read());
addEventListener("hashchange", () => (place.value = read()));

export function link(page: string, ...rest: string[]): string {
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}`;
}

export function go(page: string, rest: string[] = [], query?: URLSearchParams, replace = false) {
  const hash = link(page, ...rest) + (query && [...query].length > 0 ? `?${query}` : "");
  if (replace) {
    history.replaceState(null, "", hash);
    place.value = read();
  } else {
    location.hash = hash;
  }
}
