// Planes in space -> a stack from feet to head, and what is wrong with it, as covidct/series/geometry.py has it.
// Knows vectors in the coordinates of DICOM (PS3.3 C.7.6.2.1.1), in mm. Notes are { code, values }.

// The greatest angle to the normal of the first slice, in degrees, and between normal and z.
const ASKEW = 1;
const OBLIQUE = 40;
export const SAME_MM = 0.01; // two slices closer than this lie in one place
const GAP = 1.5; // of the usual distance
const UNEVEN = 1.1;

const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);
const cosine = (degrees) => Math.cos((degrees * Math.PI) / 180);

/** The unit normal of a plane, towards the head; null where the six values make no plane. */
export function findNormal([a, b, c, d, e, f]) {
  const cross = [b * f - c * e, c * d - a * f, a * e - b * d];
  const length = Math.hypot(...cross);
  if (!(length > 0.5)) return null;
  return cross.map((value) => value / (cross[2] >= 0 ? length : -length));
}

/** Where a plane lies along the normal, in mm. */
export const findPosition = (position, normal) => dot(position, normal);

/** Whether two normals differ by ASKEW degrees at most. */
export const areParallel = (one, other) => Math.abs(dot(one, other)) >= cosine(ASKEW);

/** Whether a plane is axial; a tilted gantry (up to 30 degrees) is. */
export const isAxial = (normal) => Math.abs(normal[2]) >= cosine(OBLIQUE);

/** The usual distance of neighbours in mm; `positions` are sorted. Null for fewer than two. */
export function findSpacing(positions) {
  const steps = toSteps(positions).map(([low, high]) => high - low).sort((one, other) => one - other);
  if (!steps.length) return null;
  const middle = steps.length >> 1;
  return steps.length % 2 ? steps[middle] : (steps[middle - 1] + steps[middle]) / 2;
}

/** Notes on what lacks: gaps here and there, gaps between all, distances that vary. */
export function findFaults(positions, { thickness, declared }) {
  const usual = findSpacing(positions);
  if (usual === null) return [];
  return [...regularGaps(usual, thickness, declared), ...irregularGaps(positions, usual)];
}

function regularGaps(usual, thickness, declared) {
  if (declared && usual > GAP * declared) {
    const values = { usual: round(usual), declared: round(declared), share: Math.round(100 * (1 - declared / usual)) };
    return [{ code: "regular_gaps_declared", values }];
  }
  if (!thickness || usual <= GAP * thickness) return [];
  const values = { usual: round(usual), thickness: round(thickness), share: Math.round(100 * (1 - thickness / usual)) };
  return [{ code: "regular_gaps", values }];
}

function irregularGaps(positions, usual) {
  const steps = toSteps(positions);
  const gaps = steps.filter(([low, high]) => high - low > GAP * usual);
  const notes = [];
  if (gaps.length) {
    const n = gaps.reduce((sum, [low, high]) => sum + Math.round((high - low) / usual) - 1, 0);
    const places = gaps.slice(0, 3).map((ends) => ends.map((end) => end.toFixed(1)).join(" → ")).join(", ");
    notes.push({ code: "gaps", values: { n, places: gaps.length > 3 ? `${places} …` : places, usual: round(usual) } });
  }
  const rest = steps.map(([low, high]) => high - low).filter((step) => step <= GAP * usual);
  const [min, max] = [Math.min(...rest), Math.max(...rest)];
  if (rest.length && max > UNEVEN * min && max - min > 2 * SAME_MM) {
    notes.push({ code: "uneven", values: { min: round(min), max: round(max) } });
  }
  return notes;
}

function toSteps(positions) {
  return positions.slice(1).map((high, at) => [positions[at], high]);
}

function round(value) {
  return Number(value.toPrecision(4));
}
