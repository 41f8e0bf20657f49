// The bytes of a DICOM file -> Hounsfield units of its one CT slice, as covidct/images/dicom.py has it.
// The home of dicom-parser. Knows nothing of series.

import dicomParser from "../../../vendored/dicom-parser.js";
import { decodeFrame, toWords } from "./codecs.js";
import { parseHeader, parsePlace } from "./dicom_header.js";
import { ReadError, orReadError } from "../errors.js";
import { AIR_HU, PLAUSIBLE_AIR_HU, hasAir, paddingTest, unusedBitsDropper } from "./hounsfield.js";
import { inflate, joinBytes } from "./dicom_deflated.js";
import { isImplausible } from "./plausibility.js";
import { MAX_BYTES } from "../limits.js";
import { hasMagic, looksLikeDicom } from "../../../rules/candidates.js";

const IMPLICIT = "1.2.840.10008.1.2";
const EXPLICIT = "1.2.840.10008.1.2.1";
const DEFLATED = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const PIXELS = "x7fe00010"; // PixelData
const CARRIES_PRECISION = /^1\.2\.840\.10008\.1\.2\.4\.(80|81|90|91|201|202|203)$/;

/** Whether bytes are, or may be, DICOM. */
export const isDicom = looksLikeDicom;

/** Where the instance lies and what it belongs to; see `parsePlace`. Throws ReadError for what is no DICOM. */
export async function readPlace(bytes) {
  const dataset = await orReadError("damaged_dicom", () => parseDataset(bytes, PIXELS));
  return parsePlace(dataset);
}

/** As `readPlace`, of the first bytes of a file; null where they do not hold all that comes before the pixels. */
export async function readPlaceOfStart(bytes) {
  const dataset = await parseDataset(bytes, PIXELS).catch(() => null);
  return dataset?.elements[PIXELS] ? parsePlace(dataset) : null;
}

/** The slice { hu Float64Array (rows * columns), width, height, seriesUid, instanceUid, turn, spacing, side }. Throws ReadError. */
export async function readDicom(bytes) {
  return orReadError("damaged_dicom", async () => {
    const dataset = await parseDataset(bytes);
    const header = parseHeader(dataset);
    const hu = await toHu(dataset, header);
    const { seriesUid, instanceUid, turn } = header;
    const spacing = header.spacing.every((mm) => mm > 0) && header.spacing.length ? header.spacing : null;
    const side = header.orientation?.some(Boolean) ? turn : null; // for letters at the sides: no guess
    return { hu, width: header.columns, height: header.rows, seriesUid, instanceUid, turn, spacing, side };
  });
}

async function parseDataset(bytes, untilTag) {
  if (!hasMagic(bytes) && bytes[0] === 2) return parseDataset(withPreamble(bytes), untilTag);
  const options = { untilTag };
  if (!hasMagic(bytes)) {
    options.TransferSyntaxUID = bareSyntax(bytes);
  } else if (readSyntax(dicomParser.readPart10Header(bytes)) === DEFLATED) {
    const { position } = dicomParser.readPart10Header(bytes);
    const rest = await inflateDataset(bytes.subarray(position));
    const whole = joinBytes([bytes.subarray(0, position), rest], position + rest.length);
    options.inflater = () => whole;
  }
  const dataset = dicomParser.parseDicom(bytes, options);
  if (!hasMagic(bytes) && !dataset.string("x00080016")?.startsWith("1.2.840.10008.")) throw new ReadError("not_dicom");
  return dataset;
}

/** Inflate a deflated dataset, which may end in a byte of padding (PS3.5 A.5) that the browser does not take. */
async function inflateDataset(bytes) {
  const isPadded = bytes.at(-1) === 0;
  return inflate(bytes, "deflate-raw", MAX_BYTES).catch((error) => {
    if (error instanceof ReadError || !isPadded) throw error;
    return inflate(bytes.subarray(0, -1), "deflate-raw", MAX_BYTES);
  });
}

function withPreamble(bytes) {
  const magic = new Uint8Array(132);
  magic.set([0x44, 0x49, 0x43, 0x4d], 128);
  return joinBytes([magic, bytes], 132 + bytes.length);
}

function bareSyntax(bytes) {
  if (bytes[0] === 0) return BIG_ENDIAN;
  const isLetter = (byte) => byte >= 0x41 && byte <= 0x5a;
  return isLetter(bytes[4]) && isLetter(bytes[5]) ? EXPLICIT : IMPLICIT;
}

function readSyntax(dataset) {
  return dataset.string("x00020010") ?? IMPLICIT;
}

async function toHu(dataset, header) {
  const syntax = readSyntax(dataset);
  const { words, precision } = await decode(dataset, header, syntax);
  const isPadding = header.padding ? paddingTest(...header.padding, words) : null;
  const carries = CARRIES_PRECISION.test(syntax) && precision !== null;
  const drop = unusedBitsDropper(carries ? precision : header.bitsStored, words);
  const { slope, intercept } = header.rescale ?? { slope: 1, intercept: 0 };
  // Loops, not from() and map(): they take a tenth of the time.
  const hu = new Float64Array(words.length);
  for (let at = 0; at < words.length; at++) hu[at] = drop(words[at]) * slope + intercept;
  checkIsHounsfield(isPadding ? hu.filter((_, at) => !isPadding(words[at])) : hu, header);
  if (isPadding) fillWithAir(hu, words, isPadding);
  return hu;
}

function fillWithAir(hu, words, isPadding) {
  for (let at = 0; at < words.length; at++) if (isPadding(words[at])) hu[at] = AIR_HU;
}

async function decode(dataset, header, syntax) {
  const element = dataset.elements[PIXELS];
  if (element.encapsulatedPixelData) {
    return orReadError("undecodable", () => {
      const frame = dicomParser.readEncapsulatedPixelDataFromFragments(dataset, element, 0, element.fragments.length);
      return decodeFrame(frame, syntax, header);
    });
  }
  const bytes = dataset.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
  const ordered = syntax === BIG_ENDIAN ? swapped(bytes, header.bitsAllocated / 8) : bytes;
  return { words: toWords(ordered, header), precision: null };
}

function swapped(bytes, wordBytes) {
  const turned = bytes.slice(0, bytes.length - (bytes.length % wordBytes));
  for (let at = 0; at < turned.length; at += wordBytes) turned.subarray(at, at + wordBytes).reverse();
  return turned;
}

/** Throw where values cannot be trusted to be Hounsfield units; `hu` is without padding. */
function checkIsHounsfield(hu, { rescale, isCtImage, signed }) {
  if (rescale && isCtImage) {
    if (isImplausible(hu)) throw new ReadError("implausible", rescale);
    return;
  }
  if ((rescale || signed) && hasAir(hu)) return;
  throw new ReadError("no_hounsfield", { min: PLAUSIBLE_AIR_HU });
}
