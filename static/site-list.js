// A site's list of latents: filters and sorts as the server's does, from the data that came with the site.
// It reads the same addresses, so links from plots and tables lead to what they count.
import { chips, data, fixed, interval, latentLink, latentOf, missing, nats, number, people, percent, ruled, spark, token } from "./site.js";
import { say } from "./words.js";

const pageSize = 100;
const form = document.querySelector("form[data-site-filters]");
const body = document.querySelector("table[data-site-list] tbody");
const ascending = new Set(["index", "layer"]);

function same(wanted, value) {
  return wanted === "any" || wanted === (value ? "true" : "false");
}

function within(low, high, value) {
  return value !== null && (low === null || value >= low) && (high === null || value <= high);
}

// category, verdict: a name, any or none
function named(wanted, value) {
  return wanted === "none" ? !value : wanted === "any" ? Boolean(value) : value?.[0] === wanted;
}

function explaining(latent) {
  return latent.classes.filter((one) => one.explains);
}

const tests = {
  sae: (latent, value) => latent.slug === value,
  layer: (latent, value) => String(latent.layer) === value,
  dense: (latent, value) => same(value, latent.dense),
  pair: (latent, value) => same(value, latent.pair),
  duplicate: (latent, value) => same(value, latent.duplicate),
  borderline: (latent, value) => same(value, latent.borderline),
  min_density: (latent, value) => within(Number(value), null, latent.density),
  max_density: (latent, value) => within(null, Number(value), latent.density),
  min_antipodality: (latent, value) => within(Number(value), null, latent.antipodality),
  max_antipodality: (latent, value) => within(null, Number(value), latent.antipodality),
  min_word_share: (latent, value) => within(Number(value), null, latent.word),
  min_past_share: (latent, value) => within(Number(value), null, latent.past),
  min_followed: (latent, value) => within(Number(value), null, latent.followed),
  max_followed: (latent, value) => within(null, Number(value), latent.followed),
  detail: (latent, value) => named(value, latent.detail),
  class: (latent, value) => (value === form.dataset.unmeasured ? !latent.classes.length : value === "any" ? explaining(latent).length > 0 : latent.classes.some((one) => one.name === value)),
  alone: (latent, value) => value === "any" || (value === "true" ? explaining(latent).length === 1 : explaining(latent).length > 1),
  label: (latent, value) => latent.labels.includes(value),
  verdict: (latent, value) => named(value, latent.verdict),
  human: (latent, value) => named(value, latent.human),
  category: (latent, value) => named(value, latent.category),
  annotated: (latent, value) => same(value, latent.human || latent.category || latent.note),
  note: (latent, value) => latent.note.toLowerCase().includes(value.toLowerCase()),
  q: (latent, value) => latent.tokens.some((text) => text.replaceAll("\u2423", " ").toLowerCase().includes(value.toLowerCase())),
};

const sorts = {
  density: (latent) => latent.density,
  antipodality: (latent) => latent.antipodality,
  loss: (latent) => latent.loss,
  kl: (latent) => latent.kl,
  max: (latent) => latent.max,
  mass_share: (latent) => latent.mass,
  word_share: (latent) => latent.word,
  past_share: (latent) => latent.past,
  followed: (latent) => latent.followed,
  index: (latent) => latent.index,
  layer: (latent) => latent.layer,
};

let asked = new URLSearchParams(location.search);
let shown = pageSize;
const latents = data && body ? data.rows.map(latentOf) : [];

function order() {
  const sort = sorts[asked.get("sort")] ? asked.get("sort") : "density";
  const down = asked.get("order") ? asked.get("order") === "desc" : !ascending.has(sort);
  return { sort, down };
}

function chosen() {
  const wanted = [...asked].filter(([name, value]) => tests[name] && value !== "");
  if (!asked.get("dense")) wanted.push(["dense", "true"]);
  const { sort, down } = order();
  const value = sorts[sort];
  const last = down ? -1 : 1;
  return latents
    .filter((latent) => wanted.every(([name, text]) => tests[name](latent, text)))
    .sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return last * (x - y) || a.sae - b.sae || a.index - b.index;
    });
}

function cell(...children) {
  return element("td", ...children);
}

function element(name, css, ...children) {
  const made = document.createElement(name);
  if (css) made.className = css;
  made.append(...children.filter((child) => child !== ""));
  return made;
}

function small(text) {
  return text === "" ? "" : element("small", "", text);
}

