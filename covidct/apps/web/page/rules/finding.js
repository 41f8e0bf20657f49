// From the two answers of a graph to a finding, as covidct/inference/finding.py has it; its words are those of the RSNA
// consensus. Knows the arithmetic only: where a finding begins stands in the model's configuration.

import { toProbability } from "./decision.js";

/** An opacity { logit, typical, extent, lung } with its `probability` and `finding`, null where there are no cut-offs. */
export function nameFinding(seen, cutoffs) {
  if (!seen) return null;
  if (!cutoffs) return { ...seen, probability: null, finding: null };
  const probability = toProbability(seen.logit, cutoffs);
  return { ...seen, probability, finding: toFinding(probability, seen.typical, cutoffs) };
}

/** negative, atypical, indeterminate or typical, of the probability of an opacity and the logit that it is typical. */
export function toFinding(probability, typical, { opacity, typical: [low, high] }) {
  if (probability < opacity) return "negative";
  if (typical < low) return "atypical";
  return typical >= high ? "typical" : "indeterminate";
}
