// The list of latents: a filter acts at once. Its links and its form work without this file; it fetches the page they
// lead to and puts its parts in place, so that the reader's place, focus and unfolded parts stay, and the address with it.

let asked = 0;

const parts = (root = document) => [...root.querySelectorAll("[data-live]")];
const within = (name, value) => document.querySelector(`[${name}="${CSS.escape(value)}"]`);

async function show(address) {
  const mine = (asked += 1);
  for (const part of parts()) part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || !parts(page).length) throw new Error(answer.status);
    if (mine === asked) put(page);
  } catch {
    if (mine === asked) location.assign(address); // it says what is wrong
  }
}

function put(page) {
  const open = [...document.querySelectorAll("details[data-keep][open]")].map((fold) => fold.dataset.keep);
  const key = document.activeElement?.closest("[data-key]")?.dataset.key;
  const fresh = new Map(parts(page).map((part) => [part.dataset.live, part]));
  for (const part of parts()) part.replaceWith(document.adoptNode(fresh.get(part.dataset.live)));
  for (const name of open) within("data-keep", name)?.setAttribute("open", "");
  if (key) (within("data-key", key) ?? document.querySelector("#filters a"))?.focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("filled", { detail: document.getElementById("list") }));
}

function go(address) {
  history.pushState(null, "", address);
  show(address);
}

function follow(event) {
  const link = event.target.closest?.("#filters a, .at-a-glance thead a, .sorts a");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.pathname !== location.pathname) return;
  event.preventDefault();
  go(link.href);
}

// empty fields are no filters: they stay out of the address, which then is a short link
function addressOf(form) {
  const fields = [...form.elements].filter((field) => field.name && !isEmpty(field));
  return `${form.action}?${new URLSearchParams(fields.map((field) => [field.name, field.value]))}`;
}

// "any" is no filter where there is no empty choice, but in a field that says so: beside one it asks for some class,
// category or verdict
function isEmpty(field) {
  return field.value === "" || (field.value === "any" && !("any" in field.dataset) && !field.querySelector('option[value=""]'));
}

document.addEventListener("click", follow);
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-browse]")) return;
  event.preventDefault();
  go(addressOf(event.target));
});
document.addEventListener("change", (event) => event.target.closest("[data-browse]")?.requestSubmit());
addEventListener("popstate", () => show(location.href));
