// The engine that asks the server this page came from (docs/guide/serve.md). Has the same methods as local/engine.js.

import { isCandidate } from "../rules/candidates.js";
import { toAnswer } from "./records.js";
import { askToken, tokenHeaders } from "./token.js";

const POLL_MS = 400;
const PATIENCE_MS = 30_000; // for a server or a line that is gone for a moment
const WAIT_MS = 1000; // before it is tried again
const PASSING = [502, 504]; // said by a proxy while the server is away
const KNOWN = { 404: "fault.forgotten", 413: "fault.too_much" };
const FINISHED = ["done", "failed", "cancelled"];

/** What a person is told: a key of the page's texts, and what fills it. */
class EngineFault extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

/** Answers for files by the server. */
export class ServerEngine {
  constructor() {
    this.model = null;
    this.geometries = new Map(); // by series, or by the number of a slice on its own
    this.job = null; // whose results are shown
    this.next = null; // whose are to come
    this.upload = null;
    // (A page that is persisted may come back.)
    addEventListener("pagehide", ({ persisted }) => persisted || [this.job, this.next].forEach(drop));
  }

  /** Where slices are answered: in words of the page's texts. */
  get place() {
    return "server";
  }

  /** What is known of the model. */
  async open() {
    this.model = await (await ask("api/model")).json();
    return this.model;
  }

  /** Nothing: the server has its model. */
  prepare() {}

  /** Answer for files { file, path, isFromFolder }; `onEvent({ answer, done, total })`. Gives { skipped, isCancelled }. */
  async predict(given, { point }, onEvent) {
    const { wanted, skipped } = await sift(given);
    if (!wanted.length) return { skipped, isCancelled: false };
    this.checkLimits(wanted);
    this.isCancelled = false;
    const job = await this.send(wanted, point, onEvent);
    if (!job) return { skipped, isCancelled: true };
    this.next = job.id;
    if (this.isCancelled) await this.cancel(); // stopped when all had been sent
    try {
      const onLost = () => onEvent({ isLost: true });
      await this.follow(job, onEvent, onLost);
      // Of what was stopped, those that are there.
      const [abouts, records] = await Promise.all(["about", "results"].map(async (what) => (await ask(`api/jobs/${job.id}/${what}`, onLost)).json()));
      if (records.length) await this.replace();
      const answers = records.map((record, n) => toAnswer(record, n, abouts[n], records, this.model));
      answers.forEach((answer, at) => onEvent({ answer, done: at + 1, total: records.length }));
    } finally {
      await drop(this.next);
      this.next = null;
    }
    return { skipped, isCancelled: this.isCancelled };
  }

  /** Stop the run; it ends with `isCancelled`, and with the results that are there. */
  async cancel() {
    this.isCancelled = true;
    this.upload?.abort();
    if (this.next) await tell(`api/jobs/${this.next}/cancel`, "POST");
  }

  /** Have the server forget the files, too. */
  async forget() {
    const { job } = this;
    this.job = null;
    await drop(job);
  }

  /** Whether the files of the results that are shown are there no more. */
  async isForgotten() {
    if (!this.job) return false;
    return fetch(`api/jobs/${this.job}`, { headers: tokenHeaders() }).then(({ status }) => status === 404, () => false);
  }

  /** Let go of the results before, whose pictures were there until now. */
  async replace() {
    await this.forget();
    this.job = this.next;
    this.next = null;
    this.geometries.clear();
  }

  /** A slice's picture { pixels, width, height, geometry } in the window of that name, where it has Hounsfield units. */
  async show(answer, window) {
    const query = answer.hasHu ? `?window=${window}` : "";
    const [response, geometry] = await Promise.all([ask(`api/jobs/${this.job}/slices/${answer.n}${query}`), this.findGeometry(answer)]);
    const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
    const { width, height } = bitmap;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const rgba = context.getImageData(0, 0, width, height).data;
    return { pixels: Uint8Array.from({ length: width * height }, (_, at) => rgba[4 * at]), width, height, geometry };
  }

  /** A slice's Hounsfield units { hu, width, height, geometry }. */
  async measure(answer) {
    const [response, { width, height, geometry }] = await Promise.all([ask(`api/jobs/${this.job}/hounsfield/${answer.n}`), this.show(answer, "lung")]);
    const view = new DataView(await response.arrayBuffer());
    return { hu: Float32Array.from({ length: width * height }, (_, at) => view.getInt16(2 * at, true)), width, height, geometry };
  }

  /** How a slice lies { spacing, turn }, asked once a series. */
  findGeometry({ n, hasHu, seriesUid, sliceIndex }) {
    if (!hasHu) return { spacing: null, turn: null };
    const key = sliceIndex === null ? n : seriesUid ?? n;
    if (!this.geometries.has(key)) this.geometries.set(key, this.askGeometry(n));
    return this.geometries.get(key);
  }

