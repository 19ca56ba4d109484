// Choosing several latents of a list and saying the same of them. The boxes and the form work without this file;
// it counts, chooses ranges, takes keys, and puts the fresh list in the old one's place.
import { addKeys, currentRow, markAgain } from "./keys.js";
import { say } from "./words.js";

let last = null;

const part = (name, root = document) => root.querySelector(name);
const boxes = () => [...document.querySelectorAll("#list input[name=latent]")];
const chosen = () => boxes().filter((box) => box.checked);

function tell() {
  const tally = part("[data-tally]");
  if (!tally) return;
  const [number, all] = [chosen().length, part("#list input[name=all]")];
  if (!number) tally.textContent = say("Choose latents in the first column");
  else if (number === 1) tally.textContent = say("1 chosen; say of it:");
  else tally.textContent = say("%(n)s chosen; say of them:", { n: number });
  all.checked = number === boxes().length;
  all.indeterminate = number > 0 && !all.checked;
  for (const button of document.querySelectorAll("#many button")) button.disabled = number === 0;
}

function choose(event) {
  const box = event.target;
  if (!box.matches?.("#list input[type=checkbox]")) return;
  const every = boxes();
  if (box.name === "all") for (const one of every) one.checked = box.checked;
  else if (event.shiftKey && every.includes(last)) {
    const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((a, b) => a - b);
    for (const one of every.slice(from, to + 1)) one.checked = box.checked;
  }
  last = box;
  tell();
}

async function send(event) {
  const form = event.target;
  if (form.id !== "many" || event.submitter?.name === "act") return;
  event.preventDefault();
  const word = part("[data-changed]");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!part("#list", page)) throw new Error(part("main .lede", page)?.textContent ?? `the server answered ${answer.status}`);
    for (const name of ["#list", "[data-lede]"]) part(name).replaceWith(document.adoptNode(part(name, page)));
    word.textContent = part("[data-changed]", page).textContent;
    markAgain();
    tell();
  } catch (error) {
    word.textContent = say("Not saved: %(why)s", { why: error.message });
  }
}

function mark() {
  const box = currentRow()?.querySelector("[name=latent]");
  if (!box) return;
  box.checked = !box.checked;
  last = box;
  tell();
}

function give(event) {
  const form = document.getElementById("many");
  if (!form) return;
  if (!chosen().length) mark();
  if (!chosen().length) return;
  form.elements.category.value = "";
  form.elements.verdict.value = form.dataset.verdicts.split(" ")[event.key];
  form.requestSubmit(part("button", form));
}

document.addEventListener("click", choose);
document.addEventListener("submit", send);
// a way back to this page may bring its boxes as they were
addEventListener("pageshow", tell);
document.addEventListener("filled", tell);
addKeys({ x: mark, 1: give, 2: give, 3: give, 0: give });

// how many were changed is told once: the address stays the list's
const address = new URL(location.href);
if (address.searchParams.has("changed")) {
  address.searchParams.delete("changed");
  history.replaceState(null, "", address);
}
