// Words of scripts in the page's language; a page in English brings none.
const held = document.getElementById("words");
const words = held ? JSON.parse(held.textContent) : {};

export function say(text, values = {}) {
  return (words[text] ?? text).replace(/%\((\w+)\)s/g, (_all, name) => values[name]);
}
