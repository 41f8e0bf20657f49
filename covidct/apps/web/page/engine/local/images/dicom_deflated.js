// Deflated bytes -> bytes, with a bound, by the browser's own decoder. A megabyte can fill the memory.

import { ReadError } from "../errors.js";

/** Inflate `bytes` of a `format` ("deflate", "deflate-raw", "gzip"). Throws where more than `max` come out. */
export async function inflate(bytes, format, max) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joinBytes(parts, size);
    size += value.length;
    if (size > max) {
      await reader.cancel();
      throw new ReadError("inflates_too_far", { max: Math.floor(max / 1e6) });
    }
    parts.push(value);
  }
}

/** Join arrays of bytes that have `size` bytes together. */
export function joinBytes(parts, size) {
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
