// The service worker: fetches every file of the folder once, by the list in web-app.json, and answers from what it
// keeps, so that the page needs no network after the first visit. A new list makes a new cache, all or nothing.

const PREFIX = "covidct-";
const LIST = "web-app.json";

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && url.href.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});

async function install() {
  const response = await fetch(LIST, { cache: "no-cache" });
  const { version, files } = await response.clone().json();
  const cache = await caches.open(PREFIX + version);
  // What the page has fetched already comes from the browser's own cache, not over the network again.
  await cache.addAll(Object.keys(files).map((name) => new Request(name, { cache: "no-cache" })));
  await cache.put(LIST, response);
  await cache.put(new Request("./"), (await cache.match("index.html")).clone());
}

async function activate() {
  const list = await newestList();
  const { version } = await list.json();
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + version);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function newestList() {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  return (await caches.open(names.at(-1))).match(LIST);
}

async function answer(request) {
  const kept = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
  return kept ?? fetch(request);
}
