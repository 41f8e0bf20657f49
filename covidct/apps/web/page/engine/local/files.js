// What a person gave -> the files in it that may be slices: zips opened, clutter left out, as covidct/images/files.py has it.
// Knows names and the first bytes. Knows nothing of slices.

import { isZip, readArchive } from "./archive.js";
import { ReadError, orReadError } from "./errors.js";
import { inflate } from "./images/dicom_deflated.js";
import { sniffFormat } from "./images/picture_header.js";
import { MAX_BYTES, checkBytes } from "./limits.js";
import { inOrder } from "./in_order.js";
import { hasKnownEnding, isCandidate, isClutter, looksLikeDicom, readStart } from "../../rules/candidates.js";

const START = 1 << 14; // bytes that hold the header of most slices
const LONG_START = 1 << 16; // and of nearly all
const AHEAD = 16; // files whose first bytes are read at a time

/**
 * List what is to be read: { items, skipped }. Each item is { path, size, read() -> bytes } or { path, error }; a file
 * that may be read in part has readStart(), too. `given` are { file, path, isFromFolder }; what was not named itself is
 * taken only where it may be a slice.
 */
export async function listItems(given) {
  const found = { items: [], skipped: [] };
  for await (const { one, isWanted, start } of inOrder(given, AHEAD, peek)) {
    if (!isWanted) found.skipped.push(one.path);
    else if (isZip(start)) await addArchive(one, found);
    else found.items.push(toItem(one, start));
  }
  return found;
}

async function peek(one) {
  const start = await readStart(one.file, START); // once: to ask for a part of a file takes longer than to parse it
  return { one, start, isWanted: !one.isFromFolder || (await isCandidate(one, start)) };
}

function toItem({ file, path, given }, start) {
  return {
    path,
    given: given ?? path,
    size: file.size,
    read: async () => unpacked(await readBytes(file, file.size)),
    starts: [
      async () => {
        checkBytes(file.size);
        return start;
      },
      () => readBytes(file, LONG_START),
    ],
  };
}

/** The first bytes of a file, or all. Throws ReadError. */
async function readBytes(file, size) {
  checkBytes(file.size);
  const buffer = await orReadError("gone", () => file.slice(0, size).arrayBuffer());
  return new Uint8Array(buffer);
}

async function addArchive({ file, path }, found) {
  try {
    const entries = await readArchive(file, path);
    for (const entry of entries) {
      if (isClutter(entry.path)) found.skipped.push(entry.path);
      else await addEntry({ ...entry, read: async () => unpacked(await entry.read()), given: path }, found);
    }
    if (!entries.length) throw new ReadError("empty_zip");
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    found.items.push({ path, given: path, error });
  }
}

async function addEntry(entry, found) {
  const isWanted = hasKnownEnding(entry.path) || (entry.size >= 132 && looksLikeDicom(await entry.read()));
  if (isWanted) found.items.push(entry);
  else found.skipped.push(entry.path);
}

/** Whether bytes begin as gzip does. */
export function isGzip(bytes) {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** A DICOM object or a picture out of gzip; all else as it is. */
async function unpacked(bytes) {
  if (!isGzip(bytes)) return bytes;
  const inner = await orReadError("damaged_gzip", () => inflate(bytes, "gzip", MAX_BYTES));
  return looksLikeDicom(inner) || sniffFormat(inner) ? inner : bytes;
}
