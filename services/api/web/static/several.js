/* Several files at once: up to so many become a study each, more become one batch. */
"use strict";

const PART_FILES = 100;
const PART_BYTES = 64 * 2 ** 20;
const TRIES = 5;
const LANES = 2;
const SOUND = /\.(wav|flac|mp3|og[ag]|opus|m4a|mp4|mov|3g[p2]|webm|mka|aac|amr|aif[cf]?|caf)$/i;

const isSound = (file) => file.type.startsWith("audio/") || SOUND.test(file.name);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const token = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/* One request; `progress` is told which share of it is sent. Null when nobody answered. */
function post(address, body, key, progress) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", key);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(event.total ? event.loaded / event.total : 0));
    request.addEventListener("load", () => done(request));
    request.addEventListener("error", () => done(null));
    request.send(body);
  });
}

/* Until it is taken or refused for good. The key stays, so nothing is made twice; who is full says when to come again. */
async function persist(address, body, progress, key = token()) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(address, body, key, progress);
    const later = answer === null || answer.status === 429 || answer.status === 503;
    if (!later || attempt === TRIES) return answer;
    await pause(Math.min(Number(answer?.getResponseHeader("Retry-After")) || 2, 20));
  }
}

/* One file of several on the page. Its name is shown here and stays in this browser. */
class Row {
  constructor(file, list, words) {
    this.words = words;
    this.line = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = file.name;
    this.state = document.createElement("span");
    this.state.className = "quiet";
    this.state.textContent = words.waiting;
    this.line.append(name, " ", this.state);
    list.append(this.line);
  }

  progress(share) {
    this.state.textContent = `${Math.round(100 * share)} %`;
  }

  took(href) {
    this.state.textContent = `${this.words.sent} `;
    if (!href) return;
    const link = document.createElement("a");
    link.href = href;
    link.textContent = this.words.open;
    this.state.append(link);
  }

  refused(why) {
    this.line.className = "refused";
    this.state.className = "";
    this.state.textContent = why || this.words.lost;
  }
}

class SeveralFiles {
  constructor(form, box) {
    Object.assign(this, { form, box, words: box.dataset });
    for (const name of ["count", "whole", "files", "outcome"]) this[name] = box.querySelector(`.${name}`);
  }

  choose(files) {
    this.chosen = [...files];
    this.box.hidden = this.chosen.length < 2;
    this.count.textContent = fill(this.words.chosen, { count: this.chosen.length });
    this.outcome.hidden = true;
    this.whole.hidden = true;
    this.files.replaceChildren();
    this.rows = this.chosen.map((file) => new Row(file, this.files, this.words));
  }

  /* What the form says of one of the files. */
  said(file, index) {
    const said = {};
    for (const [name, value] of new FormData(this.form)) if (typeof value === "string" && value.trim()) said[name] = value;
    const stem = file.name.replace(/\.[^.]*$/, "").slice(0, 128);
    if (this.form.querySelector("#names").checked && stem) said.client_ref = stem;
    else if (said.client_ref) said.client_ref = `${said.client_ref} ${index + 1}`.slice(0, 128);
    if (!isSound(file)) delete said.modality;
    return said;
  }

  async send() {
    this.whole.hidden = false;
    const several = this.chosen.length > Number(this.words.most);
    const [sent, batch] = several ? await this.batch() : await this.each();
    this.whole.value = 1;
    if (batch && sent === this.chosen.length) return location.assign(`/batches/${batch}`);
    this.tell(sent, batch);
    return undefined;
  }

  tell(sent, batch) {
    this.outcome.textContent = `${fill(this.words.outcome, { sent, count: this.chosen.length })} `;
    if (batch) {
      const link = document.createElement("a");
      link.href = `/batches/${batch}`;
      link.textContent = this.words.batch;
      this.outcome.append(link);
    }
    this.outcome.hidden = false;
    this.outcome.focus();
    const live = document.getElementById("live");
    if (live) refresh(live).catch(() => null);
  }

  /* A study each. */
  async each() {
    const waiting = [...this.chosen.entries()];
    let sent = 0;
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const one = await this.one(...next);
        sent += one; /* not in one step: the other lane counts meanwhile */
        this.whole.value = (this.chosen.length - waiting.length) / this.chosen.length;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return [sent, null];
  }

  async one(index, file) {
    const body = new FormData();
    for (const [name, value] of Object.entries(this.said(file, index))) body.append(name, value);
    body.append("file", file, "file");
    const row = this.rows[index];
    const answer = await persist("/v1/jobs", body, (share) => row.progress(share));
    const taken = answer?.status === 200 || answer?.status === 202;
    if (taken) row.took(`/jobs/${answer.response.id}`);
    else row.refused(answer?.response?.detail);
    return taken ? 1 : 0;
  }

  /* One batch, in parts that fit a request each, under one key. */
  async batch() {
    const key = token();
    let [sent, done, batch] = [0, 0, null];
    for (const part of this.parts()) {
      const share = (now) => { this.whole.value = (done + now * part.length) / this.chosen.length; };
      const answer = await persist("/v1/batches", this.packed(part), share, key);
      batch = answer?.response?.id ?? batch;
      sent += this.told(part, answer);
      done += part.length;
    }
    return [sent, batch];
  }

  *parts() {
    let [part, size] = [[], 0];
    for (const [index, file] of this.chosen.entries()) {
      if (part.length && (part.length === PART_FILES || size + file.size > PART_BYTES)) {
        yield part;
        [part, size] = [[], 0];
      }
      part.push(index);
      size += file.size;
    }
    yield part;
  }

  /* Files go under their place in the list: a name may be a patient's. */
  packed(part) {
    const body = new FormData();
    const lines = part.map((index) => {
      const { priority, ...said } = this.said(this.chosen[index], index);
      return JSON.stringify({ file: String(index + 1), ...said, ...(priority === "stat" && { priority }) });
    });
    body.append("manifest", lines.join("\n"));
    for (const index of part) body.append("file", this.chosen[index], String(index + 1));
    return body;
  }

  told(part, answer) {
    if (answer?.status !== 202) {
      for (const index of part) this.rows[index].refused(answer?.response?.detail);
      return 0;
    }
    const refused = new Map(answer.response.errors.map((error) => [error.key, error.detail]));
    for (const index of part) {
      const why = refused.get(String(index + 1));
      if (why) this.rows[index].refused(why);
      else this.rows[index].took(null);
    }
    return part.length - refused.size;
  }
}
