/* Records from the microphone into the form's file field. Nothing leaves the page before the form is sent. */
"use strict";

/* The first that the browser writes; between them, every browser of today. */
const RECORDINGS = { "audio/webm;codecs=opus": "webm", "audio/mp4": "m4a", "audio/ogg;codecs=opus": "ogg" };
const BITS_A_SECOND = 128000;
/* What telephony does to speech would change a cough. */
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const QUIET_DB = 60;
const FALL = 0.01; // a picture: a cough is over before the eye has seen it

/* The level of the last moments, 0 to 1, for as long as the recording runs. */
function showLevel(stream, meter) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const draw = () => {
    if (context.state === "closed") return;
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    meter.value = Math.max(meter.value - FALL, 1 + (10 * Math.log10(power + 1e-12)) / QUIET_DB);
    requestAnimationFrame(draw);
  };
  draw();
  return () => context.close();
}

/* The seconds since now, until it is told to stop. */
function showTime(timer, limit, ended) {
  const began = performance.now();
  const tick = () => {
    const seconds = (performance.now() - began) / 1000;
    timer.textContent = `${Math.min(seconds, limit).toFixed(0)} s / ${limit} s`;
    if (seconds >= limit) ended();
  };
  tick();
  const ticking = setInterval(tick, 200);
  return () => clearInterval(ticking);
}

class MicrophoneRecorder {
  constructor(box, input, send) {
    Object.assign(this, { box, input, send });
    for (const name of ["button", "running", "problem", "player"]) this[name] = box.querySelector(`.${name}`);
    this.button.addEventListener("click", () => (this.recorder ? this.recorder.stop() : this.start()));
    /* Another file was chosen instead. */
    input.addEventListener("change", () => this.offer(input.files[0] === this.file ? this.file : null));
    addEventListener("pagehide", () => this.recorder?.stop());
  }

  async start() {
    this.button.disabled = true;
    this.problem.hidden = true;
    try {
      this.record(await navigator.mediaDevices.getUserMedia({ audio: PLAIN }));
    } catch (error) {
      this.explain(error.name);
    }
    this.button.disabled = false;
    this.button.focus();
  }

  record(stream) {
    const type = Object.keys(RECORDINGS).find((known) => MediaRecorder.isTypeSupported(known));
    this.recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_A_SECOND });
    const pieces = [];
    this.recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
    const limit = Number(this.box.dataset.limit);
    const endings = [
      showLevel(stream, this.running.querySelector("meter")),
      showTime(this.running.querySelector(".timer"), limit, () => this.recorder?.stop()),
      () => stream.getTracks().forEach((track) => track.stop()),
    ];
    this.recorder.addEventListener("stop", () => {
      this.recorder = null;
      for (const end of endings) end();
      this.look(false);
      this.keep(new File(pieces, `recording.${RECORDINGS[type]}`, { type }));
    });
    this.recorder.start();
    this.look(true);
  }

  look(recording) {
    this.running.hidden = !recording;
    this.send.disabled = recording;
    this.button.classList.toggle("recording", recording);
    this.button.textContent = recording ? this.button.dataset.stop : this.button.dataset.again;
    if (recording) this.offer(null);
    announcer().textContent = recording ? this.box.dataset.recording : this.box.dataset.recorded;
  }

  /* As if the file had been chosen. */
  keep(file) {
    const transfer = new DataTransfer();
    transfer.items.add(file);
    this.input.files = transfer.files;
    this.file = this.input.files[0];
    this.input.dispatchEvent(new Event("change"));
  }

  offer(file) {
    if (this.player.src) URL.revokeObjectURL(this.player.src);
    this.player.hidden = !file;
    if (file) this.player.src = URL.createObjectURL(file);
    else this.player.removeAttribute("src");
  }

  explain(name) {
    this.problem.textContent = this.box.dataset[{ NotAllowedError: "refused", NotFoundError: "missing" }[name] ?? "taken"];
    this.problem.hidden = false;
  }
}

const recorderBox = document.getElementById("recorder");
if (recorderBox && window.MediaRecorder && navigator.mediaDevices) {
  const owner = recorderBox.closest("form");
  new MicrophoneRecorder(recorderBox, owner.querySelector("#file"), owner.querySelector("button.primary"));
  recorderBox.hidden = false;
}
