// Annotations without leaving the page. The forms work without this file; it fetches the same answer and puts
// the panel in its place, so that scroll position, open tabs and a draft survive.
import { say } from "./words.js";

async function send(event) {
  const form = event.target;
  if (!form.matches?.("[data-annotate]")) return;
  event.preventDefault();
  const panel = form.closest("#annotation");
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const draft = panel.querySelector("[data-note]");
  const undoing = event.submitter?.name === "back";
  const sent = undoing ? draft?.defaultValue : draft?.value;
  const main = panel.querySelector("form[data-annotate] [name=name]");
  if (main && !body.get("name")) body.set("name", main.value);
  const buttons = [...panel.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "annotation" } });
    const text = await answer.text();
    const answered = new DOMParser().parseFromString(text, "text/html");
    const fresh = answered.getElementById("annotation");
    if (!fresh) throw new Error(`the server answered ${answer.status}`);
    const typed = draft?.value;
    panel.replaceWith(document.adoptNode(fresh));
    const people = answered.getElementById("people");
    if (people) document.getElementById("people")?.replaceWith(document.adoptNode(people));
    fresh.focus({ preventScroll: true });
    const word = fresh.querySelector("[data-saved]");
    if (answer.ok && word) word.textContent = say("Saved.");
    const field = fresh.querySelector("[data-note]");
    if (field && typed !== undefined && typed !== sent) {
      field.value = typed; // written while it was saved, or before an undo
      if (answer.ok) word.textContent = undoing ? say("Undone. Your note is not saved yet.") : say("Saved; what you typed since is not.");
    }
  } catch (error) {
    for (const button of buttons) button.disabled = false;
    const word = panel.querySelector("[data-saved]");
    if (word) word.textContent = say("Not saved (%(why)s); what you wrote is still here. Try again.", { why: error.message });
  }
}

function mainForm() {
  return document.querySelector("#annotation form.annotate");
}

function choose(event) {
  const form = mainForm();
  if (!form) return;
  event.preventDefault(); // a form without a name asks for one, and the key would be typed there
  form.elements.verdict.value = ["", ...form.dataset.verdicts.split(" ")][event.key]; // 0 takes it away
  form.requestSubmit();
}

function write(event) {
  const field = document.querySelector("#annotation [data-note]");
  if (!field) return;
  event.preventDefault();
  field.scrollIntoView({ block: "center" });
  field.focus();
}

function undo() {
  const button = document.querySelector("#annotation [data-undo]");
  if (button) button.form.requestSubmit(button);
}

// Ctrl-Enter saves from within the note
function quickly(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("[data-note]")) {
    event.target.form.requestSubmit();
  }
}

// a note that is not saved is not left without a word
function warn(event) {
  const field = document.querySelector("#annotation [data-note]");
  if (field && field.value !== field.defaultValue) event.preventDefault();
}

export function watchAnnotations() {
  addEventListener("beforeunload", warn);
  document.addEventListener("submit", send);
  document.addEventListener("keydown", quickly);
  if (!mainForm()) return {};
  return { 1: choose, 2: choose, 3: choose, 0: choose, n: write, u: undo };
}
