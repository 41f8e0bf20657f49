// Keeps the page on this device, by the service worker, where there is no server behind it.

import { byId } from "./dom.js";
import { t } from "../words/texts.js";

/** Register the service worker, and say when the page needs no network any more. */
export async function keepOffline() {
  if (!("serviceWorker" in navigator)) return; // a page from neither https nor this computer
  try {
    const registration = await navigator.serviceWorker.register("sw.js");
    registration.addEventListener("updatefound", () => watch(registration.installing, registration));
    await navigator.serviceWorker.ready;
    sayOffline("offline.ready");
  } catch {
    // Storage is full or forbidden: the page works as long as there is a network.
  }
}

function watch(worker, registration) {
  const isUpdate = registration.active !== null;
  worker.addEventListener("statechange", () => {
    if (worker.state === "installed" && isUpdate) sayOffline("offline.update");
  });
}

function sayOffline(key) {
  const line = byId("offline");
  line.dataset.text = key;
  line.textContent = t(key);
  line.hidden = false;
}
