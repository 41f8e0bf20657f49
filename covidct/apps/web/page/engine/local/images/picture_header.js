// What the first bytes of a picture declare: its format, size, depth and how many frames it has.
// Knows PNG, JPEG, BMP, WEBP and GIF. Asked before the browser decodes anything.

import { ReadError } from "../errors.js";

const STARTS = [
  ["PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["JPEG", [0xff, 0xd8, 0xff]],
  ["BMP", [0x42, 0x4d]],
  ["TIFF", [0x49, 0x49, 0x2a, 0x00]],
  ["TIFF", [0x4d, 0x4d, 0x00, 0x2a]],
  ["GIF", [0x47, 0x49, 0x46, 0x38]],
];

/** Tell the format from the first bytes: PNG, JPEG, BMP, TIFF, WEBP, GIF, or null for any other. */
export function sniffFormat(bytes) {
  const found = STARTS.find(([, start]) => start.every((byte, at) => bytes[at] === byte));
  if (found) return found[0];
  return text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP" ? "WEBP" : null;
}

/** { format, width, height, depth (bits a channel), frames } of a picture. Throws ReadError for damage. */
export function parsePictureHeader(bytes, format) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return { format, depth: 8, frames: 1, ...PARSERS[format](view, bytes) };
  } catch (error) {
    if (error instanceof ReadError) throw error;
    throw new ReadError("damaged_picture", { format });
  }
}

const PARSERS = { PNG: parsePng, JPEG: parseJpeg, BMP: parseBmp, WEBP: parseWebp, GIF: parseGif };

function parsePng(view, bytes) {
  let frames = 1;
  for (let at = 8; at + 8 <= bytes.length && text(bytes, at + 4, 4) !== "IDAT"; at += 12 + view.getUint32(at)) {
    if (text(bytes, at + 4, 4) === "acTL") frames = view.getUint32(at + 8);
  }
  return {
    width: view.getUint32(16), height: view.getUint32(20), depth: view.getUint8(24),
    colourType: view.getUint8(25), interlaced: view.getUint8(28) !== 0, frames,
  };
}

function parseJpeg(view) {
  let at = 2;
  for (;;) {
    if (view.getUint8(at) !== 0xff) throw new ReadError("damaged_picture", { format: "JPEG" });
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { depth: view.getUint8(at + 4), height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    at += 2 + view.getUint16(at + 2);
  }
}

function parseBmp(view) {
  return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
}

function parseWebp(view, bytes) {
  const kind = text(bytes, 12, 4);
  if (kind === "VP8X") {
    const triple = (at) => 1 + view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    return { width: triple(24), height: triple(27), frames: view.getUint8(20) & 2 ? 2 : 1 };
  }
  if (kind === "VP8L") {
    const word = view.getUint32(21, true);
    return { width: 1 + (word & 0x3fff), height: 1 + ((word >> 14) & 0x3fff) };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

function parseGif(view, bytes) {
  const size = { width: view.getUint16(6, true), height: view.getUint16(8, true) };
  let at = 13 + tableSize(view.getUint8(10));
  let frames = 0;
  while (at < bytes.length && bytes[at] !== 0x3b) {
    if (bytes[at] === 0x2c) {
      frames += 1;
      size.width = Math.max(size.width, view.getUint16(at + 1, true) + view.getUint16(at + 5, true));
      size.height = Math.max(size.height, view.getUint16(at + 3, true) + view.getUint16(at + 7, true));
      at += 11 + tableSize(view.getUint8(at + 9));
    } else if (bytes[at] === 0x21) {
      at += 2;
    } else {
      break;
    }
    while (bytes[at]) at += bytes[at] + 1;
    at += 1;
  }
  return { ...size, frames: Math.max(frames, 1) };
}

function tableSize(flags) {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

function text(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
