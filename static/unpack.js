// The lower part of a static site's page is packed: a thousand pages weigh a quarter so. Nothing can be fetched from a
// disk, so it stands in the page itself.

async function unpack(place) {
  const packed = Uint8Array.from(atob(place.firstElementChild.textContent), (letter) => letter.charCodeAt(0));
  const bytes = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  place.innerHTML = await new Response(bytes).text();
  delete place.dataset.packed;
  document.dispatchEvent(new CustomEvent("filled", { detail: place }));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

for (const place of document.querySelectorAll("[data-packed]")) {
  unpack(place).catch((error) => {
    place.textContent = "The rest of this page is packed, and this browser cannot unpack it: a newer one can.";
    console.error(error);
  });
}
