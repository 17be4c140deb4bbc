/* Every page's script. Pages work without it; it follows what goes on and waits for pictures. */
"use strict";

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const announcer = () => document.getElementById("announcer");

/* Times in the reader's own zone; the page's own words stay as a tooltip. */
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const year = moment.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    time.title = time.textContent;
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, {
      year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
    }).format(moment);
  }
}

/* A picture is made on demand after all jobs: 202 until it is there. */
async function show(image) {
  const placeholder = image.parentElement.querySelector(".drawing");
  for (let attempt = 0; attempt < 60 && image.isConnected; attempt += 1) {
    const answer = await fetch(image.dataset.rendition, { headers: { Prefer: "wait=10" } }).catch(() => null);
    if (answer?.status === 200 && answer.headers.get("Content-Type")?.startsWith("image/")) {
      await answer.blob();
      image.src = image.dataset.rendition;
      await image.decode().catch(() => null);
      image.hidden = false;
      image.dispatchEvent(new Event("drawn", { bubbles: true }));
      placeholder.remove();
      return;
    }
    if (answer && answer.status !== 202 && answer.status !== 503) break;
    await pause(Number(answer?.headers.get("Retry-After")) || 2);
  }
  placeholder.textContent = image.alt;
}

/* Where the keyboard was, found again in what has been drawn anew. */
function hold(region) {
  const focused = document.activeElement;
  if (!region.contains(focused)) return () => undefined;
  const href = focused.getAttribute("href");
  return (fresh) => {
    const same = href && [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
    (same || fresh.querySelector("h2"))?.focus();
  };
}

/* Replace the living part of the page by the server's newer one. */
async function refresh(region) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!fresh) throw new Error("nothing");
  /* Parsed apart from a window, what is meant for browsers without script is as real as the rest. */
  for (const other of fresh.querySelectorAll("noscript")) other.remove();
  document.adoptNode(fresh);
  enliven(fresh);
  const release = hold(region);
  region.replaceWith(fresh);
  release(fresh);
  return fresh;
}

/* Nobody looks: nothing is asked. */
const visible = () => new Promise((done) => {
  if (!document.hidden) return done();
  return document.addEventListener("visibilitychange", () => done(), { once: true });
});

/* How long a poll waits for news, and how long to rest after it. A job is waited for; lists and batches are looked at. */
const PACES = {
  job: (round) => ({ wait: round < 10 ? 2 : 15, rest: 0.3 }), /* short at first: "being read" is seen too */
  batch: () => ({ wait: 0, rest: 2 }),
  list: (_, busy) => ({ wait: 0, rest: busy ? 4 : 20 }),
};

/* Ask for what the page shows, in one request; what changed is drawn by the server and said aloud. */
async function follow() {
  for (let round = 0, held = null; ; round += 1) {
    const region = document.getElementById("live");
    const { kind, busy, poll } = region.dataset;
    if (!poll || (kind !== "list" && busy !== "yes")) return;
    const { wait, rest } = PACES[kind](round, busy === "yes");
    if (kind !== "job") await pause(rest);
    await visible();
    held ??= region.dataset.etag ?? null;
    const headers = { Accept: "application/json", ...(wait && { Prefer: `wait=${wait}` }), ...(held && { "If-None-Match": held }) };
    const answer = await fetch(poll, { headers }).catch(() => null);
    if (answer?.status === 403 || answer?.status === 404) return;
    if (answer?.status === 401) {
      announcer().textContent = region.dataset.lost;
      announcer().className = "alert";
      return;
    }
    if (answer?.status === 200 && answer.headers.get("ETag") !== held) {
      const fresh = await refresh(document.getElementById("live")).catch(() => null);
      held = fresh && (fresh.dataset.etag ?? answer.headers.get("ETag"));
      if (fresh) announcer().textContent = fresh.dataset.sentence;
    }
    await pause(answer?.ok || answer?.status === 304 ? (kind === "job" ? rest : 0) : 3);
  }
}

/* What has no address to ask is drawn anew while something in it still moves, unless somebody is in it. */
async function redraw() {
  for (;;) {
    const region = document.getElementById("live");
    if (region.dataset.busy !== "yes") return;
    await pause(PACES.list(0, true).rest);
    await visible();
    if (!region.contains(document.activeElement)) await refresh(region).catch(() => null);
  }
}

/* A browser's own recording does not say how long it is: look at its end once. */
function measure(audio) {
  audio.addEventListener("loadedmetadata", () => {
    if (Number.isFinite(audio.duration)) return;
    audio.addEventListener("timeupdate", () => { audio.currentTime = 0; }, { once: true });
    audio.currentTime = Number.MAX_SAFE_INTEGER;
  });
}

/* A telephone's AMR is read here, but no browser plays it. */
function excuse(audio) {
  const say = () => {
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = audio.dataset.unplayable;
    audio.replaceWith(line);
  };
  if (audio.error) say();
  else audio.addEventListener("error", say, { once: true });
}

/* Other scripts add what they do to a part of the page that has just been drawn. */
const enliveners = [];

function enliven(root) {
  localise(root);
  for (const also of enliveners) also(root);
  for (const audio of root.querySelectorAll("audio")) {
    measure(audio);
    if (audio.dataset.unplayable) excuse(audio);
  }
  for (const image of root.querySelectorAll("img[data-rendition]")) requestAnimationFrame(() => show(image));
}

enliven(document);
if (document.getElementById("live")) (document.getElementById("live").dataset.poll ? follow : redraw)();
