// The camera that took a picture, as its EXIF (CIPA DC-008) says, as covidct/images/decoding/pictures.py finds it.
// Knows where JPEG, PNG and WEBP keep EXIF. What is damaged names no camera: the pixels are fine.

const NAME = "Exif\0\0"; // before it in a JPEG
const MAKE = 0x010f;
const MODEL = 0x0110;
const EXIF = 0x8769; // where the directory of the exposure lies
const EXPOSURE = [0x829a, 0x829d]; // ExposureTime, FNumber: what only a camera has
const TEXT = 2;
const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8 }; // bytes, by type
const FINDERS = { JPEG: findInJpeg, PNG: findInPng, WEBP: findInWebp };

/** The make and model of the camera that took a picture; "" where its EXIF names no exposure. */
export function findCamera(bytes, format) {
  try {
    const found = FINDERS[format]?.(bytes, toView(bytes));
    return found ? readCamera(withoutName(found)) : "";
  } catch (error) {
    if (error instanceof RangeError) return ""; // an offset beyond the end
    throw error;
  }
}

function readCamera(bytes) {
  const view = toView(bytes);
  const isLittle = text(bytes, 0, 2) === "II";
  if (!(isLittle || text(bytes, 0, 2) === "MM") || view.getUint16(2, isLittle) !== 42) return "";
  const first = readDirectory(view, view.getUint32(4, isLittle), isLittle);
  if (!first.has(EXIF)) return "";
  const exposure = readDirectory(view, view.getUint32(first.get(EXIF).at, isLittle), isLittle);
  if (!EXPOSURE.some((tag) => exposure.has(tag))) return "";
  const words = [MAKE, MODEL].map((tag) => toText(bytes, first.get(tag)));
  return words.join(" ").replaceAll(/[^ -~¡-¬®-ÿ]/g, "").trim().slice(0, 60) || "unnamed camera";
}

/** The entries of a directory, by tag: { type, at, size }; as Pillow, up to the first whose value lies beyond the end. */
function readDirectory(view, start, isLittle) {
  const entries = new Map();
  const count = view.getUint16(start, isLittle);
  for (let at = start + 2; at < start + 2 + 12 * count && at + 12 <= view.byteLength; at += 12) {
    const type = view.getUint16(at + 2, isLittle);
    const size = (SIZES[type] ?? 0) * view.getUint32(at + 4, isLittle);
    const place = size > 4 ? view.getUint32(at + 8, isLittle) : at + 8;
    if (!size || size > view.byteLength) continue;
    if (place + size > view.byteLength) break;
    entries.set(view.getUint16(at, isLittle), { type, at: place, size });
  }
  return entries;
}

function toText(bytes, entry) {
  return entry?.type === TEXT ? text(bytes, entry.at, Math.min(entry.size, 240)) : "";
}

function findInJpeg(bytes, view) {
  for (let at = 2; view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda;) {
    if (view.getUint8(at + 1) === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    const end = at + 2 + view.getUint16(at + 2);
    if (view.getUint8(at + 1) === 0xe1 && text(bytes, at + 4, 6) === NAME) return bytes.subarray(at + 4, end);
    at = end;
  }
  return null;
}

function findInPng(bytes, view) {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    if (text(bytes, at + 4, 4) === "eXIf") return bytes.subarray(at + 8, at + 8 + view.getUint32(at));
  }
  return null;
}

function findInWebp(bytes, view) {
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    if (text(bytes, at, 4) === "EXIF") return bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size % 2);
  }
  return null;
}

/** EXIF without the name before it, which JPEG has and others may have. */
function withoutName(bytes) {
  return text(bytes, 0, 6) === NAME ? bytes.subarray(6) : bytes;
}

function text(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function toView(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
