// Parts of a site's own pages: its data, elements, and numbers as the server writes them. A site has no server, so
// its list and its search read data/latents.js and data/search.js, which were made with it.

export const data = globalThis.denseLatents?.latents;

const bits = { dense: 1, borderline: 2, pair: 4, duplicate: 8, page: 16 };

// a row's values are trimmed at its end: what is missing there is nothing
export function latentOf(row) {
  const [sae, index, density, low, high, flags = 0, detail = 0, antipodality = null, partner = null, max = null, mass = null, word = null, past = null, followed = null,
    tokens = [], spark = "", classes = [], verdict = 0, loss = null, kl = null, labels = [], category = 0, human = 0, note = ""] = row;
  return {
    sae, index, density, low, high, antipodality, partner, max, mass, word, past, followed, spark, loss, kl, note,
    ...Object.fromEntries(Object.entries(bits).map(([name, bit]) => [name, (flags & bit) !== 0])),
    slug: data.saes[sae][0], layer: data.saes[sae][2], detail: detail ? data.details[detail - 1] : null,
    tokens: tokens.map((place) => data.tokens[place]),
    classes: classes.map((code) => ({ name: data.classes[code >> 1][0], title: data.classes[code >> 1][1], explains: data.classes[code >> 1][2], mark: data.classes[code >> 1][3], likely: code % 2 === 1 })),
    verdict: verdict ? data.verdicts[verdict - 1] : null,
    human: human ? data.verdicts[human - 1] : null,
    labels: labels.map((place) => data.labels[place]),
    category: typeof category === "string" ? [category, category.replaceAll("_", " "), ""] : category ? data.categories[category - 1] : null,
  };
}

export function pageOf(sae, index) {
  return `saes/${data.saes[sae][1]}/latent-${index}.html`;
}

const paged = new Set();
for (const row of data?.rows ?? []) if (row[5] & bits.page) paged.add(`${row[0]}/${row[1]}`);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// a link where the site has the page, else text
export function latentLink(sae, index, text, attributes = {}) {
  return paged.has(`${sae}/${index}`) ? element("a", { href: pageOf(sae, index), ...attributes }, text) : element("span", {}, text);
}

export function missing() {
  return element("span", { class: "missing" }, "\u2014");
}

function minus(text) {
  return text.replace("-", "\u2212");
}

function digits(share) {
  const value = 100 * share;
  if (value === 0 || value === 100) return value.toFixed(0);
  if (value > 0 && value < 1e-4) return "<0.0001";
  const gap = Math.min(Math.abs(value), Math.abs(100 - value));
  return value.toFixed(gap >= 0.995 ? 1 : Math.max(1, (value > 50 ? 0 : 1) - Math.floor(Math.log10(gap))));
}

export function percent(share) {
  return `${digits(share)}\u202f%`;
}

export function interval(low, high) {
  return low === null || high === null ? "" : `${digits(low)}\u2013${digits(high)}\u202f%`;
}

export function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return minus(value.toExponential(2).replace("e+", "e")).replace("e-", "e\u2212");
  const places = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return minus(value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places }));
}

export function fixed(value, places) {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : minus(text);
}

export function nats(value) {
  const size = Math.abs(value);
  const text = fixed(value, size < 0.1 ? 4 : size < 1 ? 3 : 2);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

export function token(text) {
  return element("bdi", { class: "tok" }, text);
}

export function spark(heights) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("class", "spark");
  made.setAttribute("viewBox", `0 0 ${4 * (heights.length || 1)} 9`);
  made.setAttribute("preserveAspectRatio", "none");
  made.setAttribute("aria-hidden", "true");
  [...heights].forEach((height, place) => {
    if (height === "0") return;
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: 4 * place, y: 9 - height, width: 3.2, height })) bar.setAttribute(name, value);
    made.append(bar);
  });
  return made;
}

function chip(css, text) {
  return element("span", { class: `chip ${css}` }, element("bdi", {}, text));
}

// what it does, and what else is to be said of it
export function chips(latent) {
  const made = latent.classes.map((one) => chip(`${!one.explains ? "fn-none" : one.likely ? "fn-likely" : "fn-yes"} ${one.mark}`, one.title));
  if (latent.pair) made.push(chip("strong", "pair"));
  if (latent.duplicate) made.push(chip("strong", "near-duplicate"));
  if (latent.borderline) made.push(chip("", "borderline"));
  if (latent.detail?.[1]) made.push(chip("", latent.detail[1]));
  return element("span", { class: "fns" }, ...made);
}

export function ruled(verdict) {
  return element("span", { class: `ruled r-${verdict[0]}`, "data-tip": verdict[1] }, element("span", { class: "vh" }, `rule ${verdict[1]}`), element("b"));
}

export function people(latent) {
  const made = [];
  if (latent.category) made.push(chip(`cat${latent.category[2] ? ` c-${latent.category[2]}` : ""}`, latent.category[1]));
  if (latent.human) made.push(element("span", { class: `human h-${latent.human[0]}` }, element("b", {}, latent.human[0])));
  if (latent.note) made.push(element("span", { class: "dim", tabindex: 0, "data-tip": latent.note }, "note"));
  return element("span", { class: "people" }, ...made);
}
