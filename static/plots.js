// Mounts plotly figures. A figure's colours are names of CSS variables ("--p"): resolved here, and
// again when the theme changes. Figures in hidden tabs wait until they have a width.
import { say } from "./words.js";

const root = document.documentElement;
const mounted = new Map();
const linear = new WeakSet();
const drawing = new WeakMap(); // figure -> its last drawing, perhaps still going on

const probe = document.createElement("span");
probe.hidden = true;

function colour(name) {
  // through a real property: a variable alone would give the text light-dark(…)
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function coloured(value) {
  if (typeof value === "string") return /^--[a-z][a-z0-9-]*$/.test(value) ? colour(value) : value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
  }
  return value;
}

function ticks(axis, data) {
  // over all bars: a latent and its partner below are compared on one scale
  const top = Math.max(1, ...data.filter((trace) => trace.type === "bar").flatMap((trace) => trace.y));
  const reversed = axis.range && axis.range[0] > axis.range[1];
  const range = axis.type === "log" ? [-0.3, Math.log10(top) + 0.12] : [0, top * 1.06];
  return { ...axis, range: reversed ? range.reverse() : range };
}

function counted(axis, data, isLinear) {
  // a bar of one token has no height on a log axis that begins at 1: begin below
  if (axis.type !== "log" || !data.some((trace) => trace.type === "bar")) return axis;
  const { dtick, exponentformat, minexponent, ...rest } = axis;
  const form = { ...rest, tickformat: "," };
  return ticks(isLinear ? { ...form, type: "linear", nticks: 5 } : { ...form, dtick: 1 }, data);
}

function styled(axis) {
  const more = axis.type === "category" ? { showgrid: false } : axis.type === "log" && !axis.tickformat ? { tickformat: "," } : {};
  const title = typeof axis.title === "string" ? { text: axis.title } : axis.title;
  return {
    color: "--dim", gridcolor: "--line", zerolinecolor: "--line", linecolor: "--edge", ticks: "", automargin: true,
    ...more, ...axis,
    title: { standoff: 8, ...title, font: { size: 13, color: "--dim" } },
    tickfont: { size: 12, color: "--dim" },
  };
}

function roundTicks(axis, data) {
  // 1, 2, 5 of each decade: plotly's own labels of a log axis run into each other
  const ends = data.flatMap((trace) => trace.x ?? []).filter((value) => value > 0);
  if (axis.type !== "log" || axis.dtick || ends.length === 0) return axis;
  const low = Math.min(...ends) / 1.1;
  const high = Math.max(...ends) * 1.1;
  const steps = high / low > 500 ? [1] : [1, 2, 5];
  const values = [];
  for (let decade = Math.floor(Math.log10(low)); 10 ** decade <= high; decade++) {
    values.push(...steps.map((step) => step * 10 ** decade).filter((value) => value >= low && value <= high));
  }
  return { ...axis, tickmode: "array", tickvals: values, ticktext: values.map((value) => Number(value.toPrecision(1)).toLocaleString("en", { maximumFractionDigits: 6 })) };
}

function untitled(axis) {
  return !(axis?.title?.text ?? axis?.title);
}

function layoutOf(node, spec) {
  const made = {
    ...spec.layout,
    autosize: true,
    // the last tick's label stands half outside
    margin: { ...spec.layout.margin, r: Math.max(20, spec.layout.margin?.r ?? 0), ...(untitled(spec.layout.yaxis) && { l: 34, r: 8 }) },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "--ink" },
    hoverlabel: { bgcolor: "--tip", bordercolor: "--tip", font: { color: "--tip-ink", size: 13 } },
    dragmode: false,
  };
  if (made.showlegend) made.legend = { font: { size: 12, color: "--dim" }, ...made.legend };
  for (const key of Object.keys(made).filter((name) => /^[xy]axis\d*$/.test(name))) {
    const axis = key.startsWith("y") ? counted(made[key], spec.data, linear.has(node)) : roundTicks(made[key], spec.data);
    made[key] = styled(axis);
  }
  return made;
}

// one after another: of two drawings of a figure at once plotly may never end the first
function draw(node) {
  const drawn = (drawing.get(node) ?? Promise.resolve()).catch(() => {}).then(() => {
    const spec = mounted.get(node);
    return Plotly.react(node, coloured(spec.data), coloured(layoutOf(node, spec)), { displayModeBar: false, responsive: true });
  });
  drawing.set(node, drawn);
  return drawn;
}

