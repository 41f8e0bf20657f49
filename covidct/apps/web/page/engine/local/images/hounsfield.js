// Stored CT values -> Hounsfield units, as covidct/images/hounsfield.py has it. Knows nothing of DICOM objects.

/** What padding becomes: the lowest value of the usual 12-bit scale. */
export const AIR_HU = -1024;
/** Every axial CT slice of a chest shows air, that is, values below this one. */
export const PLAUSIBLE_AIR_HU = -500;

/** A test (word -> bool) for pixels that hold no measurement: from `first` to `last`, both included, as stored. */
export function paddingTest(first, last, words) {
  const low = Math.min(asWord(first, words), asWord(last, words));
  const high = Math.max(asWord(first, words), asWord(last, words));
  return (word) => low <= word && word <= high;
}

/** A function (word -> word) that drops the bits above `bitsStored` and extends the sign (PS3.5 8.1.1). */
export function unusedBitsDropper(bitsStored, words) {
  const spare = 8 * words.BYTES_PER_ELEMENT - bitsStored;
  if (spare <= 0) return (word) => word;
  const shift = 32 - bitsStored;
  return isSigned(words) ? (word) => (word << shift) >> shift : (word) => (word << shift) >>> shift;
}

/** Whether any value lies below PLAUSIBLE_AIR_HU. */
export function hasAir(hu) {
  return hu.some((value) => value < PLAUSIBLE_AIR_HU);
}

function isSigned(words) {
  return words instanceof Int8Array || words instanceof Int16Array || words instanceof Int32Array;
}

/** The VR of padding often disagrees with the pixels': 63536 is meant as -2000, the same 16-bit word. */
function asWord(value, words) {
  return new words.constructor([value])[0];
}
