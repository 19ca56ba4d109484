// One tooltip for all: on hover, on focus, on touch. Its text is text, never markup.

const tip = document.createElement("div");
tip.className = "tip";
tip.id = "tip";
tip.role = "tooltip";
tip.hidden = true;
let owner = null;

function place(box) {
  const gap = 6;
  const size = tip.getBoundingClientRect();
  const below = box.bottom + gap + size.height <= innerHeight;
  const top = below ? box.bottom + gap : Math.max(gap, box.top - gap - size.height);
  const left = Math.min(Math.max(gap, box.left + box.width / 2 - size.width / 2), document.documentElement.clientWidth - size.width - gap);
  tip.style.top = `${top}px`;
  tip.style.left = `${Math.max(gap, left)}px`;
}

// a token's tip is made here: a page has thousands of tokens, and most are off
function definition(element) {
  return globalThis.denseLatents?.terms?.[element.hash?.slice(1)]; // a static site has them once for all its pages
}

function activations(token) {
  const [own, partner] = token.parentElement.dataset.of.split(" ");
  const on = [[own, token.dataset.v], [partner, token.dataset.w]].filter(([, value]) => value !== undefined);
  return on.map(([latent, values]) => `${latent}: ${several(values.split(" "))}`).join(", ") || "off";
}

// a character of several tokens has an activation of each
function several(values) {
  if (values.length === 1) return number(values[0]);
  const each = values.map(Number);
  const largest = each.reduce((best, one) => (Math.abs(one) > Math.abs(best) ? one : best));
  return `${values.length} tokens, sum ${number(each.reduce((sum, one) => sum + one))}, largest ${number(largest)}`;
}

function number(text) {
  return Number(text).toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).replace("-", "\u2212");
}

function textOf(element) {
  return element.dataset.tip ?? definition(element) ?? `\u2068${element.textContent}\u2069  ${activations(element)}`;
}

function open(element) {
  if (owner === element) return;
  close();
  owner = element;
  tip.textContent = textOf(element);
  tip.hidden = false;
  element.setAttribute("aria-describedby", tip.id);
  place(element.getClientRects()[0] ?? element.getBoundingClientRect());
}

function close() {
  owner?.removeAttribute("aria-describedby");
  owner = null;
  tip.hidden = true;
}

function follow(event) {
  const element = event.target.closest?.("[data-tip], .term, .tokens bdi");
  if (element && element.dataset.tip !== "") open(element);
  else close();
}

export function watchTips() {
  document.body.append(tip);
  document.addEventListener("pointerover", follow);
  document.addEventListener("focusin", (event) => {
    // a click focuses too: only the keyboard's focus opens definitions
    if (event.target.matches(":focus-visible")) follow(event);
  });
  document.addEventListener("focusout", close);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("scroll", close, { passive: true, capture: true });
}
