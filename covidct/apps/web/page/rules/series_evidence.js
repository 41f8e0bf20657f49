// What the slices of a series say together, before any calibration, as covidct/inference/series_evidence.py has it.
// Knows the arithmetic only.

const SHARE = 10; // one slice in so many
export const MIN_ANSWERED = 3;

/** Which of the answered slices, the highest being 1, stands for the series. */
export function rankOf(answered) {
  return Math.max(MIN_ANSWERED, Math.ceil(answered / SHARE));
}

/** The value of that rank of those of the answered slices; null where they are fewer than MIN_ANSWERED. */
export function findRanked(values) {
  if (values.length < MIN_ANSWERED) return null;
  return [...values].sort((one, other) => other - one)[rankOf(values.length) - 1];
}

/** The opacities { logit, typical, extent, lung } of at least MIN_ANSWERED slices as one, not calibrated. */
export function joinOpacities(slices) {
  const lungs = slices.map(({ lung }) => lung);
  return {
    logit: findRanked(slices.map(({ logit }) => logit)),
    typical: average(slices.map(({ typical }) => typical), slices.map(({ extent, lung }) => extent * lung)),
    extent: average(slices.map(({ extent }) => extent), lungs),
    lung: sum(lungs) / lungs.length,
  };
}

/** The weighted mean; the plain one where nothing weighs. */
function average(values, weights) {
  const total = sum(weights);
  return total ? sum(values.map((value, at) => value * weights[at])) / total : sum(values) / values.length;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
