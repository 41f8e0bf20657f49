// The service worker: fetches every file that web-app.json names, once, and answers from what it keeps, so that the
// page needs no network after the first visit. Each version of the folder has a cache of its own, whole or not at all.

const VERSION = "unversioned"; // `covidct web-app` writes the folder's own: a new one makes browsers look again
const PREFIX = "covidct-";
const CACHE = PREFIX + VERSION;
const LIST = "web-app.json";
const IS_SERVED = VERSION === "unversioned"; // by `covidct serve`, in place of a folder that was kept here before
// What the page does without; some hosts refuse such names.
const OPTIONAL = /^(icons\/|examples\/|manifest\.webmanifest$|vendored\/(LICENCES|vendored\.json))/;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", ({ data }) => data === "take over" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  const isOurs = !IS_SERVED && event.request.method === "GET" && event.request.url.startsWith(self.registration.scope);
  if (isOurs) event.respondWith(answer(event.request));
});

async function install() {
  if (IS_SERVED) return self.skipWaiting();
  const list = await fetchFresh(LIST);
  const { files } = await list.clone().json();
  const cache = await caches.open(CACHE);
  try {
    // One by one, so that a phone's memory holds no more than the largest.
    for (const [name, digest] of Object.entries(files)) {
      await keep(cache, name, digest).catch((error) => {
        if (!OPTIONAL.test(name)) throw error;
      });
    }
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
  if (IS_SERVED) leave(); // not waited for: pages are not loaded until a worker is active
}

/** Go, and have open pages ask the server. */
async function leave() {
  await self.registration.unregister();
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  pages.forEach((page) => page.postMessage("load again"));
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  return kept ?? fetch(request);
}
