// The engine that runs in this browser: the model in a worker, no server, nothing leaves the device.
// Has the same methods as the engine that asks a server (../server.js).

import { CalledWorker } from "./calls.js";

/** Answers for files by the model in a worker. */
export class LocalEngine {
  constructor() {
    this.worker = new CalledWorker(new URL("./worker.js", import.meta.url));
  }

  /** Where slices are answered: in words of the page's texts. */
  get place() {
    return "local";
  }

  /** The model's configuration, as model.json has it. */
  open() {
    return this.call("open");
  }

  /** Get the model ready: files are about to be given. */
  prepare() {
    return this.call("prepare");
  }

  /** Answer for files { file, path, isFromFolder }; `onEvent({ answer, done, total, outlook })`, before that { loaded }. Gives { skipped, isCancelled }. */
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

  call(method, given, onEvent) {
    return this.worker.call(method, given, { onEvent });
  }
}
