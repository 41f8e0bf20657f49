// The bytes of a file -> one slice as display grey levels. What is inside is told from the bytes, not from the name.
// Pictures are shown as they were stored; Hounsfield units go through the window. Does not know whether it is a lung.

import { isDicom, readDicom } from "./dicom.js";
import { ReadError } from "../errors.js";
import { checkBytes } from "../limits.js";
import { sniffFormat } from "./picture_header.js";
import { readRaster } from "./raster.js";
import { WINDOWS, toDisplay } from "../../../rules/window.js";

// What people give instead of a slice.
const STRANGERS = [
  ["pdf", [0x25, 0x50, 0x44, 0x46]],
  ["zip_inside", [0x50, 0x4b, 0x03, 0x04]],
  ["nifti", [0x1f, 0x8b]],
  ["nifti", [0x5c, 0x01, 0x00, 0x00]],
  ["text", [0x3c]],
  ["pointer", Array.from("version https:" + "//git-lfs", (letter) => letter.charCodeAt())],
];

/**
 * Read one slice: { pixels (H * W) uint8 in the lung window, width, height, hu or null, seriesUid, instanceUid }.
 * Throws ReadError.
 */
export async function readSlice(bytes) {
  checkBytes(bytes.length);
  if (sniffFormat(bytes)) {
    return { ...(await readRaster(bytes)), hu: null, seriesUid: null, instanceUid: null };
  }
  if (!isDicom(bytes)) throw new ReadError(describe(bytes));
  const slice = await readDicom(bytes);
  return { ...slice, pixels: toDisplay(slice.hu, WINDOWS.lung) };
}

function describe(bytes) {
  if (String.fromCharCode(...bytes.subarray(4, 8)) === "ftyp") return "heic";
  if (String.fromCharCode(...bytes.subarray(257, 262)) === "ustar") return "tar";
  const found = STRANGERS.find(([, start]) => start.every((byte, at) => bytes[at] === byte));
  return found ? found[0] : "no_picture";
}
