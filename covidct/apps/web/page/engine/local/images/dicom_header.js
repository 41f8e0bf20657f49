// What a DICOM dataset declares about its pixels, and whether that is one axial CT slice, as covidct/images/dicom_header.py
// has it (PS3.3 C.7.6.3, C.8.2.1, C.11.1). Knows nothing of files or decoding.

import { ReadError } from "../errors.js";
import { checkPixels } from "../limits.js";

const CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2";
const ENHANCED = ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"];
const RADIOGRAPHS = ["CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"];
const TOPOGRAMS = ["LOCALIZER", "SCOUT", "TOPOGRAM"];
const OTHER_UNITS = ["OD", "MGML", "Z_EFF", "ED", "EDW", "PCT"]; // RescaleType, PS3.3 C.11.1.1.2

const TAGS = {
  ImageType: "x00080008", SOPClassUID: "x00080016", SOPInstanceUID: "x00080018", Modality: "x00080060",
  StudyDate: "x00080020", StudyDescription: "x00081030", SeriesDescription: "x0008103e", BodyPartExamined: "x00180015",
  SpacingBetweenSlices: "x00180088", SeriesNumber: "x00200011", AcquisitionNumber: "x00200012", ConvolutionKernel: "x00181210", SliceThickness: "x00180050",
  SeriesInstanceUID: "x0020000e", StudyInstanceUID: "x0020000d", InstanceNumber: "x00200013",
  ImagePositionPatient: "x00200032", ImageOrientationPatient: "x00200037",
  SamplesPerPixel: "x00280002", PhotometricInterpretation: "x00280004", NumberOfFrames: "x00280008",
  Rows: "x00280010", Columns: "x00280011", PixelSpacing: "x00280030", BitsAllocated: "x00280100",
  BitsStored: "x00280101", HighBit: "x00280102", PixelRepresentation: "x00280103",
  PixelPaddingValue: "x00280120", PixelPaddingRangeLimit: "x00280121", RescaleIntercept: "x00281052",
  RescaleSlope: "x00281053", RescaleType: "x00281054", PixelData: "x7fe00010",
};

/** Check a dataset's elements and give them as a plain object. Throws ReadError. */
export function parseHeader(dataset) {
  checkIsCt(dataset);
  checkIsOneSlice(dataset);
  checkIsAxial(dataset);
  checkIsGrey(dataset);
  const unit = text(dataset, "RescaleType").toUpperCase();
  if (OTHER_UNITS.includes(unit)) throw new ReadError("other_unit", { unit });
  const { allocated, stored } = bits(dataset);
  const rows = word(dataset, "Rows", 0);
  const columns = word(dataset, "Columns", 0);
  checkPixels(columns, rows);
  const modality = text(dataset, "Modality");
  return {
    rows, columns, bitsAllocated: allocated, bitsStored: stored,
    signed: word(dataset, "PixelRepresentation", 0) === 1,
    rescale: rescale(dataset),
    padding: padding(dataset),
    isCtImage: modality === "CT" && ["", CT_IMAGE].includes(text(dataset, "SOPClassUID")),
    seriesUid: text(dataset, "SeriesInstanceUID") || null,
    instanceUid: text(dataset, "SOPInstanceUID") || null,
    ...parsePlace(dataset),
  };
}

/** Where an instance lies and what it belongs to, as far as it says; throws nothing. */
export function parsePlace(dataset) {
  return {
    seriesUid: text(dataset, "SeriesInstanceUID") || null,
    instanceUid: text(dataset, "SOPInstanceUID") || null,
    studyUid: text(dataset, "StudyInstanceUID") || null,
    studyDate: text(dataset, "StudyDate") || null,
    modality: text(dataset, "Modality") || null,
    frames: numbers(dataset, "NumberOfFrames")[0] ?? 1,
    orientation: several(dataset, "ImageOrientationPatient", 6),
    position: several(dataset, "ImagePositionPatient", 3),
    order: [numbers(dataset, "AcquisitionNumber")[0] ?? 0, numbers(dataset, "InstanceNumber")[0] ?? 0],
    spacing: several(dataset, "PixelSpacing", 2) ?? [],
    seriesNumber: numbers(dataset, "SeriesNumber")[0] ?? null,
    description: text(dataset, "SeriesDescription"),
    studyDescription: text(dataset, "StudyDescription"),
    bodyPart: text(dataset, "BodyPartExamined"),
    kernel: text(dataset, "ConvolutionKernel"),
    thickness: numbers(dataset, "SliceThickness")[0] || null,
    declaredSpacing: numbers(dataset, "SpacingBetweenSlices")[0] || null,
    imageType: values(dataset, "ImageType").map((value) => value.toUpperCase()),
    size: [word(dataset, "Rows", 0), word(dataset, "Columns", 0)],
  };
}

