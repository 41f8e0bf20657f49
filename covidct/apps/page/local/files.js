// What a person gave -> the files in it that may be slices: zips opened, clutter left out, as covidct/files.py has it.
// Knows names and the first bytes. Knows nothing of slices.

import { isZip, readArchive } from "./archive.js";
import { hasMagic } from "./dicom.js";
import { ReadError } from "./errors.js";
import { checkBytes } from "./limits.js";

const ENDINGS = /\.(png|jpe?g|bmp|tiff?|webp|gif|dcm|dicom|ima)$/i;
const OVERLAY = ".heatmap.png";

/**
 * List what is to be read: { items, skipped }. Each item is { path, read() -> bytes } or { path, error }.
 * `given` are { file, path, isFromFolder }; what was not named itself is taken only where it may be a slice.
 */
export async function listItems(given) {
  const found = { items: [], skipped: [] };
  for (const one of given) {
    const start = new Uint8Array(await one.file.slice(0, 132).arrayBuffer().catch(() => new ArrayBuffer(0)));
    if (isZip(start)) await addArchive(one, found);
    else if (!one.isFromFolder || isCandidate(one.path, start)) found.items.push(toItem(one));
    else found.skipped.push(one.path);
  }
  return found;
}

function toItem({ file, path }) {
  return {
    path,
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
      else if (ENDINGS.test(entry.path)) found.items.push(entry);
      else await addUnknown(entry, found);
    }
    if (!entries.length) throw new ReadError("empty_zip");
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    found.items.push({ path, error });
  }
}

async function addUnknown(entry, found) {
  if (entry.size < 132 || !hasMagic(await entry.read())) found.skipped.push(entry.path);
  else found.items.push(entry);
}

function isCandidate(path, start) {
  return !isClutter(path) && (ENDINGS.test(path) || hasMagic(start));
}

/** Hidden, of the system, a table of contents (DICOMDIR), or an overlay of our own. */
function isClutter(path) {
  const parts = path.split("/");
  const name = parts.at(-1);
  const isHidden = parts.some((part) => part.startsWith(".") || part.toUpperCase() === "__MACOSX");
  return isHidden || name.toUpperCase() === "DICOMDIR" || name.endsWith(OVERLAY);
}
