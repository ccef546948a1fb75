/* Added to notebook pages by nbgate. It opens one websocket; when nothing but pages comes through, it says so in a bar.

   It runs inside somebody else's page: while all is well it adds nothing to it, it never throws, and what it does add
   lies in a shadow root with a style of its own. It stays silent whenever something else could be the cause: the page is
   left, the gateway is away, the session is over, the page's own policy forbids the connection. */

(() => {
  "use strict";

  const ANSWER_MS = 10000;
  const PAUSE_MS = 3000;
  const OURS = [1008, 1012, 1013, 4401]; // what nbgate itself closes with: too much, restarting, busy, signed out
  const STYLE = `
    .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; box-sizing: border-box; max-width: 680px;
      padding: 0.625rem 0.75rem 0.625rem 1rem; font: 14px/1.4 system-ui, sans-serif; color: #17212d; background: #ffffff;
      border: 1px solid #e8b4b4; border-left: 4px solid #9c1c1c; border-radius: 8px;
      box-shadow: 0 8px 28px -6px rgb(16 32 48 / 35%); }
    p { flex: 1 1 18rem; margin: 0; }
    a { color: #1f4e79; font-weight: 600; }
    button { min-width: 32px; min-height: 32px; padding: 0 0.5rem; font: inherit; color: inherit; background: transparent;
      border: 1px solid #7d8a98; border-radius: 6px; cursor: pointer; }
    :focus-visible { outline: 3px solid #1769c2; outline-offset: 2px; }
    @media (prefers-color-scheme: dark) {
      .bar { color: #e8edf2; background: #1a222c; border-color: #6b2f2f; border-left-color: #ffb4ab; }
      a { color: #8fc1ee; }
      :focus-visible { outline-color: #7fb8f0; }
    }`;

  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || window.top !== window) { // <img name="currentScript"> takes its place
    return;
  }
  const page = new URL("../diagnose", script.src);
  let leaving = false;
  let forbidden = false;

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
      socket.onclose = (event) => end(OURS.includes(event.code));
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

  /* Show a bar with `text`, a link and a way to be rid of it. */
  function show(text, label, href) {
    const host = document.createElement("div");
    host.id = "nbgate-bar";
    host.style.cssText = "position: fixed; left: 16px; right: 16px; bottom: 40px; z-index: 2147483000;" +
      "display: flex; pointer-events: none;";
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a style element would fall under the page's own policy
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.style.pointerEvents = "auto";
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    const link = document.createElement("a");
    Object.assign(link, { href, target: "_blank", rel: "noopener", textContent: label });
    const close = document.createElement("button");
    Object.assign(close, { type: "button", textContent: "Dismiss", onclick: () => host.remove() });
    bar.append(words, link, close);
    root.append(bar);
    document.body.append(host);
    words.textContent = text; // after it is in the page, so that it is read out
  }

  addEventListener("pagehide", () => {
    leaving = true;
  });
  document.addEventListener("securitypolicyviolation", (violation) => {
    forbidden ||= violation.blockedURI.includes(`${page.pathname}/socket`);
  });
  isBlocked()
    .then((blocked) => {
      if (blocked) {
        show("Something on the way blocks websockets, so notebooks cannot run code.", "Find out what", page.href);
      }
    })
    .catch(() => undefined); // no answer, no statement: the page it is a guest of must not notice
})();
