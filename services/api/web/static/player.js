/* Where the player is shows on waveform and spectrogram; a click on either goes there. */
"use strict";

function playhead(picture) {
  const head = document.createElement("span");
  head.className = "playhead";
  head.hidden = true;
  picture.append(head);
  return head;
}

/* The pictures span the whole recording, from edge to edge. */
function accompany(audio) {
  const section = audio.closest("section");
  const pictures = [...section.querySelectorAll(".waveform .drawn, .spectrogram .drawn")];
  const heads = pictures.map(playhead);
  const place = () => {
    const share = audio.currentTime / audio.duration;
    for (const head of heads) {
      head.hidden = !(share > 0 && share <= 1) || !head.parentElement.querySelector("img:not([hidden])");
      head.style.left = `${100 * share}%`;
    }
  };
  const run = () => {
    place();
    if (!audio.paused && !audio.ended) requestAnimationFrame(run);
  };
  const ends = () => {
    if (!Number.isFinite(audio.duration)) return;
    for (const line of section.querySelectorAll("[data-length]")) {
      line.lastElementChild.textContent = `${audio.duration.toFixed(1)} s`;
      line.hidden = false;
    }
  };
  ends();
  audio.addEventListener("durationchange", ends);
  audio.addEventListener("play", run);
  for (const kind of ["seeked", "pause", "ended"]) audio.addEventListener(kind, place);
  for (const picture of pictures) {
    picture.addEventListener("drawn", () => { section.querySelector(".seek").hidden = false; });
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      if (Number.isFinite(audio.duration)) audio.currentTime = (audio.duration * (event.clientX - box.left)) / box.width;
    });
  }
}

const accompanyAll = (root) => root.querySelectorAll("section.input audio").forEach(accompany);
enliveners.push(accompanyAll);
accompanyAll(document);
