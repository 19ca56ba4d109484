// What every page has: theme, tabs, definitions on hover and focus, keys, copying the address.
import { watchAnnotations } from "./annotate.js";
import { watchKeys } from "./keys.js";
import { watchParts } from "./parts.js";
import { makeTabs } from "./tabs.js";
import { watchTips } from "./tips.js";
import { say } from "./words.js";

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
}

function nameTheme(button) {
  button.textContent = isDark() ? say("Light") : say("Dark");
  button.setAttribute("aria-label", isDark() ? say("Change to the light theme") : say("Change to the dark theme"));
}

function flipTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // storage is off: the choice lasts for this page
  }
}

for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  nameTheme(button);
  button.addEventListener("click", flipTheme);
  new MutationObserver(() => nameTheme(button)).observe(root, { attributeFilter: ["data-theme"] });
  prefersDark.addEventListener("change", () => nameTheme(button));
}

async function copyLink(event) {
  const button = event.currentTarget;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = say("Copied");
  } catch {
    button.textContent = say("Copy it from the address bar");
  }
  setTimeout(() => (button.textContent = say("Copy link")), 2000);
}

for (const button of document.querySelectorAll("[data-copy-link]")) button.addEventListener("click", copyLink);

// closed once, the tour does not come back
function closeTour() {
  root.dataset.tour = "closed";
  try {
    localStorage.setItem("tour", "closed");
  } catch {
    // storage is off: it is closed for this page
  }
}

for (const button of document.querySelectorAll("[data-close-tour]")) button.addEventListener("click", closeTour);

// a link to a folded row unfolds it
function unfold() {
  const row = location.hash && document.getElementById(location.hash.slice(1));
  if (row instanceof HTMLDetailsElement) row.open = true;
}

addEventListener("hashchange", unfold);
unfold();

// empty fields are no filters: they stay out of the address, which then is a short link
for (const form of document.querySelectorAll("[data-filters]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      // "any" is no filter where there is no empty choice; beside one it asks for some class, category or verdict
      const all = field.name !== "dense" && field.value === "any" && !field.querySelector('option[value=""]');
      if (field.name && (field.value === "" || all)) field.disabled = true;
    }
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

makeTabs(document);
document.addEventListener("filled", (event) => makeTabs(event.detail));
watchParts();
watchTips();
watchKeys({ t: flipTheme, ...watchAnnotations() });
