/* Added to notebook pages by nbgate. It says in a bar what somebody who works there cannot know: that the session is
   over, and where to sign in without leaving the page; or that something on the way lets nothing but pages through.

   It runs inside somebody else's page: while all is well it adds nothing to it, it never throws, it puts nothing in the
   place of what the page uses, and what it does add lies in a shadow root with a style of its own. It says only what it
   was told: no answer, no statement. */

(() => {
  "use strict";

  const ANSWER_MS = 10000;
  const PAUSE_MS = 3000;
  const CHECK_MS = 15000; // how often a page that is looked at asks whether its session lives
  const REST_MS = 2000; // at the least between two such questions
  const KERNEL_MS = 40000; // JupyterLab asks for a kernel it lost every 10 to 30 seconds
  const GIVEN_UP_MS = 130000; // JupyterLab's terminals and classic Notebook try seven times, in 120 and 127 seconds
  const OURS = [1008, 1012, 1013, 4401]; // what nbgate itself closes with: too much, restarting, busy, signed out
  const SIGNED_OUT = 4401;
  const KERNEL = /\/api\/kernels\/[^/?]+(\?|$)/;
  const WINDOW = "popup,width=480,height=640";
  const AGAIN = "You are signed in again.";
  const RELOAD = "Reload this page to go on.";
  const RELOAD_TERMINALS = "Reload this page to go on in its terminals.";
  const MAYBE_TERMINALS = "If a terminal stays silent for a minute, reload this page.";
  const MAYBE = "If this page does not go on within a minute, reload it.";
  const STYLE = `
    .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; box-sizing: border-box;
      max-width: 680px; padding: 0.625rem 0.75rem 0.625rem 1rem; font: 14px/1.4 system-ui, sans-serif;
      color: #17212d; background: #ffffff;
      border: 1px solid #e8b4b4; border-left: 4px solid #9c1c1c; border-radius: 8px;
      box-shadow: 0 8px 28px -6px rgb(16 32 48 / 35%); }
    .good { border-color: #a9d5b8; border-left-color: #14532d; }
    p { flex: 1 1 18rem; margin: 0; }
    a { color: #1f4e79; font-weight: 600; }
    button { min-width: 32px; min-height: 32px; padding: 0 0.75rem; font: inherit; color: inherit;
      background: transparent; border: 1px solid #7d8a98; border-radius: 6px; cursor: pointer; }
    .first { color: #ffffff; background: #1f4e79; border-color: #1f4e79; font-weight: 600; }
    :focus-visible { outline: 3px solid #1769c2; outline-offset: 2px; }
    @media (prefers-color-scheme: dark) {
      .bar { color: #e8edf2; background: #1a222c; border-color: #6b2f2f; border-left-color: #ffb4ab; }
      .good { border-color: #2f5a3d; border-left-color: #9fd8b0; }
      a { color: #8fc1ee; }
      .first { color: #0d1b29; background: #8fc1ee; border-color: #8fc1ee; }
      :focus-visible { outline-color: #7fb8f0; }
    }`;

  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || window.top !== window) { // <img name="currentScript"> takes its place
    return;
  }
  const page = new URL("../diagnose", script.src);
  let leaving = false;
  let forbidden = false;

  // --- the bar ---

  let bar = null;
  let isGood = false;

  function hide() {
    bar?.remove();
    bar = null;
  }

  function button(label, onclick, className = "") {
    return Object.assign(document.createElement("button"), { type: "button", textContent: label, onclick, className });
  }

  function link(label, href) {
    return Object.assign(document.createElement("a"), { href, target: "_blank", rel: "noopener", textContent: label });
  }

  /* Show a bar with `text`, what can be done, and a way to be rid of it, in the place of the one that is there. */
  function show(text, actions, className = "") {
    hide();
    if (leaving) {
      return;
    }
    const host = document.createElement("div");
    host.id = "nbgate-bar";
    host.style.cssText = "position: fixed; left: 16px; right: 16px; bottom: 40px; z-index: 2147483000;" +
      "display: flex; pointer-events: none;";
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a style element would fall under the page's own policy
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const box = document.createElement("div");
    box.className = `bar ${className}`;
    box.style.pointerEvents = "auto";
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    box.append(words, ...actions, button("Dismiss", hide));
    root.append(box);
    for (const kind of ["keydown", "keypress", "keyup"]) { // else Enter on a button opens a cell of classic Notebook
      host.addEventListener(kind, (event) => event.stopPropagation());
    }
    document.body.append(host);
    words.textContent = text; // after it is in the page, so that it is read out
    bar = host;
    isGood = className === "good";
  }

  // --- websockets that something blocks ---

  function address(path, attempt) {
    const url = new URL(`${page.pathname}/${path}`, page);
    url.searchParams.set("attempt", attempt);
    return url;
  }

  /* Say whether a websocket opens and sends back what it is sent. */
  function tries(attempt) {
    return new Promise((resolve) => {
      const url = address("socket", attempt);
      url.protocol = "wss:";
      const socket = new WebSocket(url.href);
      const end = (good) => {
        clearTimeout(timer);
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(good);
      };
      const timer = setTimeout(end, ANSWER_MS, false);
      socket.onopen = () => socket.send(attempt);
      socket.onmessage = (message) => end(message.data === attempt);
      socket.onclose = (event) => {
        if (event.code === SIGNED_OUT) {
          checkSoon();
        }
        end(OURS.includes(event.code));
      };
    });
  }

  /* Say whether pages still come through, and nbgate takes websockets at all. */
  async function isToBlame(attempt) {
    const answer = await fetch(address("seen", attempt), { cache: "no-store" });
    return answer.ok && (await answer.json()).websockets === true;
  }

  async function isBlocked() {
    for (let round = 0; round < 2; round += 1) {
      const attempt = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
        byte.toString(16).padStart(2, "0"),
      ).join("");
      if (await tries(attempt)) {
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (leaving || forbidden || !(await isToBlame(attempt))) {
        return false;
      }
    }
    return !leaving;
  }

  // --- the session ---

  const question = new URL("../api/session", script.src);
  const waiting = new Set(); // kernels that JupyterLab lost, and will ask for until it has them back
  let session = null; // what was last said of it
  let isOut = false;
  let since = 0; // when that was noticed
  let isAsking = false;
  let askAgain = false;
  let asked = -REST_MS;
  let soon = 0;
  let mayNotAsk = false;

  /* Return what is said of the session: an object while it lives, false when it is over, null when nobody could say. */
  async function ask() {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const answer = await fetch(question, { cache: "no-store", redirect: "error", signal });
      return answer.status === 401 ? false : answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  async function check() {
    soon = 0;
    askAgain = isAsking; // what the answer under way says may be older than the cause of this question
    if (isAsking || mayNotAsk || leaving) {
      return;
    }
    isAsking = true;
    asked = performance.now();
    const said = await ask();
    isAsking = false;
    if (said === false) {
      signedOut();
    } else if (said?.signed_in === true) {
      signedIn(said);
    }
    if (askAgain) {
      checkSoon();
    }
  }

  function checkSoon() {
    const wait = Math.max(0, asked + REST_MS - performance.now());
    soon ||= setTimeout(() => check().catch(() => undefined), wait); // the page may have no body left
  }

  function signedOut() {
    if (!isOut) {
      isOut = true;
      since = Date.now();
      showSignedOut();
    }
  }

  function showSignedOut() {
    const text = "You are signed out. What you typed is still on this page.";
    show(text, [button("Sign in", openWindow, "first")]);
  }

  function openWindow() {
    const login = new URL("../login?window=1", script.src).href;
    if (window.open(login, "nbgate-login", WINDOW) === null) {
      show("You are signed out, and this browser opens no window. Sign in in another tab.", [link("Sign in", login)]);
    }
  }

  function signedIn(said) {
    const before = session;
    const isOtherUser = before !== null && before.user !== said.user;
    const isOther = isOtherUser || (before !== null && before.session !== said.session);
    const hasGivenUp = isOut && Date.now() - since > GIVEN_UP_MS;
    session = said;
    if (!isOut && !isOther) {
      return;
    }
    isOut = false;
    hide();
    const advice = isOtherUser ? RELOAD : whatIsLost(hasGivenUp);
    if (advice) {
      const text = `${isOtherUser ? "Somebody else is signed in now." : AGAIN} ${advice}`;
      show(mayBeUnsaved() ? `${text} Save first.` : text, [button("Reload", () => location.reload(), "first")]);
    } else if (waiting.size > 0) {
      show(`${AGAIN} Notebooks go on within half a minute.`, [], "good");
      const shown = bar;
      setTimeout(() => shown === bar && hide(), KERNEL_MS);
    }
  }

  /* Say what to do about what does not go on by itself, or may not; "" where everything does. */
  function whatIsLost(hasGivenUp) {
    const classes = document.body.classList;
    if (classes.contains("terminal-app")) { // classic Notebook's terminal does not even try
      return RELOAD;
    }
    if (classes.contains("notebook_app")) {
      return hasGivenUp ? RELOAD : MAYBE;
    }
    if (document.querySelector(".jp-Terminal") !== null) {
      return hasGivenUp ? RELOAD_TERMINALS : MAYBE_TERMINALS;
    }
    const goesOn = document.getElementById("jupyter-config-data") !== null || "baseUrl" in document.body.dataset;
    return goesOn ? "" : MAYBE;
  }

  /* Say whether a reload could lose something: JupyterLab marks what is not saved, of others nobody knows. */
  function mayBeUnsaved() {
    const tells = document.getElementById("jupyter-config-data") !== null || document.body.matches(".terminal-app");
    return !tells || document.querySelector(".jp-mod-dirty") !== null;
  }

  /* Take note of an answer the page got: of a session that is over, or of a kernel it looks for. */
  function notice(entry) {
    const status = entry.responseStatus; // undefined in browsers that do not tell
    if (!status || !entry.name.startsWith(`${page.origin}/`)) {
      return;
    }
    if (!isOut && (status === 401 || status === 424)) {
      checkSoon();
    }
    if (KERNEL.test(entry.name)) {
      const kernel = entry.name.split("?", 1)[0];
      if (status === 424) {
        waiting.add(kernel);
      } else if (waiting.delete(kernel) && waiting.size === 0 && bar !== null && isGood) {
        hide();
      }
    }
  }

  function looksAgain() {
    if (document.visibilityState === "visible") {
      if (isOut && bar === null) {
        showSignedOut();
      }
      checkSoon();
    }
  }

  function watchSession() {
    new PerformanceObserver((list) => list.getEntries().forEach(notice)).observe({ type: "resource" });
    new BroadcastChannel("nbgate").onmessage = checkSoon;
    document.addEventListener("visibilitychange", looksAgain);
    addEventListener("focus", checkSoon);
    addEventListener("online", checkSoon);
    addEventListener("pageshow", (event) => event.persisted && checkSoon());
    setInterval(() => document.visibilityState === "visible" && checkSoon(), CHECK_MS);
    checkSoon();
  }

  addEventListener("pagehide", () => {
    leaving = true;
  });
  addEventListener("pageshow", () => {
    leaving = false;
  });
  document.addEventListener("securitypolicyviolation", (violation) => {
    forbidden ||= violation.blockedURI.includes(`${page.pathname}/socket`);
    mayNotAsk ||= violation.blockedURI.includes(question.pathname);
  });
  try {
    watchSession();
  } catch {
    // an old browser, or a page that has no origin: it is told nothing
  }
  isBlocked()
    .then((blocked) => {
      if (blocked && !isOut) {
        const text = "Something on the way blocks websockets, so notebooks cannot run code.";
        show(text, [link("Find out what", page.href)]);
      }
    })
    .catch(() => undefined); // no answer, no statement: the page it is a guest of must not notice
})();
