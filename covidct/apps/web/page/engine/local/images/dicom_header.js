// What a DICOM dataset declares about its pixels, and whether that is one axial CT slice, as covidct/images/dicom_header.py
// has it (PS3.3 C.7.6.3, C.8.2.1, C.11.1). Knows nothing of files or decoding.

import { ReadError } from "../errors.js";
import { checkPixels } from "../limits.js";
import { isLocaliser } from "./image_type.js";
import { UPRIGHT, findTurn } from "../series/orientation.js";
import { MARKS } from "../series/marks.js";

const CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2";
const ENHANCED = ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"];
const RADIOGRAPHS = ["CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"];
/** What may be slices of a CT. */
export const CT_CLASSES = [CT_IMAGE, ...ENHANCED];
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
  PatientID: "x00100020", SpecificCharacterSet: "x00080005", FrameOfReferenceUID: "x00200052", EchoNumbers: "x00180086",
  TemporalPositionIdentifier: "x00200100", NominalPercentageOfCardiacPhase: "x00209241", TriggerTime: "x00181060",
  ContrastBolusAgent: "x00180010", KVP: "x00180060", AcquisitionDateTime: "x0008002a", AcquisitionTime: "x00080032",
  RescaleSlope: "x00281053", RescaleType: "x00281054", PixelData: "x7fe00010",
};

// SpecificCharacterSet (PS3.3 C.12.1.1.2) as browsers call them.
const CHARACTER_SETS = {
  ...Object.fromEntries([100, 101, 109, 110, 144, 127, 126, 138, 148].flatMap((number, at) => [
    [`ISO_IR ${number}`, `iso-8859-${[1, 2, 3, 4, 5, 6, 7, 8, 9][at]}`],
    [`ISO 2022 IR ${number}`, `iso-8859-${[1, 2, 3, 4, 5, 6, 7, 8, 9][at]}`],
  ])),
  "ISO_IR 13": "shift_jis", "ISO_IR 192": "utf-8", GB18030: "gb18030", GBK: "gbk", "ISO 2022 IR 149": "euc-kr",
  "ISO 2022 IR 87": "iso-2022-jp", "ISO 2022 IR 58": "gb2312",
};

/** Check a dataset's elements and give them as a plain object. Throws ReadError. */
export function parseHeader(dataset) {
  checkIsCt(dataset);
  checkIsOneSlice(dataset);
  const orientation = several(dataset, "ImageOrientationPatient", 6);
  checkIsAxial(orientation);
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
    turn: orientation?.some(Boolean) ? findTurn(orientation) : UPRIGHT,
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
    patientId: text(dataset, "PatientID") || null,
    sopClass: text(dataset, "SOPClassUID"),
    marks: Object.fromEntries(MARKS.map((keyword) => [keyword, values(dataset, keyword).join("\\")])),
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
  if (isLocaliser(values(dataset, "ImageType"))) {
    throw new ReadError("localizer", {}, { reason: "radiograph" });
  }
}

/** Throw for coronal and sagittal reformats. A tilted gantry (up to 30 degrees) is still axial. */
function checkIsAxial(cosines) {
  if (!cosines?.some(Boolean)) return;
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
  const [slope, intercept] = ["RescaleSlope", "RescaleIntercept"].map((keyword) => number(dataset, keyword));
  if (slope === null && intercept === null) return null;
  const isSound = slope !== null && intercept !== null && Math.abs(slope) > 0 && Math.abs(slope) < 1e6;
  if (!isSound || !(Math.abs(intercept) < 1e9)) throw new ReadError("bad_rescale");
  return { slope, intercept };
}

/** An element's first value; null where it lacks. Throws where it is no number. */
function number(dataset, keyword) {
  const stored = text(dataset, keyword);
  if (!stored) return null;
  const found = toNumber(stored);
  if (!Number.isFinite(found)) throw new ReadError("no_number", { keyword, value: stored.slice(0, 32) });
  return found;
}

/** An element's values, in the character set that it is in. */
function values(dataset, keyword) {
  const element = dataset.elements[TAGS[keyword]];
  if (!element?.length) return [];
  const bytes = dataset.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
  return decode(bytes, dataset).replace(/[\0\s]+$/, "").split("\\").map((value) => value.replace(/\0/g, "").trim());
}

/** Text that is UTF-8, in the set that SpecificCharacterSet declares (PS3.5 6.1), or Latin-1. */
function decode(bytes, dataset) {
  const declared = (dataset.string(TAGS.SpecificCharacterSet) ?? "").split("\\").map((name) => name.trim());
  const known = declared.map((name) => CHARACTER_SETS[name]).filter(Boolean);
  // With escapes the last set declared counts; else UTF-8 comes first: many write it without a word.
  for (const label of bytes.includes(0x1b) ? known.reverse() : ["utf-8", ...known]) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes);
    } catch {
      continue;
    }
  }
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function text(dataset, keyword) {
  return values(dataset, keyword)[0] ?? "";
}

/** A decimal comma can mean nothing else in a number (PS3.5 6.2, DS). */
const toNumber = (value) => (value === "" ? NaN : Number(value.replace(",", ".")));

/** An element's values that are numbers; what is none is left out. */
function numbers(dataset, keyword) {
  return values(dataset, keyword).map(toNumber).filter(Number.isFinite);
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