// only addresses of this server, or of the folder that a site of files lies in; a word is none
function within(path) {
  if (!/^(\/|\.{1,2}\/)/.test(path)) return false;
  const home = new URL(".", new URL(root.dataset.site ?? "/", document.baseURI));
  return new URL(path, document.baseURI).href.startsWith(home.href);
}

function openPoint(event) {
  const held = event.points[0]?.customdata;
  const path = Array.isArray(held) ? held[0] : held;
  if (typeof path === "string" && within(path)) location.assign(path);
}

async function mount(node) {
  const spec = JSON.parse(node.parentElement.querySelector("script.figure-spec").textContent);
  mounted.set(node, spec);
  node.style.minHeight = `${spec.layout.height ?? 250}px`;
  await draw(node);
  if (spec.data.some((trace) => trace.customdata?.some((row) => typeof row?.[0] === "string"))) {
    node.classList.add("leads");
    node.on("plotly_click", openPoint);
  }
  node.dataset.ready = "true";
}

function redraw() {
  for (const node of mounted.keys()) draw(node);
}

function markThreshold(event) {
  for (const [node, spec] of mounted) {
    const x = spec.layout.xaxis;
    if (x?.type !== "log" || !node.closest("main")?.querySelector("[data-threshold]")) continue;
    const line = { type: "line", x0: event.detail, x1: event.detail, yref: "paper", y0: 0, y1: 1, line: { color: "--ink", width: 1, dash: "dot" } };
    spec.layout.shapes = [line];
    draw(node);
  }
}

// where the token under the pointer stands in a histogram: a sum of activations, each with its factor
function placeOf(token, marks) {
  const named = token.parentElement?.dataset.of?.split(" ") ?? [];
  const values = [token.dataset.v, token.dataset.w];
  const known = named.map((latent, place) => [marks[latent], values[place]]).filter(([factor]) => factor !== undefined);
  if (known.length === 0) return null;
  return known.reduce((sum, [factor, text]) => sum + factor * (text ?? "0").split(" ").reduce((all, one) => all + Number(one), 0), 0);
}

function markToken(token) {
  for (const [node, spec] of mounted) {
    const marks = spec.layout.meta?.marks;
    if (!marks || node.offsetWidth === 0) continue;
    const log = spec.layout.xaxis?.type === "log";
    const at = token && placeOf(token, marks);
    const shown = typeof at === "number" && (!log || at > 0);
    if (!shown && !node.dataset.marked) continue;
    if (shown) node.dataset.marked = at.toPrecision(2);
    else delete node.dataset.marked;
    const line = { type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: colour("--ink"), width: 1.5, dash: "dot" } };
    const words = { x: log ? Math.log10(at) : at, y: 1, yref: "paper", yanchor: "top", xanchor: "left", showarrow: false, text: ` ${Number(at?.toPrecision?.(2))}`.replace("-", "\u2212"), font: { color: colour("--ink"), size: 13 } };
    Plotly.relayout(node, { shapes: shown ? [line] : [], annotations: shown ? [words] : [] });
  }
}

let pointed = null;
function point(event) {
  const token = event.target.closest?.(".tokens bdi") ?? null;
  if (token === pointed) return;
  pointed = token;
  markToken(token);
}

function toggleLog(event) {
  const button = event.currentTarget;
  const log = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", log);
  for (const node of button.closest("[data-tabs]").querySelectorAll("[data-plot]")) {
    if (log) linear.delete(node);
    else linear.add(node);
    if (mounted.has(node)) draw(node);
  }
}

function failed(node) {
  node.textContent = say("The plot could not be drawn; its numbers are below.");
  node.classList.add("failed");
}

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    if (contentRect.width === 0 || mounted.has(target)) continue;
    sizes.unobserve(target);
    mount(target).then(() => threshold && markThreshold(threshold)).catch((error) => {
      failed(target);
      console.error(error);
    });
  }
});

let threshold = null;
document.addEventListener("threshold", (event) => {
  threshold = event;
  markThreshold(event);
});
document.body.append(probe);
function watch(part) {
  for (const node of part.querySelectorAll("[data-plot]")) {
    if (node.closest("[data-tabs]")?.querySelector('[data-log-y][aria-pressed="false"]')) linear.add(node);
    sizes.observe(node);
  }
}

watch(document);
document.addEventListener("pointerover", point);
document.addEventListener("filled", (event) => watch(event.detail));
for (const button of document.querySelectorAll("[data-log-y]")) button.addEventListener("click", toggleLog);
new MutationObserver(redraw).observe(root, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
