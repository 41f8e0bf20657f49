// Workers that answer for slices, one slice and one thread each: more than one start where there is work for them.
// Two of one thread answer more slices a second than one of two threads, decode side by side as well, and need no
// page that is isolated. Knows how many; knows nothing of slices.

import { CalledWorker } from "./calls.js";

const MOST = 4; // each takes some 120 MB
const AHEAD = 2; // slices a worker: the one that it works on, and one that waits there

/** Starts workers and shares slices out among them. */
export class Pool {
  /** `model` is { config, graph (bytes), runtime (WebAssembly.Module) }. Throws Error where the graph does not start. */
  static async start(model) {
    const pool = new Pool(model);
    pool.workers.push(await pool.startOne());
    return pool;
  }

  constructor(model) {
    this.model = model;
    this.workers = []; // that answer
    this.starting = 0;
    this.most = countWorkers();
  }

  /** How many slices may be under way, so that no worker waits and few are held in memory. */
  get limit() {
    return AHEAD * this.most;
  }

  /** Start what answers for so many slices. */
  expect(slices) {
    const wanted = Math.min(this.most, Math.ceil(slices / AHEAD));
    while (this.workers.length + this.starting < wanted) this.grow();
  }

  /** The answer for the bytes of a slice, which are given away; `about` is { path, turn }. */
  answer(bytes, about) {
    const worker = this.workers.reduce((one, other) => (other.waiting < one.waiting ? other : one));
    return worker.call("answer", { bytes, about }, { transfer: [bytes.buffer] });
  }

  /** One worker more; where it does not start, as in little memory, those that there are go on. */
  async grow() {
    this.starting += 1;
    try {
      this.workers.push(await this.startOne());
    } catch {
      this.most = this.workers.length;
    }
    this.starting -= 1;
  }

  async startOne() {
    const worker = new CalledWorker(new URL("./slice_worker.js", import.meta.url));
    try {
      await worker.call("start", this.model);
    } catch (error) {
      worker.end();
      throw error;
    }
    return worker;
  }
}

function countWorkers() {
  const memory = navigator.deviceMemory ?? MOST; // in GB; not every browser says
  return Math.max(1, Math.floor(Math.min(MOST, navigator.hardwareConcurrency, memory)));
}
