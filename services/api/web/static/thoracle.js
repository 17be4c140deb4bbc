/* The one script. Pages work without it; it drops files, follows jobs and waits for pictures. */
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
      placeholder.remove();
      return;
    }
    if (answer && answer.status !== 202 && answer.status !== 503) break;
    await pause(Number(answer?.headers.get("Retry-After")) || 2);
  }
  placeholder.textContent = image.alt;
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
  const held = region.contains(document.activeElement);
  region.replaceWith(fresh);
  if (held) fresh.querySelector("h2")?.focus();
  return fresh;
}

/* Long poll a job until it has ended; each change is drawn by the server and said aloud. */
async function follow(region) {
  let etag = null;
  for (let round = 0; region.dataset.busy === "yes"; round += 1) {
    /* The poll ends when the job has ended; short ones at first, so that "being read" is seen too. */
    const wait = round < 10 ? 2 : 15;
    const headers = { Accept: "application/json", Prefer: `wait=${wait}`, ...(etag && { "If-None-Match": etag }) };
    const answer = await fetch(region.dataset.poll, { headers }).catch(() => null);
    if (answer?.status === 403 || answer?.status === 404) return;
    if (answer?.status === 401) {
      announcer().textContent = region.dataset.lost;
      announcer().className = "alert";
      return;
    }
    if (answer?.status === 200 && answer.headers.get("ETag") !== etag) {
      etag = answer.headers.get("ETag");
      region = await refresh(region).catch(() => region);
      announcer().textContent = region.dataset.sentence;
    }
    await pause(answer?.ok || answer?.status === 304 ? 0.3 : 3);
  }
}

/* While something on the worklist still waits or runs, look again every few seconds. */
async function watch(region) {
  while (region.dataset.busy === "yes") {
    await pause(4);
    if (!document.hidden && !region.contains(document.activeElement)) region = await refresh(region).catch(() => region);
  }
}

/* A sound may be a cough or a lung sound: ask, and only then. */
const SOUND = /\.(wav|flac|mp3|og[ag]|opus|m4a|mp4|mov|3g[p2]|webm|mka|aac|amr|aif[cf]?|caf)$/i;
function ask(input, fieldset) {
  const file = input.files[0];
  const sound = Boolean(file) && (file.type.startsWith("audio/") || SOUND.test(file.name));
  fieldset.hidden = !sound;
  fieldset.disabled = !sound;
  for (const radio of fieldset.querySelectorAll("input")) radio.required = sound;
}

function enlivenForm(form) {
  const input = form.querySelector("#file");
  const fieldset = form.querySelector("#which");
  const drop = form.querySelector(".drop");
  const button = form.querySelector("button.primary");
  ask(input, fieldset);
  input.addEventListener("change", () => ask(input, fieldset));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
    });
  }
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    input.files = event.dataTransfer.files;
    ask(input, fieldset);
    (fieldset.hidden ? button : fieldset.querySelector("input")).focus();
  });
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-disabled") === "true") return event.preventDefault();
    button.setAttribute("aria-disabled", "true");
    button.dataset.ready = button.textContent;
    button.textContent = button.dataset.busy;
    return undefined;
  });
  /* Going back shows the page as it was left. */
  addEventListener("pageshow", () => {
    button.removeAttribute("aria-disabled");
    button.textContent = button.dataset.ready ?? button.textContent;
  });
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

function enliven(root) {
  localise(root);
  for (const audio of root.querySelectorAll("audio")) {
    measure(audio);
    if (audio.dataset.unplayable) excuse(audio);
  }
  for (const image of root.querySelectorAll("img[data-rendition]")) requestAnimationFrame(() => show(image));
}

enliven(document);
const form = document.getElementById("submit");
if (form) enlivenForm(form);
const live = document.getElementById("live");
if (live) (live.dataset.kind === "job" ? follow : watch)(live);
