// What a person gave -> the files in it that may be slices: zips opened, clutter left out, as covidct/images/files.py has it.
// Knows names and the first bytes. Knows nothing of slices.

import { isZip, readArchive } from "./archive.js";
import { ReadError } from "./errors.js";
import { checkBytes } from "./limits.js";
import { hasKnownEnding, hasMagic, isCandidate, isClutter, readStart } from "../../rules/candidates.js";

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
        return new Uint8Array(await file.arrayBuffer());
      } catch {
        throw new ReadError("gone");
      }
    },
  };
}

async function addArchive({ file, path }, found) {
  try {
    const entries = await readArchive(file, path);
    for (const entry of entries) {
      if (isClutter(entry.path)) found.skipped.push(entry.path);
      else if (hasKnownEnding(entry.path)) found.items.push({ ...entry, given: path });
      else await addUnknown({ ...entry, given: path }, found);
    }
    if (!entries.length) throw new ReadError("empty_zip");
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    found.items.push({ path, given: path, error });
  }
}

async function addUnknown(entry, found) {
  if (entry.size < 132 || !hasMagic(await entry.read())) found.skipped.push(entry.path);
  else found.items.push(entry);
}
