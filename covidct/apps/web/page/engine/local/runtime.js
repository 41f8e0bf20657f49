// ONNX Runtime's loader, which starts it from a module that is compiled already: workers share it, and the code that the
// browser has optimised by then. ONNX Runtime imports this file in place of its own loader.

import load from "../../vendored/onnxruntime-loader.js";

const state = { runtime: null };

/** Use this WebAssembly.Module; before ONNX Runtime is first asked for a session. */
export function useRuntime(runtime) {
  state.runtime = runtime;
}

/** What ONNX Runtime calls. */
export default function start(settings) {
  return new Promise((resolve, reject) => {
    const instantiateWasm = (imports, onDone) => {
      WebAssembly.instantiate(state.runtime, imports).then((instance) => onDone(instance, state.runtime), reject);
      return {};
    };
    load({ ...settings, instantiateWasm }).then(resolve, reject);
  });
}
