// The bytes of a picture -> grey levels, as covidct/images/raster.py has it: luma (ITU-R 601), upright, over black.
// The browser decodes; TIFF, which it cannot, is refused. Knows nothing of what is pictured.

import { findCamera } from "./camera.js";
import { ReadError, orReadError } from "../errors.js";
import { checkPixels } from "../limits.js";
import { parsePictureHeader, sniffFormat } from "./picture_header.js";
import { decodePng16 } from "./png16.js";
import { rint } from "../../../rules/numbers.js";

// A windowed 16-bit picture fills its range. Raw CT values fill 12 or 13 bits of it, at whatever offset.
const NARROW = 8192;

/** Decode to { pixels (H * W) uint8, width, height, camera (make and model, "" for none) }. Throws ReadError. */
export async function readRaster(bytes) {
  const format = sniffFormat(bytes);
  return { ...(await readGrey(bytes, format)), camera: findCamera(bytes, format) };
}

async function readGrey(bytes, format) {
  if (format === "TIFF") throw new ReadError("tiff");
  const header = parsePictureHeader(bytes, format);
  checkPixels(header.width, header.height);
  if (header.frames > 1) throw new ReadError("several_frames", { frames: header.frames });
  const isDeep = format === "PNG" && header.depth === 16;
  const deep = isDeep ? await decodePng16(bytes, header) : null;
  if (deep?.channels === 1) return { pixels: scaleDeep(deep.samples), width: header.width, height: header.height };
  if (deep) checkFillsRange(deep.samples);
  return orReadError("damaged_picture_any", () => decode(bytes, format));
}

async function decode(bytes, format) {
  const blob = new Blob([bytes], { type: `image/${format.toLowerCase()}` });
  // As stored: no colour profile is applied, but the orientation that a camera noted is.
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "black";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { pixels: toGrey(context.getImageData(0, 0, width, height).data), width, height };
}

/** RGBA -> luma, in the whole numbers that Pillow uses. */
function toGrey(rgba) {
  const grey = new Uint8Array(rgba.length / 4);
  for (let at = 0; at < grey.length; at++) {
    grey[at] = (rgba[4 * at] * 19595 + rgba[4 * at + 1] * 38470 + rgba[4 * at + 2] * 7471 + 0x8000) >> 16;
  }
  return grey;
}

function scaleDeep(samples) {
  checkFillsRange(samples);
  return Uint8Array.from(samples, (value) => rint(value / 257));
}

function checkFillsRange(samples) {
  let low = 65535;
  let high = 0;
  for (const value of samples) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (high - low < NARROW) throw new ReadError("raw_ct_values", { low, high });
}
