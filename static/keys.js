// j and k walk a list or from latent to latent, Enter opens, / searches, ? explains.

let current = -1;

function rows() {
  return [...document.querySelectorAll("table[data-rows] tbody tr")];
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

const actions = {
  j: () => step(1),
  k: () => step(-1),
  "/": search,
  "?": () => document.getElementById("keys").showModal(),
};

function isTyping(target) {
  return target.closest?.("input:not([type=range]), select, textarea, [contenteditable]") !== null;
}

export function watchKeys(more) {
  const all = { ...actions, ...more };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    all[event.key]?.(event);
  });
}