  async askGeometry(n) {
    const { spacing_mm: spacing, turn } = await (await ask(`api/jobs/${this.job}/geometry/${n}`)).json();
    return { spacing, turn: turn && { transpose: turn.transpose, flipRows: turn.flip_rows, flipColumns: turn.flip_columns } };
  }

  /** A slice's evidence { map, width, height, box }, or null. */
  async evidence(answer) {
    if (answer.status !== "ok") return null;
    const { map, width, height, box } = await (await ask(`api/jobs/${this.job}/evidence/${answer.n}`)).json();
    return { map: Float32Array.from(map.flat()), width, height, box };
  }

  checkLimits(wanted) {
    const { files, body_bytes: max } = this.model?.limits ?? {};
    const size = wanted.reduce((sum, { file }) => sum + file.size, 0);
    if (wanted.length > files) throw new EngineFault("fault.too_many", { n: wanted.length, max: files });
    if (size > max) throw new EngineFault("fault.too_large", { size: Math.ceil(size / 1e6), max: Math.floor(max / 1e6) });
  }

  /** Upload, with progress: fetch cannot tell how much was sent. The job's status, or null where it was stopped. */
  async send(wanted, point, onEvent) {
    const form = new FormData();
    for (const { file, path } of wanted) form.append("files", file, path);
    form.append("operating_point", point.name);
    const ends = Date.now() + PATIENCE_MS;
    for (;;) {
      const response = await this.post(form, onEvent);
      if (response === null) return null;
      if (response.status === 202) return JSON.parse(response.responseText);
      if (PASSING.includes(response.status) && Date.now() < ends) {
        onEvent({ isLost: true });
        await wait(WAIT_MS);
        if (this.isCancelled) return null;
        continue;
      }
      if (response.status !== 401) throw toFault(response.status, response.responseText, response.getResponseHeader("Retry-After"));
      await askToken();
    }
  }

  post(form, onEvent) {
    const request = new XMLHttpRequest();
    this.upload = request;
    request.open("POST", "api/jobs");
    for (const [name, value] of Object.entries(tokenHeaders())) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onEvent({ sent: loaded / total });
    return new Promise((resolve, reject) => {
      request.onload = () => resolve(request);
      request.onerror = () => reject(new EngineFault("fault.lost"));
      request.onabort = () => resolve(null);
      request.send(form);
    });
  }

  /** Look at the job until it is finished. */
  async follow(job, onEvent, onLost) {
    let status = job;
    while (!FINISHED.includes(status.state)) {
      onEvent(status.state === "queued" ? { isWaiting: true } : { done: status.done, total: status.total });
      await wait(POLL_MS);
      status = await (await ask(`api/jobs/${job.id}`, onLost)).json();
    }
    if (status.state === "failed") throw new EngineFault("fault.server", { detail: status.message });
  }
}

/** What is sent, and what is passed over by its name. */
async function sift(given) {
  const are = await Promise.all(given.map(async (one) => !one.isFromFolder || isCandidate(one)));
  return {
    wanted: given.filter((_, at) => are[at]),
    skipped: given.filter((_, at) => !are[at]).map(({ path }) => path),
  };
}

/** Have the server forget a job, if there is one; it may be gone, or the server. */
async function drop(job) {
  if (job) await tell(`api/jobs/${job}`, "DELETE");
}

/** Ask for what needs no answer. */
async function tell(address, method) {
  await fetch(address, { method, headers: tokenHeaders(), keepalive: true }).catch(() => null);
}

/** The answer to a GET; asks for the token where the server does. With `onLost`, tries again while nobody answers. */
async function ask(address, onLost = null) {
  const ends = Date.now() + (onLost ? PATIENCE_MS : 0);
  for (;;) {
    const response = await fetch(address, { headers: tokenHeaders() }).catch(() => null);
    if (!response || PASSING.includes(response.status)) {
      if (Date.now() >= ends) throw response ? toFault(response.status, "", null) : new EngineFault("fault.lost");
      onLost();
      await wait(WAIT_MS);
      continue;
    }
    if (response.ok) return response;
    if (response.status !== 401) throw toFault(response.status, await response.text(), response.headers.get("Retry-After"));
    await askToken();
  }
}

function toFault(status, text, retryAfter) {
  if (status === 503) return new EngineFault("fault.busy", { seconds: retryAfter ?? "10" });
  if (status in KNOWN) return new EngineFault(KNOWN[status]);
  let detail = `HTTP ${status}`;
  try {
    detail = JSON.parse(text).detail ?? detail;
  } catch {
    // Something between here and the server answered, in words of its own.
  }
  return new EngineFault("fault.server", { detail });
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