function checkIsCt(dataset) {
  const modality = text(dataset, "Modality");
  const storage = text(dataset, "SOPClassUID");
  if (modality === "CT" || (!modality && ["", CT_IMAGE, ...ENHANCED].includes(storage))) return;
  const reason = RADIOGRAPHS.includes(modality) ? "radiograph" : "not_ct";
  throw new ReadError("foreign_modality", { modality: modality || storage || "?" }, { reason });
}

function checkIsOneSlice(dataset) {
  const frames = numbers(dataset, "NumberOfFrames")[0] ?? 1;
  if (frames > 1 || ENHANCED.includes(text(dataset, "SOPClassUID"))) throw new ReadError("multi_frame", { frames });
  if (!dataset.elements[TAGS.PixelData]?.length) throw new ReadError("no_pixel_data");
  if (values(dataset, "ImageType").some((value) => TOPOGRAMS.includes(value.toUpperCase()))) {
    throw new ReadError("localizer", {}, { reason: "radiograph" });
  }
}

/** Throw for coronal and sagittal reformats. A tilted gantry (up to 30 degrees) is still axial. */
function checkIsAxial(dataset) {
  const cosines = numbers(dataset, "ImageOrientationPatient");
  if (cosines.length !== 6 || cosines.every((value) => value === 0)) return;
  const normal = toNormal(cosines).map(Math.abs);
  if (normal[2] >= Math.cos((40 * Math.PI) / 180)) return;
  throw new ReadError(normal[1] > normal[0] ? "coronal" : "sagittal", {}, { reason: "not_axial" });
}

/** The normal of a plane, of its ImageOrientationPatient. */
export function toNormal([a, b, c, d, e, f]) {
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

function checkIsGrey(dataset) {
  // MONOCHROME1 is for the display alone: Hounsfield units mean the same in both (PS3.3 C.8.2.1.1).
  const photometric = text(dataset, "PhotometricInterpretation") || "MONOCHROME2";
  const samples = word(dataset, "SamplesPerPixel", 1);
  if (samples !== 1 || !["MONOCHROME1", "MONOCHROME2"].includes(photometric)) {
    throw new ReadError("colour_dicom", { photometric });
  }
}

function bits(dataset) {
  const allocated = word(dataset, "BitsAllocated", 16);
  const stored = word(dataset, "BitsStored", allocated);
  const high = word(dataset, "HighBit", stored - 1);
  const isSound = [8, 16, 32].includes(allocated) && stored > 0 && stored <= allocated && high === stored - 1;
  if (!isSound) throw new ReadError("odd_bits", { allocated, stored, high });
  return { allocated, stored };
}

/** PixelPaddingValue and PixelPaddingRangeLimit, the former twice where the latter lacks; else null. */
function padding(dataset) {
  if (!dataset.elements[TAGS.PixelPaddingValue]) return null;
  const first = word(dataset, "PixelPaddingValue", null);
  return first === null ? null : [first, word(dataset, "PixelPaddingRangeLimit", first)];
}

/** RescaleSlope and RescaleIntercept (PS3.3 C.11.1), null where both lack. */
function rescale(dataset) {
  const found = [numbers(dataset, "RescaleSlope")[0], numbers(dataset, "RescaleIntercept")[0]];
  if (found.every((value) => value === undefined)) return null;
  const [slope, intercept] = found;
  if (!(Math.abs(slope) > 0 && Math.abs(slope) < 1e6 && Math.abs(intercept) < 1e9)) throw new ReadError("bad_rescale");
  return { slope, intercept };
}

function values(dataset, keyword) {
  const whole = dataset.string(TAGS[keyword]);
  return whole ? whole.split("\\").map((value) => value.trim()) : [];
}

function text(dataset, keyword) {
  return values(dataset, keyword)[0] ?? "";
}

function numbers(dataset, keyword) {
  const found = values(dataset, keyword).map(Number);
  return found.every(Number.isFinite) ? found : [];
}

/** Exactly so many numbers, or null. */
function several(dataset, keyword, length) {
  const found = numbers(dataset, keyword);
  return found.length === length ? found : null;
}

/** A whole number of VR US or SS, which some writers store as four bytes. */
function word(dataset, keyword, fallback) {
  const element = dataset.elements[TAGS[keyword]];
  if (!element || element.length < 2) return fallback;
  const isWide = element.length === 4 && ["UL", "SL"].includes(element.vr);
  if (isWide) return dataset.int32(TAGS[keyword]);
  return element.vr === "SS" ? dataset.int16(TAGS[keyword]) : dataset.uint16(TAGS[keyword]);
}
