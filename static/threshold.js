// The threshold that can be moved: counts come from a list made by the server, exact at each stop.
const source = document.getElementById("counts");
const range = document.getElementById("cut");

function percent(share) {
  const value = 100 * share;
  const digits = value >= 1 ? (Number.isInteger(Math.round(value * 10) / 10) ? 0 : 1) : 1;
  return `${value.toFixed(digits)}\u202f%`;
}

function addressOf(link, cut, moved) {
  const url = new URL(link.dataset.home, document.baseURI);
  if (moved) {
    url.searchParams.set("dense", "any");
    url.searchParams.set("min_density", String(cut));
  }
  return url.protocol === "file:" ? url.href : url.pathname + url.search;
}

function fill(row, count, most, cut, moved) {
  const link = row.querySelector("[data-count]");
  link.dataset.home ??= link.getAttribute("href");
  link.textContent = count.toLocaleString("en");
  link.setAttribute("href", addressOf(link, cut, moved));
  row.querySelector(".bar rect").setAttribute("width", (100 * count) / most);
}

function update({ thresholds, counts, start }) {
  const at = Number(range.value);
  const cut = thresholds[at];
  const most = Math.max(1, ...Object.values(counts).map((list) => list[at]));
  for (const row of document.querySelectorAll("tr[data-slug]")) fill(row, counts[row.dataset.slug][at], most, cut, at !== start);
  const text = percent(cut);
  document.querySelector("output[for=cut]").textContent = text;
  range.setAttribute("aria-valuetext", text);
  document.dispatchEvent(new CustomEvent("threshold", { detail: cut }));
}

if (source && range) {
  const data = JSON.parse(source.textContent);
  range.addEventListener("input", () => update(data));
  update(data);
}
