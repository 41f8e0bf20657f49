// RLE Lossless pixel data (PS3.5 annex G) -> bytes. Knows segments and PackBits; knows nothing of slices.

import { ReadError } from "../errors.js";

/** Decode one frame of `pixels` words with `wordBytes` bytes each, given little-endian. Throws ReadError. */
export function decodeRle(frame, pixels, wordBytes) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 64 || view.getUint32(0, true) !== wordBytes) throw new ReadError("undecodable");
  const bytes = new Uint8Array(pixels * wordBytes);
  for (let segment = 0; segment < wordBytes; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const stop = segment + 1 < wordBytes ? view.getUint32(8 + 4 * segment, true) : frame.length;
    const plane = unpackBits(frame.subarray(start, stop), pixels);
    // The segment of the most significant bytes comes first.
    const place = wordBytes - 1 - segment;
    for (let at = 0; at < pixels; at++) bytes[at * wordBytes + place] = plane[at];
  }
  return bytes;
}

function unpackBits(data, size) {
  const plane = new Uint8Array(size);
  let [from, to] = [0, 0];
  while (to < size) {
    if (from >= data.length) throw new ReadError("undecodable");
    const count = data[from++];
    if (count < 128) {
      plane.set(data.subarray(from, from + Math.min(count + 1, size - to)), to);
      from += count + 1;
      to += count + 1;
    } else if (count > 128) {
      plane.fill(data[from++], to, to + 257 - count);
      to += 257 - count;
    }
  }
  return plane;
}
