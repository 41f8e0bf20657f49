// The samples of a PNG with 16 bits a channel, which a canvas would cut down to eight.
// Knows the PNG specification's chunks and filters (W3C PNG, 7 to 9). Knows nothing of slices.

import { ReadError } from "../errors.js";
import { inflate, joinBytes } from "./dicom_deflated.js";

const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // by colour type: grey, RGB, grey and alpha, RGBA

/** { samples Uint16Array (H * W * channels), channels } of a PNG whose header was parsed. Throws ReadError. */
export async function decodePng16(bytes, { width, height, colourType, interlaced }) {
  const channels = CHANNELS[colourType];
  if (interlaced || !channels) throw new ReadError("deep_interlaced");
  const stride = 2 * channels * width;
  const raw = await inflate(imageData(bytes), "deflate", (stride + 1) * height);
  if (raw.length < (stride + 1) * height) throw new ReadError("damaged_picture", { format: "PNG" });
  const lines = unfilter(raw, stride, height, 2 * channels);
  const samples = new Uint16Array(width * height * channels);
  for (let at = 0; at < samples.length; at++) samples[at] = (lines[2 * at] << 8) | lines[2 * at + 1];
  return { samples, channels };
}

function imageData(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [];
  let size = 0;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) !== 0x49444154) continue; // IDAT
    const part = bytes.subarray(at + 8, at + 8 + view.getUint32(at));
    parts.push(part);
    size += part.length;
  }
  return joinBytes(parts, size);
}

/** Undo the filter of each line; `pixel` is the bytes of one. */
function unfilter(raw, stride, height, pixel) {
  const lines = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    const kind = raw[row * (stride + 1)];
    const start = row * stride;
    for (let column = 0; column < stride; column++) {
      const left = column >= pixel ? lines[start + column - pixel] : 0;
      const up = row ? lines[start + column - stride] : 0;
      const corner = row && column >= pixel ? lines[start + column - stride - pixel] : 0;
      lines[start + column] = raw[row * (stride + 1) + 1 + column] + predict(kind, left, up, corner);
    }
  }
  return lines;
}

function predict(kind, left, up, corner) {
  if (kind === 0) return 0;
  if (kind === 1) return left;
  if (kind === 2) return up;
  if (kind === 3) return (left + up) >> 1;
  if (kind !== 4) throw new ReadError("damaged_picture", { format: "PNG" });
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
