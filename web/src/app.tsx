import { useEffect } from "preact/hooks";
import { connection, floor, stale, trouble } from "./live";
import { Floor } from "./pages/floor";
import { Models } from "./pages/models";
import { MoneyPage } from "./pages/money";
import { Playground } from "./pages/playground";
import { Request } from "./pages/request";
import { Requests } from "./pages/requests";
import { RouterPage } from "./pages/router";
import { Skills } from "./pages/skills";
import { link, place } from "./route";
import { switchTheme, theme } from "./theme";

const kPages = [
  { page: "floor", name: "Floor", show: Floor },
  { page: "requests", name: "Requests", show: Requests },
  { page: "money", name: "Money", show: MoneyPage },
  { page: "router", name: "Router", show: RouterPage },
  { page: "skills", name: "Skills", show: Skills },
  { page: "models", name: "Models", show: Models },
  { page: "playground", name: "Playground", show: Playground },
];

function Locked() {
  return (
    <main id="main" class="locked">
      <h1>This browser is not let in yet</h1>
      <p>
        There are keys on this minimill, so that it wants to know who looks. On the machine itself, run
      </p>
      <pre>minimill open</pre>
      <p>It prints a link that lets this browser in, once. No password, no account.</p>
    </main>
  );
}

function Connection() {
  const says = { connecting: "connecting", live: "live", lost: "connection lost, trying again", locked: "locked" };
  return (
    <span class={`connection ${connection.value}`} role="status">
      <i aria-hidden="true" />
      {says[connection.value]}
    </span>
  );
}

function Heading() {
  const dark = theme.value === "dark";
  return (
    <header class="top">
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <a class="brand" href={link("floor")} aria-label="minimill, the floor">
        <svg viewBox="0 0 32 20" width="26" height="17" aria-hidden="true">
          <path class="side" d="M7 3h18l5 15H2z" />
          <path class="face" d="M7 3h18l-2 5H9z" />
        </svg>
        minimill
      </a>
      <nav aria-label="Pages">
        {kPages.map((each) => (
          <a href={link(each.page)} aria-current={place.value.page === each.page ? "page" : undefined}>
            {each.name}
          </a>
        ))}
      </nav>
      <Connection />
      <button class="quiet" onClick={switchTheme} aria-label={`Switch to ${dark ? "light" : "dark"}`}>
        {dark ? "☀" : "☾"}
      </button>
    </header>
  );
}

/// The hash is the page's place, so that a link to an anchor would leave it.
function skip(event: Event) {
  event.preventDefault();
  const main = document.getElementById("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

export function App() {
  const { page, rest } = place.value;
  const shown = kPages.find((each) => each.page === page) ?? kPages[0];
  useEffect(() => {
    document.title = shown.page === "floor" ? "minimill" : `${shown.name} · minimill`;
    scrollTo(0, 0);
  }, [shown]);
  const Page = shown.page === "requests" && rest.length > 0 ? Request : shown.show;
  return (
    <>
      <Heading />
      {stale.value && (
        <p class="notice" role="status">
          The daemon was renewed, and has a newer page. <button onClick={() => location.reload()}>Load it</button>
        </p>
      )}
      {trouble.value && <p class="notice bad">{trouble.value}</p>}
      {connection.value === "locked" ? (
        <Locked />
      ) : (
        <main id="main" class={connection.value === "lost" && floor.value ? "asleep" : ""}>
          <Page />
        </main>
      )}
    </>
  );
}
