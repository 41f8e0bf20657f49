// The engine that runs in this browser: the model in a worker, no server, nothing leaves the device.
// Has the same methods as the engine that asks a server (../server.js).

/** Answers for files by the model in a worker. */
export class LocalEngine {
  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.calls = new Map();
    this.last = 0;
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "worker");
  }

  /** Where slices are answered: in words of the page's texts. */
  get place() {
    return "local";
  }

  /** The model's configuration, as model.json has it. */
  open() {
    return this.call("open");
  }

  /** Fetch and start the model; `onProgress(share)`. */
  load(onProgress) {
    return this.call("load", {}, ({ loaded }) => onProgress(loaded));
  }

  /** Answer for files { file, path, isFromFolder }; `onEvent({ answer, done, total })`. Gives { skipped, isCancelled }. */
  predict(given, { point }, onEvent) {
    return this.call("predict", { given, point }, onEvent);
  }

  /** Stop the run; it ends with `isCancelled`. */
  cancel() {
    return this.call("cancel");
  }

  /** A slice's picture { pixels, width, height, geometry } in the window of that name. */
  show(answer, window) {
    return this.call("show", { n: answer.n, window });
  }

  /** A slice's Hounsfield units { hu, width, height, geometry }. */
  measure(answer) {
    return this.call("measure", { n: answer.n });
  }

  /** A slice's evidence { map, width, height, box }. */
  async evidence(answer) {
    return answer.evidence;
  }

  /** Let go of all files. */
  forget() {
    return this.call("forget");
  }

  call(method, given, onEvent = () => {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, onEvent });
      this.worker.postMessage({ id, method, given });
    });
  }

  receive({ id, event, result, fault }) {
    const call = this.calls.get(id);
    if (event) return call.onEvent(event);
    this.calls.delete(id);
    return fault === undefined ? call.resolve(result) : call.reject(new Error(fault));
  }

  fail(message) {
    for (const { reject } of this.calls.values()) reject(new Error(message));
    this.calls.clear();
  }
}
