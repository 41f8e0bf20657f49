// The service worker: fetches every file that web-app.json names, once, and answers from what it keeps, so that the
// page needs no network after the first visit. Each version of the folder has a cache of its own, whole or not at all.

const VERSION = "unversioned"; // `covidct web-app` writes the folder's own: a new one makes browsers look again
const PREFIX = "covidct-";
const CACHE = PREFIX + VERSION;
const LIST = "web-app.json";

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const isOurs = event.request.method === "GET" && event.request.url.startsWith(self.registration.scope);
  if (isOurs) event.respondWith(answer(event.request));
});

async function install() {
  const list = await fetchFresh(LIST);
  const { files } = await list.clone().json();
  const cache = await caches.open(CACHE);
  try {
    // One by one, so that a phone's memory holds no more than the largest.
    for (const [name, digest] of Object.entries(files)) await keep(cache, name, digest);
    await cache.put(LIST, list);
    await cache.put("./", await cache.match("index.html"));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function keep(cache, name, digest) {
  const response = await fetchFresh(name);
  const bytes = await response.arrayBuffer();
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
  // A folder that is being replaced gives files of both versions.
  if (hex !== digest) throw new Error(`${name} is not what ${LIST} says it is`);
  await cache.put(name, new Response(bytes, { headers: response.headers }));
}

async function fetchFresh(name) {
  const response = await fetch(name, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  return response;
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  return kept ?? fetch(request);
}
