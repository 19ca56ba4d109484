// A site's search: every word of the question must be there, in a token, a context or a note of the latent.
import { chips, data, element, latentOf, pageOf, percent, token } from "./site.js";
import { say } from "./words.js";

const pageSize = 50;
const found = globalThis.denseLatents?.search;
const list = document.querySelector("[data-site-found]");
const field = document.querySelector("[data-site-question]");
let shown = pageSize;

const plain = (text) => text.replaceAll("\u2423", " ").toLowerCase();

function wordsOf(question) {
  return question.toLowerCase().split(/\s+/u).filter(Boolean);
}

function marked(text, words) {
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");
  return text.split(pattern).map((part, place) => (place % 2 ? element("mark", {}, part) : part));
}

// a long context around the first of the words
function excerpt(text, words) {
  const at = Math.max(0, Math.min(...words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0)) - 80);
  return `${at > 0 ? "\u2026" : ""}${text.slice(at, at + 220)}${at + 220 < text.length ? "\u2026" : ""}`;
}

function hits(words) {
  const has = (text) => words.every((word) => text.includes(word));
  const tokens = found.tokens.map((text) => has(plain(text)));
  const texts = found.texts.map((text) => has(text.toLowerCase()));
  const made = [];
  for (const [place, on, moved, contexts] of found.latents) {
    const latent = latentOf(data.rows[place]);
    const noted = latent.note !== "" && has(latent.note.toLowerCase());
    const own = { on: on.filter((one) => tokens[one]), moved: moved.filter((one) => tokens[one]), contexts: contexts.filter((one) => texts[one]) };
    const rank = 8 * noted + 4 * (own.on.length > 0) + 2 * (own.moved.length > 0) + (own.contexts.length > 0);
    if (rank) made.push({ latent, noted, rank, ...own });
  }
  return made.sort((a, b) => b.rank - a.rank || b.latent.density - a.latent.density);
}

function line(words, places, label) {
  if (places.length === 0) return [];
  const tokens = places.slice(0, 6).flatMap((place) => [token(found.tokens[place]), " "]);
  return [element("p", {}, element("span", { class: "dim" }, `${label} `), ...tokens)];
}

function result(hit, words) {
  const { latent } = hit;
  const head = element("h3", {}, element("a", { href: pageOf(latent.sae, latent.index), "data-open": "" }, `L${latent.layer}/${latent.index}`), " ",
    element("small", {}, `${latent.slug}, fires on ${percent(latent.density)}`), " ", chips(latent));
  const note = hit.noted ? [element("p", {}, element("span", { class: "dim" }, "note "), element("bdi", {}, ...marked(excerpt(latent.note, words), words)))] : [];
  const contexts = hit.contexts.slice(0, 2).map((place) =>
    element("p", {}, element("span", { class: "dim" }, "in ", element("bdi", {}, found.documents[found.titles[place]]), " "),
      element("bdi", {}, ...marked(excerpt(found.texts[place], words), words))));
  return element("li", {}, head, ...note, ...line(words, hit.on, "fires on"), ...line(words, hit.moved, "promotes or suppresses"), ...contexts);
}

function show() {
  const words = wordsOf(field.value);
  const all = words.length ? hits(words) : [];
  list.replaceChildren(...all.slice(0, shown).map((hit) => result(hit, words)));
  const said = document.querySelector("[data-site-count]");
  const number = all.length.toLocaleString("en");
  const found = all.length === 1 ? say("1 latent found") : say("%(n)s latents found", { n: number });
  said.textContent = words.length ? found : "";
  const more = document.querySelector("[data-site-more]");
  more.hidden = all.length <= shown;
  more.textContent = say("Show %(n)s more", { n: Math.min(pageSize, all.length - shown) });
}

if (found && data && list && field) {
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.addEventListener("input", () => {
    shown = pageSize;
    show();
  });
  field.form.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("[data-site-more]").addEventListener("click", () => {
    shown += pageSize;
    show();
  });
  show();
  if (!field.value) field.focus();
}
