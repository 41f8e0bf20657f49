// From logit to decision, as covidct/inference/decision.py has it; a test compares the two on a grid.
// Knows the arithmetic only: every number comes from the model's configuration.

/** Calibrated probability of COVID-19 in [0, 1]; one half where the logit is the shift. */
export function toProbability(logit, { temperature, shift }) {
  const scaled = (logit - shift) / temperature;
  // Two forms of one function, so that neither end overflows.
  if (scaled >= 0) return 1 / (1 + Math.exp(-scaled));
  return Math.exp(scaled) / (1 + Math.exp(scaled));
}

/** `indeterminate` inside the band (ends included), else by the threshold, which lies within. */
export function toDecision(probability, { band, threshold }) {
  if (band[0] <= probability && probability <= band[1]) return "indeterminate";
  return probability >= threshold ? "positive" : "negative";
}

/** The operating point for an answer, of that for slices: for a series its own, where the model was calibrated on series. */
export function pointFor(answer, point, { series }) {
  if (answer?.kind !== "series" || !series) return point;
  return series.operating_points.find(({ name }) => name === point.name);
}

/** The labels that remain plausible under a decision. */
export function toPredictionSet(decision, { positive, negative }) {
  if (decision === "positive") return [positive];
  return decision === "negative" ? [negative] : [positive, negative];
}
