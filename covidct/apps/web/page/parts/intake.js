// Files that a person drops, chooses or pastes -> { file, path, isFromFolder }. Knows nothing of what is in them.

import { byId } from "./dom.js";

/**
 * Call `onGiven(files)` with what is given, `onFault()` where a folder cannot be read, and `onIntent()` where files are
 * about to be given.
 */
export function startIntake(onGiven, onFault, onIntent) {
  for (const id of ["pick-files", "pick-folder"]) {
    byId(id).addEventListener("click", () => onIntent());
    byId(id).addEventListener("change", ({ target }) => {
      onGiven(Array.from(target.files, toGiven).sort(byPath)); // browsers give folders in any order
      target.value = ""; // the same files may be chosen again
    });
  }
  const over = (isOver) => byId("intake").classList.toggle("over", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragenter", () => onIntent(), { once: true });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? over(false));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    over(false);
    const dropped = listDropped(event.dataTransfer);
    await dropped.then(onGiven, onFault);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) onGiven(Array.from(event.clipboardData.files, toGiven));
  });
}

const byName = (one, other) => one.name.localeCompare(other.name, "en", { numeric: true });
const byPath = (one, other) => one.path.localeCompare(other.path, "en", { numeric: true });

function toGiven(file) {
  const path = file.webkitRelativePath || file.name;
  return { file, path, given: path.split("/")[0], isFromFolder: Boolean(file.webkitRelativePath) };
}

async function listDropped({ items, files }) {
  // Entries must be asked for before anything is awaited: the browser then forgets what was dropped.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return Array.from(files, toGiven).sort(byPath);
  const found = await Promise.all(entries.map((entry) => walk(entry, entry.name, false)));
  return found.flat();
}

/** All files of an entry, folders within folders too, in natural order. */
async function walk(entry, given, isFromFolder) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, ""), given, isFromFolder }];
  }
  const children = await listFolder(entry);
  children.sort(byName);
  const found = [];
  for (const child of children) found.push(...(await walk(child, given, true)));
  return found;
}

async function listFolder(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    // A folder is given in parts of a hundred.
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return entries;
    entries.push(...part);
  }
}
