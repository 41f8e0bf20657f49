// The answers for a series' slices -> one for the series, as covidct/inference/series_result.py has it.
// Where the model was calibrated on series, by that; else as a slice's, and what was measured are slices.
// Knows probabilities, logits and places; knows nothing of pixels.

import { toDecision, toProbability } from "./decision.js";
import { nameFinding } from "./finding.js";
import { findRanked, joinOpacities } from "./series_evidence.js";

const TELLING = 5;

/** { probability, opacity } of a series, of its answered slices; both null where they are too few. */
export function conclude(answered, { series = null }) {
  const ranked = findRanked(answered.map((one) => (series ? one.logit : one.probability)));
  if (ranked === null) return { probability: null, opacity: null };
  const isAsked = answered.every(({ opacity }) => opacity);
  return {
    probability: series ? toProbability(ranked, series) : ranked,
    opacity: isAsked ? nameFinding(joinOpacities(answered.map(({ opacity }) => opacity)), series?.findings) : null,
  };
}

/** What the slices of a series say together, at an operating point: the results' `series`, without notes. */
export function summarise(slices, point) {
  const answered = slices.filter((slice) => slice.probability !== null);
  const positive = answered.filter((slice) => toDecision(slice.probability, point) === "positive").length;
  const ranked = [...answered].sort(
    (one, other) => other.probability - one.probability || one.sliceIndex - other.sliceIndex,
  );
  return {
    slices: slices.length,
    answered: answered.length,
    evidence_share: answered.length ? positive / answered.length : null,
    telling: ranked.slice(0, TELLING).map((slice) => slice.sliceIndex),
  };
}

/** Why a series with fewer than MIN_ANSWERED answered slices gets no answer: the reason that most of its slices have. */
export function refusalOf(slices) {
  if (slices.some((slice) => slice.probability !== null)) return "too_few_slices";
  const counts = new Map();
  for (const { status, reason } of slices) {
    if (status === "refused" && reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  return [...counts.keys()].find((reason) => counts.get(reason) === most) ?? "unreadable";
}

/** Notes { code, values } on what the slices' answers lack. */
export function noteSlices(slices) {
  const notes = [];
  const isLung = (slice) => slice?.probability != null;
  const [lowest, highest] = [isLung(slices[0]), isLung(slices.at(-1))];
  if (lowest && highest) notes.push({ code: "lung_at_both_ends", values: {} });
  else if (lowest || highest) notes.push({ code: lowest ? "lung_at_lowest" : "lung_at_highest", values: {} });
  const failed = slices.filter((slice) => slice.status === "error").length;
  if (failed) notes.push({ code: "slices_not_read", values: { n: failed } });
  return notes;
}
