// How large a file, a picture or an archive may be, as covidct/images/limits.py has it. Checked before anything is decoded.

import { ReadError } from "./errors.js";

export const MAX_PIXELS = 50_000_000;
export const MAX_BYTES = 256 * 1024 * 1024;

/** Throw for a picture without pixels, or with far too many. */
export function checkPixels(width, height) {
  if (width < 1 || height < 1) throw new ReadError("no_pixels");
  if (width * height > MAX_PIXELS) throw new ReadError("too_many_pixels", { width, height });
}

/** Throw for a file that is empty or too large. */
export function checkBytes(size) {
  if (size === 0) throw new ReadError("empty_file");
  if (size > MAX_BYTES) throw new ReadError("too_large", { size: Math.ceil(size / 1e6), max: Math.floor(MAX_BYTES / 1e6) });
}
