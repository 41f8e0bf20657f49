// Keeps the page on this device, by the service worker, where there is no server behind it.

import { byId, make } from "./dom.js";
import { t } from "../words/texts.js";

/** Register the service worker; say when the page needs no network any more, and offer a new version. */
export async function keepOffline() {
  if (!("serviceWorker" in navigator)) return; // a page from neither https nor this computer
  // From a worker of `covidct serve`, which answers at this address now.
  navigator.serviceWorker.addEventListener("message", ({ data }) => data === "load again" && location.reload());
  try {
    const registration = await navigator.serviceWorker.register("sw.js");
    registration.addEventListener("updatefound", () => watch(registration.installing, registration));
    if (registration.installing) watch(registration.installing, registration);
    await navigator.serviceWorker.ready;
    sayOffline("offline.ready");
    if (registration.waiting) offer(registration.waiting);
    // To register again is not to look again. (Without a network there is nothing new.)
    await registration.update().catch(() => null);
  } catch {
    // Storage is full or forbidden: the page works as long as there is a network.
  }
}

/** Take away what a page that ran in the browser has left at this address: a server answers here now. */
export async function leaveOffline() {
  const registrations = (await navigator.serviceWorker?.getRegistrations().catch(() => [])) ?? [];
  await Promise.all(registrations.map((one) => one.unregister()));
}

function watch(worker, registration) {
  const isUpdate = registration.active !== null;
  worker.addEventListener("statechange", () => {
    if (worker.state === "installed" && isUpdate) offer(worker);
  });
}

/** A button that takes the new version; where results are not saved, the browser asks before the page is left. */
function offer(worker) {
  sayOffline("offline.update");
  const button = make("button", { type: "button", id: "update" }, t("offline.take"));
  button.dataset.text = "offline.take";
  button.addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    worker.postMessage("take over");
  });
  byId("update")?.remove();
  byId("offline").after(button);
}

function sayOffline(key) {
  const line = byId("offline");
  line.dataset.text = key;
  line.textContent = t(key);
  line.hidden = false;
}
