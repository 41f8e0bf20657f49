// Files -> series to answer for and slices on their own, as covidct/series/study.py has it; the answer for a series.
// Reads headers only. Knows nothing of pixels or models.

import { assemble } from "./assembly.js";
import { group } from "./grouping.js";
import { choose } from "./selection.js";
import { isDicom, readPlace, readPlaceOfStart } from "../images/dicom.js";
import { ReadError } from "../errors.js";
import { isGzip } from "../files.js";
import { inOrder } from "../in_order.js";
import { withoutAnswer } from "../reader.js";
import { MIN_ANSWERED } from "../../../rules/series_evidence.js";
import { conclude, noteSlices, refusalOf, summarise } from "../../../rules/series_result.js";

const AHEAD = 16; // files that are looked into at a time: most of it is waiting
const FEWEST = 16; // slices read, before anything is said of a series that has more

/**
 * { series, refused, loose } of items { path, given, size, read(), starts }, the latter where a file can be read in part
 * (see files.js); `onLooked(done)` after each. Stops with `run`.
 */
export async function readStudy(items, onLooked, run) {
  const described = [];
  for await (const place of inOrder(items, AHEAD, (item) => lookInto(item))) {
    if (run.isCancelled) break;
    const starts = null; // they are not needed any more, and take memory
    described.push({ ...items[described.length], starts, id: described.length, place });
    onLooked(described.length);
  }
  const groups = group(described);
  const assembled = groups.map(({ uid, members, notes }) => assemble(uid, members, notes));
  const { chosen, others } = choose(assembled.filter(({ reason }) => !reason));
  const read = new Set(groups.flatMap(({ members }) => members.map(({ id }) => id)));
  const aside = new Set(assembled.flatMap(({ loose }) => loose.map(({ id }) => id)));
  return {
    series: chosen,
    refused: [...assembled.filter(({ reason }) => reason), ...others.map((one) => ({ ...one, reason: "not_chosen" }))],
    loose: described.filter(({ id }) => aside.has(id) || !read.has(id)),
  };
}

/** The answer for a series, of those for its slices, at an operating point of a model's configuration. */
export function answerSeries(series, slices, point, config) {
  const { probability, opacity } = conclude(slices.filter((one) => one.probability !== null), config);
  const notes = [...series.notes, ...noteSlices(slices)];
  const reason = probability === null ? refusalOf(slices) : null;
  return {
    ...toSeriesAnswer(series), status: reason ? "refused" : "ok", probability, opacity, reason, isCalibrated: Boolean(config.series),
    code: reason && (reason === "too_few_slices" ? "series_too_few" : "series_none"), values: { min: MIN_ANSWERED },
    series: { ...summarise(slices, point), notes },
  };
}

/**
 * What the slices of a series that were read so far say of it: { read, count, answer }, the latter as if the series had
 * no others; null where they are too few. No result: that is the answer once all are read.
 */
export function foresee(series, slices, point, config) {
  const [read, count] = [slices.length, series.stack.length];
  if (read < FEWEST || read === count) return null;
  const answer = answerSeries(series, slices, point, config);
  return answer.status === "ok" ? { read, count, answer } : null;
}

/** The series, with a note that it is read in place of one that got no answer. */
export function noteRefused(series, { name, seriesUid, reason }) {
  return { ...series, notes: [...series.notes, { code: "in_place", values: { series: name ?? seriesUid, reason } }] };
}

/** The answer for a series that is not answered for as one. */
export function answerRefused(series) {
  const summary = { slices: series.stack.length, answered: 0, evidence_share: null, telling: [], notes: series.notes };
  return {
    ...toSeriesAnswer(series), status: "refused", reason: series.reason, code: `series_${series.reason}`, series: summary,
  };
}

function toSeriesAnswer({ path, uid, place }) {
  return { ...withoutAnswer(path), kind: "series", seriesUid: uid, name: place.description || null, about: toAbout(uid, place) };
}

/** What the series says of itself; nothing of the patient. */
function toAbout(seriesUid, { studyUid, studyDate, description }) {
  return { seriesUid, studyUid, studyDate, description: description || null };
}

/** Where a DICOM instance lies and what it belongs to; null for other files and damage, which reading it tells. */
async function lookInto(item) {
  if (item.error) return null;
  try {
    for (const read of item.starts ?? []) {
      const start = await read();
      if (isGzip(start)) break;
      if (!isDicom(start)) return null;
      const place = await readPlaceOfStart(start);
      if (place) return place;
    }
    const bytes = await item.read();
    return isDicom(bytes) ? await readPlace(bytes) : null;
  } catch (error) {
    if (error instanceof ReadError) return null;
    throw error;
  }
}
