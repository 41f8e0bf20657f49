// The answers for a series' slices -> one for the series, as covidct/inference/series_result.py has it.
// Its probability is that of its k-th most probable slice, k being a tenth of the slices answered and at least three.
// What was measured are slices, not series. Knows probabilities and places; knows nothing of pixels.

import { toDecision } from "./decision.js";

const SHARE = 10; // one slice in so many
export const MIN_ANSWERED = 3;
const TELLING = 5;

/** Which of the answered slices, the most probable being 1, gives the probability of the series. */
export function rankOf(answered) {
  return Math.max(MIN_ANSWERED, Math.ceil(answered / SHARE));
}

/** The probability of a series, of those of its answered slices; null where they are fewer than MIN_ANSWERED. */
export function toSeriesProbability(probabilities) {
  if (probabilities.length < MIN_ANSWERED) return null;
  const sorted = [...probabilities].sort((one, other) => other - one);
  return sorted[rankOf(sorted.length) - 1];
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
