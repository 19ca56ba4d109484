// Classic and in <head>, so that no page is painted in the other theme first.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
    if (localStorage.getItem("tour") === "closed") root.dataset.tour = "closed";
  } catch {
    // storage is off: the system's choice stands
  }
})();
