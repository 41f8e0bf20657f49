// ImageType and SeriesDescription -> whether an image is a localiser, or calculated from many slices, as
// covidct/images/image_type.py has it. VOLUME is neither: it is what the standard calls regularly sampled frames.

const LOCALISER = /\b(LOCALI[SZ]ER|SCOUT|TOPOGRAM|CT SOM\d+ TOP|SURVIEW|SCANOGRAM|SCANO)\b/;
// In values of ImageType and in descriptions ...
const MADE = "MIPS?|MIN ?IPS?|MAX ?IPS?|(?:MEAN|AVG|AVERAGE) ?IPS?|VRTS?|SSD|VOLUME RENDER\\w*|SURFACE RENDER\\w*"
  + "|DOSE (?:INFO|REPORT)|PATIENT PROTOCOL|SCREEN ?SAVE";
const DESCRIBED = new RegExp(`\\b(${MADE})\\b`);
// ... and in values of ImageType alone, where the words have no other meaning.
const DERIVED = new RegExp(
  `\\b(${MADE}|3D|PROJECTION(?: IMAGE)?|SUBTRACTION|AVERAGE|MAXIMUM|MINIMUM|MEAN|STD DEVIATION`
  + "|VOLUME RENDERED|SURFACE RENDERED|CT SOM\\d+ PROT)\\b",
);

/** Whether a value of ImageType says localiser. */
export const isLocaliser = (imageType) => imageType.some((value) => LOCALISER.test(toPlain(value)));

/** Whether a value of ImageType, or the SeriesDescription, says projection or rendering. */
export function isDerived(imageType, description) {
  return imageType.some((value) => DERIVED.test(toPlain(value))) || DESCRIBED.test(toPlain(description));
}

/** In capitals, with spaces for whatever else vendors part words with. */
function toPlain(value) {
  return value.toUpperCase().replace(/[^A-Z0-9]+/g, " ").trim();
}
