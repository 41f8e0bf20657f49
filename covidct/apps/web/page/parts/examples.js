// Examples that come with the page: read by a click, for who has no files at hand. Knows names and addresses.

import { byId } from "./dom.js";

/** Call `onGiven(files)` with the example that is clicked, and `onFault(error)` where it cannot be fetched. */
export function startExamples(onGiven, onFault) {
  byId("start").addEventListener("click", async ({ target }) => {
    const name = target.closest("[data-example]")?.dataset.example;
    if (name) await fetchExample(name).then(onGiven, onFault);
  });
}

async function fetchExample(name) {
  const response = await fetch(`examples/${name}`);
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  const file = new File([await response.blob()], name);
  return [{ file, path: name, given: name, isFromFolder: false }];
}
