// Values that a header calls Hounsfield units -> whether they can be, as covidct/images/plausibility.py has it.
// Knows Hounsfield units. Knows nothing of headers.

const SAMPLES = 65536; // pixels that are looked at, evenly spread
const FEWEST = 1024; // fewer say nothing, and are too few for an answer
const [ABSURD_HU, ABSURD_SHARE] = [32768, 0.001];
const [DENSE_HU, AIR_HU, BELOW_AIR_HU] = [700, -300, -1200];
const TISSUE_HU = [-200, 300];
// Shares of the pixels: dense in no slice of a body; dense where there is no air; below air.
const [DENSE, DENSE_WITHOUT_AIR, LEAST_AIR, BELOW_AIR, LEAST_TISSUE] = [0.4, 0.1, 0.001, 0.05, 0.05];

/** Whether values, without declared padding, cannot be Hounsfield units. */
export function isImplausible(hu) {
  if (hu.length < FEWEST) return false;
  const step = Math.max(1, Math.floor(hu.length / SAMPLES));
  const values = takeEvery(step, hu);
  const share = (test) => count(values, test) / values.length;
  const dense = share((value) => value > DENSE_HU);
  if (share((value) => Math.abs(value) > ABSURD_HU) > ABSURD_SHARE || dense > DENSE) return true;
  if (dense > DENSE_WITHOUT_AIR && share((value) => value < AIR_HU) < LEAST_AIR) return true;
  const min = values.reduce((low, value) => Math.min(low, value), Infinity);
  if (count(values, (value) => value > min && value < BELOW_AIR_HU) <= BELOW_AIR * values.length) return false;
  const known = values.filter((value) => value >= BELOW_AIR_HU);
  return count(known, (value) => value > TISSUE_HU[0] && value < TISSUE_HU[1]) < LEAST_TISSUE * known.length;
}

function takeEvery(step, values) {
  const taken = new Float64Array(Math.ceil(values.length / step));
  for (let at = 0; at < taken.length; at++) taken[at] = values[at * step];
  return taken;
}

function count(values, test) {
  let found = 0;
  for (let at = 0; at < values.length; at++) if (test(values[at])) found += 1;
  return found;
}
