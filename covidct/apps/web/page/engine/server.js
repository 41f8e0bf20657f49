// The engine that asks the server this page came from (docs/guide/serve.md). Has the same methods as local/engine.js.

import { MIN_ANSWERED } from "../rules/series_result.js";
import { isCandidate } from "../rules/candidates.js";
import { askToken, tokenHeaders } from "./token.js";

const POLL_MS = 400;
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
    this.limits = null;
    this.job = null; // whose results are shown
    this.next = null; // whose are to come
    this.upload = null;
    addEventListener("pagehide", () => [this.job, this.next].forEach(drop));
  }

  /** Where slices are answered: in words of the page's texts. */
  get place() {
    return "server";
  }

  /** What is known of the model. */
  async open() {
    const model = await (await ask("api/model")).json();
    this.limits = model.limits;
    return model;
  }

  /** Nothing to load here. */
  async load() {}

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
      await this.follow(job, onEvent);
      // Of what was stopped, those that are there.
      const [abouts, records] = await Promise.all(["about", "results"].map(async (what) => (await ask(`api/jobs/${job.id}/${what}`)).json()));
      if (records.length) await this.replace();
      const answers = records.map((record, n) => toAnswer(record, n, abouts[n], records));
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

  /** Let go of the results before, whose pictures were there until now. */
  async replace() {
    await this.forget();
    this.job = this.next;
    this.next = null;
  }

  /** A slice's picture { pixels, width, height } in the window of that name, where it has Hounsfield units. */
  async show(answer, window) {
    const query = answer.hasHu ? `?window=${window}` : "";
    const response = await ask(`api/jobs/${this.job}/slices/${answer.n}${query}`);
    const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
    const { width, height } = bitmap;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const rgba = context.getImageData(0, 0, width, height).data;
    return { pixels: Uint8Array.from({ length: width * height }, (_, at) => rgba[4 * at]), width, height };
  }

  /** A slice's evidence { map, width, height, box }, or null. */
  async evidence(answer) {
    if (answer.status !== "ok") return null;
    const { map, width, height, box } = await (await ask(`api/jobs/${this.job}/evidence/${answer.n}`)).json();
    return { map: Float32Array.from(map.flat()), width, height, box };
  }

  checkLimits(wanted) {
    const { files, body_bytes: most } = this.limits ?? {};
    const size = wanted.reduce((sum, { file }) => sum + file.size, 0);
    if (wanted.length > files) throw new EngineFault("fault.too_many", { n: wanted.length, most: files });
    if (size > most) throw new EngineFault("fault.too_large", { size: Math.ceil(size / 1e6), most: Math.floor(most / 1e6) });
  }

  /** Upload, with progress: fetch cannot tell how much was sent. The job's status, or null where it was stopped. */
  async send(wanted, point, onEvent) {
    const form = new FormData();
    for (const { file, path } of wanted) form.append("files", file, path);
    form.append("operating_point", point.name);
    for (;;) {
      const response = await this.post(form, onEvent);
      if (response === null) return null;
      if (response.status === 202) return JSON.parse(response.responseText);
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
  async follow(job, onEvent) {
    let status = job;
    while (!FINISHED.includes(status.state)) {
      onEvent(status.state === "queued" ? { isWaiting: true } : { done: status.done, total: status.total });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      status = await (await ask(`api/jobs/${job.id}`)).json();
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

/** The answer to a GET; asks for the token where the server does. */
async function ask(address) {
  for (;;) {
    const response = await fetch(address, { headers: tokenHeaders() }).catch(() => {
      throw new EngineFault("fault.lost");
    });
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

/** A record's message for people to whom the page has named the file already. */
function toSentence({ message, path }) {
  if (!message) return message;
  const text = message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Why a series is refused, as a code of the page's texts: for what its slices show, or by its headers. */
function toCode({ kind, status, reason, series_uid: uid, series }, records) {
  if (kind !== "series" || status === "ok") return null;
  const isOfSlices = records.some((one) => one.kind === "slice" && one.slice_index !== null && one.series_uid === uid);
  if (!isOfSlices) return `series_${reason}`;
  return series.answered ? "series_too_few" : "series_none";
}

function toAnswer(record, n, { picture: hasPicture, turned: seemsTurned, series: about }, records) {
  const isSlice = record.kind === "slice";
  const notes = record.series?.note_codes;
  // DICOM and NIfTI have Hounsfield units; pictures are no instances, and in no series.
  const isPart = (record.instance_uid ?? record.slice_index ?? null) !== null;
  return {
    n, kind: record.kind, path: record.path, status: record.status, reason: record.reason, message: toSentence(record),
    code: toCode(record, records), values: { least: MIN_ANSWERED }, logit: null, probability: record.probability, evidence: null, seriesUid: record.series_uid,
    instanceUid: record.instance_uid ?? null, sliceIndex: record.slice_index, series: notes ? { ...record.series, notes } : null,
    hasHu: hasPicture && isPart, hasPicture, seemsTurned, name: about?.series_description || null,
    about: about && { seriesUid: about.series_uid, studyUid: about.study_uid, studyDate: about.study_date, description: about.series_description },
  };
}
