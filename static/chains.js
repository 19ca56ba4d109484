// A chain's link lights its line in the flow while it is pointed at or has the focus; its address lights it for good.

const drawing = document.querySelector(".sankey");

function light(link, on) {
  const line = drawing.querySelector(`[data-chain="${CSS.escape(link.dataset.lights)}"]`);
  line?.classList.toggle("pointed", on);
  drawing.classList.toggle("pointed", on);
}

for (const link of document.querySelectorAll("[data-lights]")) {
  for (const name of ["pointerenter", "focus"]) link.addEventListener(name, () => light(link, true));
  for (const name of ["pointerleave", "blur"]) link.addEventListener(name, () => light(link, false));
}
