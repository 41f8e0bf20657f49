// Hounsfield units -> display grey levels, as covidct/images/hounsfield.py has it. Knows windows and one formula.

/** Windows that readers of a chest CT use, as [centre, width] in HU. The model sees `lung` alone. */
export const WINDOWS = {
  lung: [-600, 1500],
  soft: [40, 400],
  bone: [400, 1800],
};

/** Show Hounsfield units through a window: uint8, LINEAR_EXACT of DICOM PS3.3 C.11.2.1.3.2. */
export function toDisplay(hu, [centre, width] = WINDOWS.lung) {
  const low = centre - width / 2;
  const shown = new Uint8ClampedArray(hu.length); // clips, and rounds halves to the even one, as numpy.rint
  for (let at = 0; at < hu.length; at++) shown[at] = ((hu[at] - low) * 255) / width;
  return new Uint8Array(shown.buffer);
}
