/* The script of the connection check: tries one thing after the other, and shows the words that fit what it found.

   The words stand in the page; this chooses among them. */

(() => {
  "use strict";

  const OPEN_MS = 8000;
  const ECHO_MS = 8000;
  const LARGE_MS = 15000;
  const LATE_MS = 2000;
  const LARGE_BYTES = 256 * 1024;
  const OURS = { 1008: "busy", 1012: "busy", 1013: "busy", 4401: "signed-out" }; // what nbgate itself closes with

  const page = new URL("../diagnose", document.currentScript.src);
  const again = document.getElementById("again");
  const details = document.getElementById("details");

  function address(path, attempt) {
    const url = new URL(`${page.pathname}/${path}`, page);
    url.searchParams.set("attempt", attempt);
    return url;
  }

  function mark(step, state, text) {
    const item = document.querySelector(`[data-step="${step}"]`);
    item.dataset.state = state;
    item.querySelector(".state").textContent = text;
    if (state === "bad" || state === "good" || state === "late") {
      note(`${item.children[1].textContent}: ${text}`);
    }
  }

  function note(line) {
    details.textContent += `${line}\n`;
  }

  function begin() {
    again.disabled = true;
    document.getElementById("verdicts").dataset.found = "";
    details.textContent = "";
    note(`${new Date().toISOString()} ${location.origin}`);
    note(navigator.userAgent);
    for (const item of document.querySelectorAll("[data-step]")) {
      mark(item.dataset.step, "", "not tried");
    }
    for (const section of document.querySelectorAll("[data-verdict]")) {
      section.hidden = true;
    }
  }

  function finish(verdict) {
    document.querySelector(`[data-verdict="${verdict}"]`).hidden = false;
    document.getElementById("verdicts").dataset.found = verdict;
    note(`Result: ${verdict}`);
    again.disabled = false;
  }

  /* Return what `begun` gives and how long it took; rejects with the text of what went wrong. */
  async function timed(begun, limit) {
    const start = performance.now();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing within ${limit / 1000} seconds`)), limit);
    });
    try {
      const value = await Promise.race([begun, late]);
      return { value, took: Math.round(performance.now() - start) };
    } finally {
      clearTimeout(timer);
    }
  }

  /* A websocket whose next event can be awaited; each rejection says how it ended. */
  class Socket {
    constructor(url) {
      this.code = 0;
      this.socket = new WebSocket(url);
      this.socket.binaryType = "arraybuffer";
      this.opened = new Promise((resolve, reject) => {
        this.socket.onopen = resolve;
        this.refuse = reject;
      });
      this.opened.catch(() => undefined);
      this.socket.onclose = (event) => {
        this.code = event.code;
        this.refuse(new Error(`the connection ended (${event.code})`));
      };
    }

    echo(data) {
      const answer = new Promise((resolve, reject) => {
        this.socket.onmessage = (message) => resolve(message.data);
        this.refuse = reject;
      });
      answer.catch(() => undefined);
      if (this.socket.readyState === WebSocket.OPEN) {
        this.socket.send(data);
      } else {
        this.refuse(new Error(`the connection ended (${this.code})`));
      }
      return answer;
    }

    close() {
      this.socket.onclose = null;
      this.socket.close();
    }
  }

  function isSame(one, other) {
    const [left, right] = [new Uint8Array(one), new Uint8Array(other)];
    return left.length === right.length && left.every((byte, at) => byte === right[at]);
  }

  function randomBytes(count) {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 65536) { // the most that may be drawn at once
      crypto.getRandomValues(bytes.subarray(at, Math.min(count, at + 65536)));
    }
    return bytes;
  }

  /* Ask what nbgate knows of this attempt; null when there is no answer, or one that names its own verdict. */
  async function ask(attempt) {
    try {
      const { value: answer, took } = await timed(fetch(address("seen", attempt), { cache: "no-store" }), OPEN_MS);
      if (answer.status === 401) {
        return { verdict: "signed-out", text: "answered with 401" };
      }
      if (!answer.ok) {
        return { verdict: "unreachable", text: `answered with ${answer.status}` };
      }
      const { handshake, websockets } = await answer.json();
      return { handshake, took, verdict: websockets ? "" : "busy" };
    } catch (error) {
      return { verdict: "unreachable", text: error.message };
    }
  }

  /* Say why a websocket did not open: nbgate knows whether, and in which form, its handshake arrived. */
  async function whyNotOpen(attempt) {
    const known = await ask(attempt);
    if (known.verdict) {
      return known.verdict;
    }
    note(`Handshake at nbgate: ${known.handshake}`);
    return { none: "blocked", plain: "stripped", upgrade: "unanswered" }[known.handshake];
  }

  /* Take one step with the socket; null when it failed, else how long it took. */
  async function step(name, begun, limit, isGood) {
    mark(name, "", "trying …");
    try {
      const { value, took } = await timed(begun, limit);
      if (!isGood(value)) {
        throw new Error("something else came back");
      }
      return took;
    } catch (error) {
      mark(name, "bad", error.message);
      return null;
    }
  }

  async function check(attempt) {
    mark("page", "", "trying …");
    const known = await ask(attempt);
    if (known.text) {
      mark("page", "bad", known.text);
      return known.verdict;
    }
    mark("page", "good", `works, ${known.took} ms`);
    if (known.verdict) {
      return known.verdict;
    }
    const url = address("socket", attempt);
    url.protocol = "wss:";
    const socket = new Socket(url.href);
    try {
      return await converse(socket, attempt);
    } finally {
      socket.close();
    }
  }

  async function converse(socket, attempt) {
    const opened = await step("open", socket.opened, OPEN_MS, () => true);
    if (opened === null) {
      return whyNotOpen(attempt);
    }
    mark("open", "good", `works, ${opened} ms`);
    const echoed = await step("echo", socket.echo(attempt), ECHO_MS, (data) => data === attempt);
    if (echoed === null) {
      return OURS[socket.code] || "silent";
    }
    const isLate = echoed > LATE_MS;
    mark("echo", isLate ? "late" : "good", isLate ? `late, ${echoed} ms` : `works, ${echoed} ms`);
    const sent = randomBytes(LARGE_BYTES);
    const large = await step("large", socket.echo(sent), LARGE_MS, (data) => isSame(data, sent));
    if (large === null) {
      return OURS[socket.code] || "small";
    }
    mark("large", "good", `works, ${large} ms`);
    return isLate ? "late" : "works";
  }

  async function run() {
    begin();
    const attempt = Array.from(randomBytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
    finish(await check(attempt));
  }

  again.addEventListener("click", run);
  run();
})();
