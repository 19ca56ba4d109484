// The threshold that can be moved. The server sends latents by their place among the thresholds, so a count at any stop
// is a sum over what lies above it, exact, and nothing is asked for while the line is dragged.
const source = document.getElementById("counts");
const range = document.getElementById("cut");
const box = range?.closest(".curve-box");
const EDGE = 1e-3; // density at the left edge of the curve

function percent(share) {
  const value = 100 * share;
  const digits = value >= 1 ? (Number.isInteger(Math.round(value * 10) / 10) ? 0 : 1) : 1;
  return `${value.toFixed(digits)}\u202f%`;
}

function above(steps, at) {
  let sum = 0;
  for (let place = 0; place < (steps?.length ?? 0); place += 2) if (steps[place] > at) sum += steps[place + 1];
  return sum;
}

function write(node, count) {
  node.textContent = count.toLocaleString("en");
}

function addressOf(link, cut, moved) {
  const url = new URL(link.dataset.home, document.baseURI);
  if (moved) {
    url.searchParams.set("dense", "any");
    url.searchParams.set("min_density", String(cut));
  }
  return url.protocol === "file:" ? url.href : url.pathname + url.search;
}

function fill(row, own, at, most, cut, moved) {
  const link = row.querySelector("[data-count]");
  write(link, above(own.dense, at));
  if (link.hasAttribute("href")) {
    link.dataset.home ??= link.getAttribute("href");
    link.setAttribute("href", addressOf(link, cut, moved));
  }
  for (const cell of row.querySelectorAll("[data-of]")) write(cell, above(own[cell.dataset.of], at));
  let x = 0;
  for (const part of row.querySelectorAll("[data-bar]")) {
    const count = above(own[part.dataset.bar], at);
    const wide = (100 * count) / most;
    part.setAttribute("x", x.toFixed(2));
    part.setAttribute("width", wide.toFixed(2));
    if (part.dataset.tip) part.dataset.title ??= part.dataset.tip.slice(0, part.dataset.tip.lastIndexOf(":"));
    if (part.dataset.title) part.dataset.tip = `${part.dataset.title}: ${count}`;
    x += wide;
  }
}

// a small map is a path a colour, its dots from the densest down: those that pass are its beginning
function thin(path, at) {
  path.dataset.whole ??= path.getAttribute("d");
  const kept = path.dataset.places.split(" ").filter((place) => Number(place) > at).length;
  path.setAttribute("d", path.dataset.whole.split("M").slice(0, kept + 1).join("M"));
}

function redraw({ thresholds, start, saes }, at) {
  for (const mark of document.querySelectorAll("#map [data-at]")) mark.classList.toggle("off", Number(mark.dataset.at) <= at);
  for (const path of document.querySelectorAll("[data-places]")) thin(path, at);
  for (const count of document.querySelectorAll("[data-of][data-slug]")) write(count, above(saes[count.dataset.slug][count.dataset.of], at));
  const x = 600 * (1 - Math.log10(Math.max(thresholds[at], EDGE)) / Math.log10(EDGE));
  box.querySelector(".cut").setAttribute("d", `M${x.toFixed(1)} 0V300`);
  box.querySelector(".knob").style.left = `${x / 6}%`;
  document.querySelector("[data-below]").hidden = at >= start;
}

function update(data) {
  const { thresholds, saes, whole, start } = data;
  const at = Number(range.value);
  const cut = thresholds[at];
  const most = Math.max(1, ...Object.values(saes).map((own) => above(own.dense, at)));
  for (const row of document.querySelectorAll("tr[data-slug]")) fill(row, saes[row.dataset.slug], at, most, cut, at !== start);
  for (const node of document.querySelectorAll("[data-sum]")) write(node, above(whole[node.dataset.sum], at));
  for (const node of document.querySelectorAll("[data-when]")) node.hidden = above(whole[node.dataset.when], at) === 0;
  for (const node of document.querySelectorAll("[data-many]")) node.hidden = above(whole[node.dataset.many], at) === 1;
  redraw(data, at);
  const text = percent(cut);
  for (const node of document.querySelectorAll("output[for=cut], [data-cut]")) node.textContent = text;
  range.setAttribute("aria-valuetext", text);
  document.dispatchEvent(new CustomEvent("threshold", { detail: cut }));
}

function nearest(thresholds, event) {
  const { left, width } = box.getBoundingClientRect();
  const log = Math.log10(EDGE) * (1 - (event.clientX - left) / width);
  const far = thresholds.map((cut) => Math.abs(Math.log10(cut) - log));
  return far.indexOf(Math.min(...far));
}

function drag(data) {
  const move = (event) => {
    const at = nearest(data.thresholds, event);
    if (Number(range.value) === at) return;
    range.value = at;
    update(data);
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // no text is selected, and the slider itself does not jump
    range.focus({ preventScroll: true });
    box.setPointerCapture(event.pointerId);
    move(event);
  });
  box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && move(event));
}

// another layer's map: it is on the page, as in a site of files, or on the page that the link leads to
async function show(link, data) {
  const map = document.getElementById("map");
  const slug = link.dataset.map;
  if (![...map.children].some((own) => own.dataset.mapOf === slug)) {
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    map.append(document.adoptNode(page.querySelector("#map > *")));
  }
  for (const own of map.children) own.hidden = own.dataset.mapOf !== slug;
  for (const other of document.querySelectorAll("[data-map]")) other.toggleAttribute("aria-current", other === link);
  link.setAttribute("aria-current", "true");
  if (link.hasAttribute("href")) history.replaceState(history.state, "", link.href);
  redraw(data, Number(range.value));
}

function choose(data) {
  for (const link of document.querySelectorAll("[data-map]")) {
    if (!link.hasAttribute("href")) {
      link.tabIndex = 0;
      link.role = "button";
      link.addEventListener("keydown", (event) => event.key === "Enter" && link.click());
    }
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      show(link, data).catch(() => link.href && location.assign(link.href));
    });
  }
  const current = document.querySelector("[data-map][aria-current]");
  for (const own of document.getElementById("map")?.children ?? []) own.hidden = Boolean(current) && own.dataset.mapOf !== current.dataset.map;
}

if (source && range) {
  const data = JSON.parse(source.textContent);
  range.addEventListener("input", () => update(data));
  drag(data);
  choose(data);
  update(data);
}
