// What the model in the browser is made of: configuration, graph and runtime, fetched once, checked by digest.
// Knows where they lie beside the page. Knows nothing of running them.

const PAGE = new URL("../../", import.meta.url);
const GZIP = [0x1f, 0x8b];

/** The model's configuration, model.json. Throws Error. */
export async function fetchConfig() {
  const response = await fetchOk(new URL("model/model.json", PAGE));
  return response.json();
}

/** { graph, runtime } as bytes; `onProgress(share)` is called with a share in [0, 1] while they arrive. */
export async function fetchModel(config, onProgress) {
  const sizes = config.assets;
  const total = sizes.graph.size + sizes.runtime.size;
  const arrived = { graph: 0, runtime: 0 };
  const report = (name) => (size) => {
    arrived[name] += size;
    onProgress(Math.min((arrived.graph + arrived.runtime) / total, 1));
  };
  const [graph, packed] = await Promise.all([
    fetchBytes(new URL("model/model.onnx", PAGE), report("graph")),
    fetchBytes(new URL("model/runtime.bin", PAGE), report("runtime")),
  ]);
  await checkDigest(graph, sizes.graph.sha256);
  return { graph, runtime: await unpack(packed) };
}

async function fetchOk(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: HTTP ${response.status}`);
  return response;
}

async function fetchBytes(url, onChunk) {
  const response = await fetchOk(url);
  const counted = new TransformStream({
    transform(chunk, controller) {
      onChunk(chunk.length);
      controller.enqueue(chunk);
    },
  });
  return new Uint8Array(await new Response(response.body.pipeThrough(counted)).arrayBuffer());
}

async function checkDigest(bytes, expected) {
  if (!crypto.subtle) return; // only pages from https or from this computer may ask for digests
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== expected) throw new Error("model.onnx is not what model.json says it is");
}

/** The runtime lies packed beside the page; some hosts unpack on the way what is gzip. */
async function unpack(bytes) {
  if (!GZIP.every((byte, at) => bytes[at] === byte)) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
