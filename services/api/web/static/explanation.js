/* What moved the score: the heat map's strength, and waiting until it is made. The page works without it. */
"use strict";

function slide(section) {
  const slider = section.querySelector(".slider");
  if (!slider) return;
  const range = slider.querySelector("input");
  const heat = section.querySelector(".heat-layer");
  const set = () => { heat.style.opacity = String(range.value / 100); };
  slider.hidden = false;
  range.addEventListener("input", set);
  set();
}

/* The long poll ends when it is made or refused; the server draws the section anew. */
async function expect(section) {
  while (section.isConnected) {
    const headers = { Accept: "application/json", Prefer: "wait=15" };
    const answer = await fetch(section.dataset.explanation, { headers }).catch(() => null);
    if (answer && answer.status !== 202 && answer.status !== 503) break;
    await pause(Number(answer?.headers.get("Retry-After")) || 3);
  }
  const page = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("why");
  if (page.redirected || !page.ok || !fresh) return;
  for (const other of fresh.querySelectorAll("noscript")) other.remove();
  document.adoptNode(fresh);
  section.replaceWith(fresh);
  enliven(fresh);
  slide(fresh);
}

const why = document.getElementById("why");
if (why) {
  slide(why);
  if (why.dataset.explanation) expect(why);
}
