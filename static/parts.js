// What lies below the fold, or is folded, comes when its place comes into view. A place names the address of a small
// page (data-part) on which an element of its id stands; without this file the link in it leads there.
import { say } from "./words.js";

const pages = new Map();

function pageAt(address) {
  if (!pages.has(address)) pages.set(address, read(address));
  return pages.get(address);
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function fill(place) {
  const address = place.dataset.part;
  if (!address) return; // on its way
  delete place.dataset.part;
  place.setAttribute("aria-busy", "true");
  try {
    put(place, (await pageAt(address)).getElementById(place.id));
  } catch (error) {
    pages.delete(address);
    place.dataset.part = address;
    const word = document.createElement("span");
    word.role = "status";
    word.textContent = say(" could not be loaded (%(why)s); the link opens it.", { why: error.message });
    place.querySelector("a")?.after(word);
  }
  place.removeAttribute("aria-busy");
}

function put(place, found) {
  const fresh = document.adoptNode(found);
  const focused = place.contains(document.activeElement);
  const isPanel = place.matches(".panel");
  if (isPanel) place.replaceChildren(...fresh.childNodes); // it is a tab's, and stays it
  else place.replaceWith(fresh);
  const now = isPanel ? place : fresh;
  if (focused) {
    now.tabIndex = -1;
    now.focus({ preventScroll: true });
  }
  document.dispatchEvent(new CustomEvent("filled", { detail: now }));
}

function fillAll() {
  return Promise.all([...document.querySelectorAll("[data-part]")].map(fill));
}

// who searches a page, or prints it, wants all of it
async function wanted(event) {
  if (!(event.ctrlKey || event.metaKey)) return;
  if (event.key === "f") fillAll();
  if (event.key !== "p" || !document.querySelector("[data-part]")) return;
  event.preventDefault();
  await fillAll();
  setTimeout(print, 500); // its plots are drawn by then
}

async function follow() {
  const id = location.hash.slice(1);
  if (!id || document.getElementById(id)) return;
  await fillAll();
  document.getElementById(id)?.scrollIntoView();
}

export function watchParts() {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        fill(target);
      }
    },
    { rootMargin: "300px" },
  );
  for (const place of document.querySelectorAll("[data-part]")) seen.observe(place);
  document.addEventListener("keydown", wanted);
  addEventListener("beforeprint", fillAll);
  addEventListener("hashchange", follow);
  follow();
}
