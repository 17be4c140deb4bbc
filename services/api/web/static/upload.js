/* The form: files that are dropped on the page, the question what a sound is, one press of the button only once. */
"use strict";

/* A sound may be a cough or a lung sound: ask, and only then. */
function ask(files, fieldset) {
  const sound = [...files].some(isSound);
  fieldset.hidden = !sound;
  fieldset.disabled = !sound;
  for (const radio of fieldset.querySelectorAll("input")) radio.required = sound;
}

function busy(button, on) {
  if (on) {
    button.setAttribute("aria-disabled", "true");
    button.dataset.ready = button.textContent;
    button.textContent = button.dataset.busy;
  } else {
    button.removeAttribute("aria-disabled");
    button.textContent = button.dataset.ready ?? button.textContent;
  }
}

function takeDrops(form, input, chosen) {
  const drop = form.querySelector(".drop");
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
    chosen();
    const fieldset = form.querySelector("#which");
    (fieldset.hidden ? form.querySelector("button.primary") : fieldset.querySelector("input")).focus();
  });
}

function enlivenForm(form) {
  const [input, button] = [form.querySelector("#file"), form.querySelector("button.primary")];
  const several = new SeveralFiles(form, form.querySelector("#several"));
  const chosen = () => {
    ask(input.files, form.querySelector("#which"));
    several.choose(input.files);
  };
  input.multiple = true;
  form.querySelector("#several-help").hidden = false;
  chosen();
  input.addEventListener("change", chosen);
  takeDrops(form, input, chosen);
  form.addEventListener("submit", async (event) => {
    if (button.getAttribute("aria-disabled") === "true") return event.preventDefault();
    busy(button, true);
    if (input.files.length < 2) return undefined;
    event.preventDefault();
    await several.send();
    busy(button, false);
    input.value = "";
    return undefined;
  });
  /* Going back shows the page as it was left. */
  addEventListener("pageshow", () => busy(button, false));
}

const form = document.getElementById("submit");
if (form) enlivenForm(form);
