// Which files of a folder or an archive may be slices, as covidct/images/files.py has it: by name, or by how it begins.

const ENDINGS = /\.(png|jpe?g|bmp|tiff?|webp|gif|(dcm|dicom|ima)(\.gz)?)$/i;
// The first element, of those that may come first, then its VR, or a length that is short.
const BARE = new RegExp(
  "^(?:(?:\\x02\\x00[\\x00-\\x10]|\\x08\\x00[\\x00-\\x18])\\x00(?:[A-Z]{2}|[\\x00-\\xfe][\\x00\\x01]\\x00\\x00)"
  + "|\\x00\\x08\\x00[\\x00-\\x18](?:[A-Z]{2}|\\x00\\x00[\\x00\\x01][\\x00-\\xfe]))",
);
const OVERLAY = ".heatmap.png";

/** Whether a name says that it may be a slice. */
export const hasKnownEnding = (path) => ENDINGS.test(path);

/** Hidden, of the system, a table of contents (DICOMDIR), or an overlay of our own. */
export function isClutter(path) {
  const parts = path.split("/").filter((part) => part !== "." && part !== "..");
  const isHidden = parts.some((part) => part.startsWith(".") || part.toUpperCase() === "__MACOSX");
  const name = parts.at(-1) ?? "";
  const isContents = /^DICOMDIR(\.DCM)?\.?(;.*)?$/i.test(name);
  return isHidden || isContents || name.endsWith(OVERLAY);
}

/** Whether bytes have DICM at byte 128. */
export function hasMagic(bytes) {
  return String.fromCharCode(...bytes.subarray(128, 132)) === "DICM";
}

/** Whether bytes begin as DICOM does, with the preamble or without: group 0008, or 0002 for file meta; both byte orders. */
export function looksLikeDicom(bytes) {
  return hasMagic(bytes) || BARE.test(String.fromCharCode(...bytes.subarray(0, 8)));
}

/** The first bytes of a file, by default enough to tell what it is; none where it cannot be read. */
export async function readStart(file, size = 132) {
  const start = await file.slice(0, size).arrayBuffer().catch(() => new ArrayBuffer(0));
  return new Uint8Array(start);
}

/** Whether what lies in a folder is to be read: { file, path }, and its first bytes where they are known; zips are. */
export async function isCandidate({ file, path }, start = null) {
  if (isClutter(path)) return false;
  return hasKnownEnding(path) || /\.zip$/i.test(path) || looksLikeDicom(start ?? (await readStart(file)));
}
