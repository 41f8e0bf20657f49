// What a person gave -> the files in it that may be slices: zips opened, clutter left out, as covidct/images/files.py has it.
// Knows names and the first bytes. Knows nothing of slices.

import { isZip, readArchive } from "./archive.js";
import { ReadError, orReadError } from "./errors.js";
import { inflate } from "./images/dicom_deflated.js";
import { sniffFormat } from "./images/picture_header.js";
import { MAX_BYTES, checkBytes } from "./limits.js";
import { hasKnownEnding, isCandidate, isClutter, looksLikeDicom, readStart } from "../../rules/candidates.js";

/**
 * List what is to be read: { items, skipped }. Each item is { path, size, read() -> bytes } or { path, error }.
 * `given` are { file, path, isFromFolder }; what was not named itself is taken only where it may be a slice.
 */
export async function listItems(given) {
  const found = { items: [], skipped: [] };
  for (const one of given) {
    if (one.isFromFolder && !(await isCandidate(one))) found.skipped.push(one.path);
    else if (isZip(await readStart(one.file))) await addArchive(one, found);
    else found.items.push(toItem(one));
  }
  return found;
}

function toItem({ file, path, given }) {
  return {
    path,
    given: given ?? path,
    size: file.size,
    read: async () => {
      checkBytes(file.size);
      try {
        return await unpacked(new Uint8Array(await file.arrayBuffer()));
      } catch (error) {
        throw error instanceof ReadError ? error : new ReadError("gone");
      }
    },
  };
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

/** A DICOM object or a picture out of gzip; all else as it is. */
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const inner = await orReadError("damaged_gzip", () => inflate(bytes, "gzip", MAX_BYTES));
  return looksLikeDicom(inner) || sniffFormat(inner) ? inner : bytes;
}
