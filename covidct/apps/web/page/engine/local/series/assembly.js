// The instances of one SeriesInstanceUID -> a series from feet to head, or why it is none, as covidct/series/assembly.py
// has it. An instance is an item with its `place` (see dicom_header.js) and `size` in bytes. Knows nothing of files
// or pixels.

import { MIN_SLICES, isMade, isSameSize, isScout, setAside } from "./non_slices.js";
import { SAME_MM, areParallel, findFaults, findNormal, findPosition, findSpacing, isAxial } from "./geometry.js";
import { findTurn } from "./orientation.js";
import { choosePass } from "./passes.js";

const RADIOGRAPHS = ["CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"];

/**
 * Sort the instances of a series along its normal, and say what is wrong with it:
 * { uid, path, place, stack, notes, spacing, reason, loose }. `reason` is null for a series that can be read;
 * `loose` are the instances that stand for themselves.
 */
export function assemble(uid, instances, notes = []) {
  const { kept, twice } = dropCopies([...instances].sort(byKey));
  const { kept: slices, asides } = setAside(kept);
  const loose = [...twice, ...asides.flatMap(({ items }) => items)];
  const series = {
    uid, path: [...instances].sort(byKey)[0].given, place: slices[0].place, stack: slices,
    notes: [...notes, ...noteCount(twice, "twice"), ...asides.flatMap(noteAside)], spacing: null,
  };
  const reason = checkKind(slices) ?? checkGeometry(slices);
  const chosen = reason ? null : choosePass(toPlaced(slices));
  const { stack, displaced } = chosen ? toStack(chosen.slices) : { stack: [], displaced: [] };
  if (!chosen || stack.length < MIN_SLICES) {
    return { ...series, reason: reason ?? "mixed_geometry", loose: [...loose, ...slices] };
  }
  const positions = stack.map((item) => item.positionMm);
  const read = chosen.slices.map(({ item }) => item);
  const { thickness, declaredSpacing } = read[0].place;
  series.notes.push(...noteCount(chosen.rest, "other_pass", { what: chosen.what }), ...noteCount(displaced, "displaced"));
  series.notes.push(...findFaults(positions, { thickness, declared: declaredSpacing }), ...noteMixture(read));
  const place = [...read].sort(byKey)[0].place;
  return { ...series, place, stack, reason: null, spacing: findSpacing(positions), loose: [...loose, ...chosen.rest, ...displaced] };
}

/**
 * An order that does not depend on the names of files, as far as the objects go. Of copies the largest comes first,
 * and is the one that counts: one that was cut off is smaller.
 */
function byKey(one, other) {
  const [a, b] = [one.place, other.place];
  return a.order[0] - b.order[0] || a.order[1] - b.order[1]
    || compare(a.instanceUid ?? "", b.instanceUid ?? "")
    || comparePositions(a.position ?? [], b.position ?? [])
    || other.size - one.size;
}

const compare = (one, other) => (one < other ? -1 : Number(one > other));

function comparePositions(one, other) {
  const at = one.findIndex((value, place) => value !== other[place]);
  return at < 0 ? one.length - other.length : one[at] - (other[at] ?? 0);
}

/** Part instances into those to keep and exact copies: one SOPInstanceUID and place. */
function dropCopies(instances) {
  const seen = new Set();
  const [kept, twice] = [[], []];
  for (const item of instances) {
    const { instanceUid, position } = item.place;
    const identity = JSON.stringify([instanceUid, position]);
    const isCopy = instanceUid && position && seen.has(identity);
    (isCopy ? twice : kept).push(item);
    seen.add(identity);
  }
  return { kept, twice };
}

function checkKind(slices) {
  const modality = slices.map((item) => item.place.modality).filter((value) => value && value !== "CT").sort()[0];
  if (modality) return RADIOGRAPHS.includes(modality) ? "radiograph" : "not_ct";
  if (slices.some(isScout)) return "localiser";
  if (slices.some(isMade)) return "derived";
  return slices.length < MIN_SLICES ? "too_few_slices" : null;
}

function checkGeometry(slices) {
  const normals = slices.map((item) => (item.place.orientation ? findNormal(item.place.orientation) : null));
  if (normals.includes(null) || slices.some((item) => !item.place.position)) return "mixed_geometry";
  if (!normals.every((normal) => areParallel(normals[0], normal))) return "mixed_geometry";
  if (!isAxial(normals[0])) return "not_axial";
  return slices.every((item) => isSameSize(slices[0], item)) ? null : "mixed_geometry";
}

/** Slices { item, mm } from feet to head. */
function toPlaced(slices) {
  const normal = findNormal(slices[0].place.orientation);
  return slices.map((item) => ({ item, mm: findPosition(item.place.position, normal) })).sort((a, b) => a.mm - b.mm);
}

/** Instances from feet to head, and those that lie where another does. */
function toStack(placed) {
  // The turn of one for all: a hair's breadth must not tell them apart.
  const [first] = placed.map(({ item }) => item).sort(byKey);
  const turn = findTurn(first.place.orientation);
  const [stack, displaced] = [[], []];
  for (const { item, mm } of placed) {
    const isTaken = stack.length && mm - stack.at(-1).positionMm < SAME_MM;
    (isTaken ? displaced : stack).push({ ...item, turn, positionMm: mm });
  }
  return { stack, displaced };
}

function noteAside({ what, items }) {
  return what === "localiser" ? noteCount(items, "localisers") : noteCount(items, "aside", { what });
}

function noteCount(items, code, about = {}) {
  return items.length ? [{ code, values: { n: items.length, ...about } }] : [];
}

function noteMixture(slices) {
  const asked = {
    SliceThickness: (place) => place.thickness, ConvolutionKernel: (place) => place.kernel,
    StudyInstanceUID: (place) => place.studyUid,
  };
  return Object.entries(asked).flatMap(([keyword, get]) => {
    const values = [...new Set(slices.map(({ place }) => String(get(place) || "–")))].sort();
    return values.length > 1 ? [{ code: "varies", values: { keyword, found: values.slice(0, 3).join(", ") } }] : [];
  });
}
