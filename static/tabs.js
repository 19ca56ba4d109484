// Panels under headings become tabs. Without this file they stand one below the other.

function show(tabs, panels, chosen) {
  tabs.forEach((tab, place) => {
    const on = place === chosen;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    panels[place].hidden = !on;
  });
}

function move(event, tabs, panels) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = (tabs.indexOf(event.target) + step + tabs.length) % tabs.length;
  show(tabs, panels, next);
  tabs[next].focus();
}

function tabOf(panel) {
  const tab = document.createElement("button");
  tab.type = "button";
  tab.className = "seg";
  tab.id = `${panel.id}-tab`;
  tab.textContent = panel.dataset.label;
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", panel.id);
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", tab.id);
  return tab;
}

export function makeTabs(root) {
  for (const group of [root, ...root.querySelectorAll("[data-tabs]")]) {
    if (!group.matches?.("[data-tabs]")) continue;
    const list = group.querySelector("[data-tablist]");
    const panels = [...group.querySelectorAll(":scope > .panel")];
    if (!list || panels.length === 0) continue;
    list.setAttribute("role", "tablist");
    const tabs = panels.map(tabOf);
    list.append(...tabs);
    tabs.forEach((tab, place) => tab.addEventListener("click", () => show(tabs, panels, place)));
    list.addEventListener("keydown", (event) => move(event, tabs, panels));
    const linked = panels.findIndex((panel) => `#${panel.id}` === location.hash);
    show(tabs, panels, Math.max(0, linked));
  }
}
