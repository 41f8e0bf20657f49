// Calls between a page and its workers: a method and what is given to it -> a promise of the result, with events between.
// Messages are { id, method, given }; each is answered by { id, result } or { id, fault }. Knows no method.

/** A worker whose methods are called. */
export class CalledWorker {
  constructor(url) {
    this.worker = new Worker(url, { type: "module" });
    this.calls = new Map();
    this.last = 0;
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "worker");
  }

  /** What a method gives; `transfer` names buffers that are given away. */
  call(method, given, { onEvent = () => {}, transfer = [] } = {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, onEvent });
      this.worker.postMessage({ id, method, given }, transfer);
    });
  }

  /** How many calls wait for their result. */
  get waiting() {
    return this.calls.size;
  }

  /** End the worker. */
  end() {
    this.worker.terminate();
  }

  receive({ id, event, result, fault }) {
    const call = this.calls.get(id);
    if (!call) return; // it has failed, and goes on for a moment
    if (event) return call.onEvent(event);
    this.calls.delete(id);
    return fault === undefined ? call.resolve(result) : call.reject(new Error(fault));
  }

  fail(message) {
    for (const { reject } of this.calls.values()) reject(new Error(message));
    this.calls.clear();
  }
}

/** In a worker: answer calls by `methods`, each method(given, emit) -> result. */
export function answerCalls(methods) {
  self.onmessage = async ({ data: { id, method, given } }) => {
    try {
      const result = await methods[method](given, (event) => self.postMessage({ id, event }));
      self.postMessage({ id, result });
    } catch (error) {
      self.postMessage({ id, fault: String(error?.message ?? error) });
    }
  };
}
