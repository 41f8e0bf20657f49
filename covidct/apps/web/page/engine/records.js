// Records of the server (docs/reference/schema.md) -> answers, as the engine in the browser gives them.

import { MIN_ANSWERED } from "../rules/series_evidence.js";

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

/** What a record says of opacities; null where the model does not ask for them. */
function toOpacity({ finding, opacity_probability: probability, extent }) {
  return extent === null ? null : { finding, probability, extent };
}

/** The answer of a record, number `n` of `records`; the third is what else the server says of it. */
export function toAnswer(record, n, { picture: hasPicture, turned: seemsTurned, series: about, position_mm: positionMm }, records, model) {
  const isSlice = record.kind === "slice";
  const notes = record.series?.note_codes;
  // DICOM and NIfTI have Hounsfield units; pictures are no instances, and in no series.
  const isPart = (record.instance_uid ?? record.slice_index ?? null) !== null;
  return {
    n, kind: record.kind, path: record.path, status: record.status, reason: record.reason, message: toSentence(record),
    code: toCode(record, records), values: { min: MIN_ANSWERED }, logit: null, probability: record.probability,
    opacity: toOpacity(record), isCalibrated: Boolean(record.kind === "series" && model.series), evidence: null, positionMm, seriesUid: record.series_uid,
    instanceUid: record.instance_uid ?? null, sliceIndex: record.slice_index, series: notes ? { ...record.series, notes } : null,
    hasHu: hasPicture && isPart, hasPicture, seemsTurned, name: about?.series_description || null,
    about: about && { seriesUid: about.series_uid, studyUid: about.study_uid, studyDate: about.study_date, description: about.series_description },
  };
}
