// Which files of a folder or an archive may be slices, as covidct/images/files.py has it: by name, or by DICM at byte 128.

const ENDINGS = /\.(png|jpe?g|bmp|tiff?|webp|gif|dcm|dicom|ima)$/i;
const OVERLAY = ".heatmap.png";

/** Whether a name says that it may be a slice. */
export const hasKnownEnding = (path) => ENDINGS.test(path);

/** Hidden, of the system, a table of contents (DICOMDIR), or an overlay of our own. */
export function isClutter(path) {
  const parts = path.split("/").filter((part) => part !== "." && part !== "..");
  const isHidden = parts.some((part) => part.startsWith(".") || part.toUpperCase() === "__MACOSX");
  const name = parts.at(-1) ?? "";
  return isHidden || name.toUpperCase() === "DICOMDIR" || name.endsWith(OVERLAY);
}

/** Whether bytes have DICM at byte 128. */
export function hasMagic(bytes) {
  return String.fromCharCode(...bytes.subarray(128, 132)) === "DICM";
}

/** The first bytes of a file, enough to tell what it is; none where it cannot be read. */
export async function readStart(file) {
  const start = await file.slice(0, 132).arrayBuffer().catch(() => new ArrayBuffer(0));
  return new Uint8Array(start);
}

/** Whether what lies in a folder is to be read: { file, path }; zips are. */
export async function isCandidate({ file, path }) {
  if (isClutter(path)) return false;
  return hasKnownEnding(path) || /\.zip$/i.test(path) || hasMagic(await readStart(file));
}
