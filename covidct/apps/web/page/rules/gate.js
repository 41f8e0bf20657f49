// Whether a slice may be answered for at all, as covidct/inference/gate.py has it: by its pixels, then by the graph's gate.
// Gives null, or { reason, values, perhaps code } of the refusal: `reason` is a word of the results' schema, `code`
// names a sentence of its own, `values` are for the sentence. Knows limits; knows nothing of networks.

import { percentile } from "./numbers.js";

const SMALLEST = 64; // pixels of the shorter side: below, a lobule has no two of them
const FLATTEST = 4; // grey levels between the 1st and the 99th percentile

/** Verdict on a slice { pixels (H * W) uint8, width, height, camera } before any model has seen it. */
export function checkSlice({ pixels, width, height, camera = "" }) {
  if (camera) return { reason: "not_ct", code: "refused_photograph", values: { camera } };
  if (Math.min(width, height) < SMALLEST) return { reason: "too_small", values: { width, height, min: SMALLEST } };
  const sorted = coarseGrid(pixels, width, height).sort();
  if (percentile(sorted, 99) - percentile(sorted, 1) < FLATTEST) return { reason: "blank", values: {} };
  return null;
}

/**
 * Verdict on the graph's gate: logits (K) of what the picture is, and the share of it, in [0, 1], that is lung.
 * What has Hounsfield units is CT for sure: no picture and no radiograph, whatever it looks like.
 */
export function checkView(logits, lung, limits, { hasHu = false } = {}) {
  if (toOdds(logits) < limits.min_chest) {
    const others = Array.from(logits).slice(1);
    const reason = limits.classes[1 + others.indexOf(Math.max(...others))];
    if (hasHu && reason !== "not_axial") return { reason: "not_chest", code: "refused_other_part", values: {} };
    return { reason, values: {} };
  }
  if (lung >= limits.min_lung) return null;
  const percent = (share) => (100 * share).toFixed(1);
  return { reason: "no_lung", values: { share: percent(lung), min: percent(limits.min_lung) } };
}

/** Log-odds of the first class against all others together. */
export function toOdds(logits) {
  const others = Array.from(logits).slice(1);
  const highest = Math.max(...others);
  const sum = others.reduce((total, other) => total + Math.exp(other - highest), 0);
  return logits[0] - highest - Math.log(sum);
}

/** Every so many pixels either way: enough to see that nothing is there. */
function coarseGrid(pixels, width, height) {
  const down = Math.max(1, Math.floor(height / 96));
  const across = Math.max(1, Math.floor(width / 96));
  const grid = new Uint8Array(Math.ceil(height / down) * Math.ceil(width / across));
  let at = 0;
  for (let row = 0; row < height; row += down) {
    for (let column = 0; column < width; column += across) grid[at++] = pixels[row * width + column];
  }
  return grid;
}