const columns = {
  layer: (latent) => cell("num", String(latent.layer)),
  index: (latent) => {
    const made = element("th", "num", latentLink(latent.sae, latent.index, String(latent.index), { "data-open": "" }));
    made.scope = "row";
    return made;
  },
  density: (latent) => cell("num", percent(latent.density), small(interval(latent.low, latent.high))),
  antipodality: (latent) => {
    const partner = latent.partner === null ? "" : element("small", "", "with ", latentLink(latent.sae, latent.partner, String(latent.partner)));
    return cell("num", latent.antipodality === null ? missing() : fixed(latent.antipodality, 2), partner);
  },
  loss: (latent) => cell("num", latent.loss === null ? missing() : nats(latent.loss)),
  kl: (latent) => cell("num", latent.kl === null ? missing() : fixed(latent.kl, 4)),
  verdict: (latent) => cell("", latent.verdict ? ruled(latent.verdict) : missing()),
  people: (latent) => cell("", people(latent)),
  max: (latent) => cell("num", latent.max === null ? missing() : number(latent.max)),
  functions: (latent) => cell("", chips(latent)),
  spark: (latent) => cell("", spark(latent.spark)),
  tokens: (latent) => cell("", element("span", "toks", ...latent.tokens.flatMap((text) => [token(text), " "]))),
};

const empty = {
  loss: () => latents.every((latent) => latent.loss === null),
  kl: () => latents.every((latent) => latent.kl === null),
  verdict: () => latents.every((latent) => !latent.verdict),
  people: () => latents.every((latent) => !latent.human && !latent.category && !latent.note),
};

const heads = [...document.querySelectorAll("table[data-site-list] thead th[data-column]")];
const inForm = () => new Set([...form.elements].map((field) => field.name).filter(Boolean));

function showHeads() {
  const { sort, down } = order();
  for (const head of heads) {
    const button = head.querySelector("button");
    if (!button) continue;
    const active = head.dataset.column === sort;
    if (active) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    button.querySelector("[data-arrow]").textContent = active ? (down ? "\u00a0\u2193" : "\u00a0\u2191") : "";
  }
}

// what an address asks for that the form has no field for
function showExtra() {
  const fields = inForm();
  const line = document.querySelector("[data-site-extra]");
  const extra = [...asked].filter(([name, value]) => tests[name] && value !== "" && value !== "any" && !fields.has(name));
  line.hidden = extra.length === 0;
  line.replaceChildren("Also: ", ...extra.flatMap(([name, value]) => {
    const button = element("button", "seg", `${name.replace("min_", "least ").replace("max_", "most ").replace("_", " ")} ${value} \u00d7`);
    button.type = "button";
    button.addEventListener("click", () => change(name, ""));
    return [button, " "];
  }));
}

function show() {
  const found = chosen();
  const rows = found.slice(0, shown).map((latent) => element("tr", "", ...heads.filter((head) => !head.hidden).map((head) => columns[head.dataset.column](latent))));
  body.replaceChildren(...rows);
  document.querySelector("[data-site-count]").textContent =
    `${found.length.toLocaleString("en")} latent${found.length === 1 ? "" : "s"} of ${latents.length.toLocaleString("en")} in the list`;
  const more = document.querySelector("[data-site-more]");
  more.hidden = found.length <= shown;
  more.textContent = say("Show %(n)s more", { n: Math.min(pageSize, found.length - shown) });
  document.querySelector("[data-site-none]").hidden = found.length > 0;
  showHeads();
  showExtra();
}

function change(name, value) {
  if (value === "") asked.delete(name);
  else asked.set(name, value);
  shown = pageSize;
  keepAddress();
  show();
}

function keepAddress() {
  try {
    history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
  } catch {
    // some browsers keep addresses of files as they are: the list is right all the same
  }
}

function start() {
  for (const head of heads) {
    head.hidden = empty[head.dataset.column]?.() ?? false;
    head.querySelector("button")?.addEventListener("click", () => {
      const { sort, down } = order();
      const own = head.dataset.column;
      asked.set("sort", own);
      change("order", own === sort ? (down ? "asc" : "desc") : ascending.has(own) ? "asc" : "desc");
    });
  }
  for (const field of form.elements) {
    if (!field.name) continue;
    field.value = asked.get(field.name) ?? (field.name === "dense" ? "true" : "");
    field.addEventListener("input", () => change(field.name, field.value));
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    asked = new URLSearchParams();
    for (const field of form.elements) if (field.name) field.value = field.name === "dense" ? "true" : "";
    change("q", "");
  });
  document.querySelector("[data-site-more]").addEventListener("click", () => {
    shown += pageSize;
    show();
  });
  show();
}

if (latents.length) start();
