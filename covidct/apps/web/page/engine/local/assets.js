// What the model in the browser is made of: configuration, graph and runtime, fetched once, checked by digest.
// Knows where they lie beside the page. Knows nothing of running them.

const PAGE = new URL("../../", import.meta.url);
const GZIP = [0x1f, 0x8b];

/** The model's configuration, model.json. Throws Error. */
export async function fetchConfig() {
  const response = await fetchOk(new URL("model/model.json", PAGE));
  return response.json();
}

/**
 * { graph, runtime }: bytes, and a WebAssembly.Module that all workers share, compiled while it arrives. `onProgress(share)`
 * is called with a share in [0, 1] meanwhile.
 */
export async function fetchModel(config, onProgress) {
  const sizes = config.assets;
  const total = sizes.graph.size + sizes.runtime.size;
  const arrived = { graph: 0, runtime: 0 };
  const report = (name) => (size) => {
    arrived[name] += size;
    onProgress(Math.min((arrived.graph + arrived.runtime) / total, 1));
  };
  const [graph, runtime] = await Promise.all([
    fetchStream(new URL("model/model.onnx", PAGE), report("graph")).then(readBytes),
    fetchStream(new URL("model/runtime.bin", PAGE), report("runtime")).then(unpack).then(compile),
  ]);
  await checkDigest(graph, sizes.graph.sha256);
  return { graph, runtime };
}

async function fetchOk(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: HTTP ${response.status}`);
  return response;
}

async function fetchStream(url, onChunk) {
  const response = await fetchOk(url);
  const counted = new TransformStream({
    transform(chunk, controller) {
      onChunk(chunk.length);
      controller.enqueue(chunk);
    },
  });
  return response.body.pipeThrough(counted);
}

async function readBytes(stream) {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function checkDigest(bytes, expected) {
  if (!crypto.subtle) return; // only pages from https or from this computer may ask for digests
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== expected) throw new Error("model.onnx is not what model.json says it is");
}

/** The runtime lies packed beside the page; some hosts unpack on the way what is gzip. */
async function unpack(stream) {
  const reader = stream.getReader();
  let next = await reader.read();
  const isPacked = GZIP.every((byte, at) => next.value?.[at] === byte);
  const whole = new ReadableStream({
    async pull(controller) {
      if (next.done) return controller.close();
      controller.enqueue(next.value);
      next = await reader.read();
    },
  });
  return isPacked ? whole.pipeThrough(new DecompressionStream("gzip")) : whole;
}

function compile(stream) {
  return WebAssembly.compileStreaming(new Response(stream, { headers: { "Content-Type": "application/wasm" } }));
}
