// Arithmetic that NumPy and JavaScript do not share. Knows nothing of slices.

/** Round to the nearest whole number, halves to the even one, as numpy.rint; `value` is 0 or above. */
export function rint(value) {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 ? down + 1 : down;
}

/** Percentile of an ascending array, between neighbours as numpy.percentile; `share` in [0, 100]. */
export function percentile(sorted, share) {
  const at = (share / 100) * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Keep `value` within [low, high]. */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
