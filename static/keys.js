// j and k walk a list or from latent to latent, Enter opens, / searches, ? explains.

let current = -1;

function rows() {
  return [...document.querySelectorAll("table[data-rows] tbody tr, div[data-rows] > section")];
}

function step(by) {
  const all = rows();
  if (all.length === 0) return document.querySelector(by > 0 ? 'a[rel="next"]' : 'a[rel="prev"]')?.click();
  all[current]?.classList.remove("current");
  current = Math.min(all.length - 1, Math.max(0, current + by));
  all[current].classList.add("current");
  all[current].querySelector("[data-open]")?.focus({ preventScroll: true });
  all[current].scrollIntoView({ block: "nearest" });
}

function search(event) {
  const field = document.querySelector("[data-search]");
  event.preventDefault();
  field?.focus();
  field?.select();
}

export function currentRow() {
  return rows()[current];
}

// after the list was replaced by a fresh one
export function markAgain() {
  if (current >= 0 && rows().length) step(0);
}

const actions = {
  j: () => step(1),
  k: () => step(-1),
  "/": search,
  "?": () => document.getElementById("keys").showModal(),
};

function isTyping(target) {
  return target.closest?.("input:not([type=range], [type=checkbox], [type=radio]), select, textarea, [contenteditable]") !== null;
}

// a page's own
export function addKeys(more) {
  Object.assign(actions, more);
}

export function watchKeys(more) {
  addKeys(more);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    actions[event.key]?.(event);
  });
}
