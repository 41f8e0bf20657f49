// A zip -> the files in it that may be slices, each inflated when it is read. The home of zip.js.
// Knows bounds, and names that lead out of the archive. Nothing is written anywhere.

import * as zip from "../../vendored/zip.js";
import { ReadError, orReadError } from "./errors.js";
import { MAX_BYTES } from "./limits.js";

const MAX_ENTRIES = 5000;
const MAX_TOTAL = 4 * 1024 ** 3; // of all entries together, inflated
const MAX_RATIO = 200; // of an entry's size to what it takes in the archive: pixels are never so empty

zip.configure({ useWebWorkers: false });

/** Whether bytes begin as a zip does. */
export function isZip(bytes) {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && [0x03, 0x05].includes(bytes[2]);
}

/** The entries { path, size, read() -> bytes } of an archive, a Blob. Throws ReadError for what is unsound. */
export async function readArchive(blob, path) {
  // Names that lead out of the archive do no harm here: nothing is written.
  const reader = new zip.ZipReader(new zip.BlobReader(blob), { filenameValidation: "tolerant" });
  const entries = await orReadError("damaged_zip", () => reader.getEntries());
  const files = entries.filter((entry) => !entry.directory);
  if (files.some((entry) => entry.encrypted)) throw new ReadError("encrypted_zip");
  checkBounds(files);
  return files.map((entry) => ({
    path: `${path}/${toPlainPath(entry.filename)}`,
    size: entry.uncompressedSize,
    read: () => orReadError("damaged_zip", () => inflateEntry(entry)),
  }));
}

function checkBounds(files) {
  if (files.length > MAX_ENTRIES) throw new ReadError("zip_too_many", { files: files.length, max: MAX_ENTRIES });
  const total = files.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  const isBomb = files.some((entry) => entry.uncompressedSize > MAX_TOTAL || isTooEmpty(entry));
  if (total > MAX_TOTAL || isBomb) throw new ReadError("zip_bomb");
}

function isTooEmpty({ uncompressedSize, compressedSize }) {
  return uncompressedSize > 1e6 && uncompressedSize > MAX_RATIO * compressedSize;
}

async function inflateEntry(entry) {
  // What an archive declares may be a lie: the writer takes no more than it.
  const limit = entry.uncompressedSize;
  let size = 0;
  const parts = [];
  const sink = new WritableStream({
    write(chunk) {
      size += chunk.length;
      if (size > limit) throw new ReadError("zip_bomb");
      parts.push(chunk.slice());
    },
  });
  await entry.getData(sink, { checkSignature: true });
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** `../../etc/x` and `C:\x` become names that lead nowhere. */
function toPlainPath(name) {
  return name.split(/[/\\]+/).filter((part) => part && part !== "." && part !== "..").join("/");
}
