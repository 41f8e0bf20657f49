// ONNX Runtime in the browser: a slice in, raw outputs out. The home of onnxruntime-web.
// Knows the graph's inputs and outputs. Knows nothing of files or of what a logit means.

import * as ort from "../../vendored/onnxruntime.js";
import { useRuntime } from "./runtime.js";

const OPTIONAL = ["box", "gate", "lung", "opacity", "typical", "extent"];

const BLANK = { pixels: new Uint8Array(64 * 64), width: 64, height: 64 };

/** A graph ready to run. */
export class Graph {
  constructor(session) {
    this.session = session;
    this.wanted = ["logit", "map", ...OPTIONAL.filter((name) => session.outputNames.includes(name))];
  }

  /** Load a graph (bytes of an ONNX file) with the runtime, compiled. Throws Error where it is none of covidct's. */
  static async load(graph, runtime) {
    useRuntime(runtime);
    ort.env.wasm.wasmPaths = { mjs: new URL("runtime.js", import.meta.url).href };
    ort.env.wasm.numThreads = 1; // other slices are answered in other workers: see pool.js
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
    const loaded = new Graph(await ort.InferenceSession.create(graph, options));
    await loaded.run(BLANK); // the first run takes ten times as long as others: before a person waits for it
    return loaded;
  }

  /** Run one slice { pixels (H * W) uint8, width, height }: { logit, evidence, gate, lung, opacity }, the last three or null. */
  async run({ pixels, width, height }) {
    const slices = new ort.Tensor("uint8", pixels, [1, height, width]);
    const outputs = await this.session.run({ slices }, this.wanted);
    const [, rows, columns] = outputs.map.dims;
    const box = outputs.box ? Array.from(outputs.box.data) : [0, 0, 1, 1];
    const answer = {
      logit: outputs.logit.data[0],
      evidence: { map: Float32Array.from(outputs.map.data), width: columns, height: rows, box },
      gate: outputs.gate ? Array.from(outputs.gate.data) : null,
      lung: outputs.lung ? outputs.lung.data[0] : null,
      opacity: toOpacity(outputs),
    };
    Object.values(outputs).forEach((tensor) => tensor.dispose());
    return answer;
  }
}

/** What a graph of two questions says of opacities; null of one that asks a single question. */
function toOpacity({ opacity, typical, extent, lung }) {
  if (!opacity || !typical || !extent) return null;
  return { logit: opacity.data[0], typical: typical.data[0], extent: extent.data[0], lung: lung ? lung.data[0] : 1 };
}
