// The instances of one SeriesInstanceUID -> a series from feet to head, or why it is none, as covidct/series/assembly.py
// has it. An instance is an item with its `place` (see dicom_header.js) and `size` in bytes. Knows nothing of files
// or pixels.

import { SAME_MM, areParallel, findFaults, findNormal, findPosition, findSpacing, isAxial } from "./geometry.js";
import { findTurn } from "./orientation.js";

const LEAST = 3; // slices that make a series
const LOCALISERS = ["LOCALIZER", "SCOUT", "TOPOGRAM"];
const DERIVED = [
  "MIP", "MINIP", "MIN_IP", "MAX_IP", "MAXIP", "MEAN_IP", "PROJECTION", "PROJECTION IMAGE", "SUBTRACTION",
  "VRT", "SSD", "3D", "VOLUME", "VOLUME_RENDERED", "SURFACE_RENDERED", "DOSE_INFO",
];
const RADIOGRAPHS = ["CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"];

/**
 * Sort the instances of a series along its normal, and say what is wrong with it:
 * { uid, path, place, stack, notes, spacing, reason, loose }. `reason` is null for a series that can be read;
 * `loose` are the instances that stand for themselves.
 */
export function assemble(uid, instances) {
  const { kept, twice } = dropCopies([...instances].sort(byKey));
  const scouts = kept.filter((item) => hasType(item, LOCALISERS));
  const slices = scouts.length < kept.length ? kept.filter((item) => !scouts.includes(item)) : kept;
  const aside = [...twice, ...(slices === kept ? [] : scouts)];
  const series = {
    uid, path: [...instances].sort(byKey)[0].given, place: slices[0].place, stack: slices, notes: [
      ...noteCount(twice, "twice"), ...noteCount(slices === kept ? [] : scouts, "localisers"),
    ], spacing: null, loose: aside,
  };
  const reason = checkKind(slices) ?? checkGeometry(slices);
  const { stack, displaced } = reason ? { stack: [], displaced: [] } : toStack(slices);
  if (reason || stack.length < LEAST) {
    return { ...series, reason: reason ?? "mixed_geometry", loose: [...aside, ...slices] };
  }
  const positions = stack.map((item) => item.positionMm);
  const { thickness, declaredSpacing } = slices[0].place;
  series.notes.push(...noteCount(displaced, "displaced"));
  series.notes.push(...findFaults(positions, { thickness, declared: declaredSpacing }), ...noteMixture(slices));
  return { ...series, stack, reason: null, spacing: findSpacing(positions), loose: [...aside, ...displaced] };
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

function hasType(item, types) {
  return item.place.imageType.some((value) => types.includes(value));
}

function checkKind(slices) {
  const modality = slices.map((item) => item.place.modality).filter((value) => value && value !== "CT").sort()[0];
  if (modality) return RADIOGRAPHS.includes(modality) ? "radiograph" : "not_ct";
  if (slices.some((item) => hasType(item, LOCALISERS))) return "localiser";
  if (slices.some((item) => hasType(item, DERIVED))) return "derived";
  return slices.length < LEAST ? "too_few_slices" : null;
}

function checkGeometry(slices) {
  const normals = slices.map((item) => (item.place.orientation ? findNormal(item.place.orientation) : null));
  if (normals.includes(null) || slices.some((item) => !item.place.position)) return "mixed_geometry";
  if (!normals.every((normal) => areParallel(normals[0], normal))) return "mixed_geometry";
  if (!isAxial(normals[0])) return "not_axial";
  const shapes = new Set(slices.map(({ place }) => [...place.size, ...place.spacing.map((mm) => mm.toFixed(2))].join()));
  return shapes.size > 1 ? "mixed_geometry" : null;
}

/** Instances sorted from feet to head, and those that lie where another does. */
function toStack(slices) {
  const normal = findNormal(slices[0].place.orientation);
  // The turn of the first for all: a hair's breadth must not tell them apart.
  const turn = findTurn(slices[0].place.orientation);
  const placed = slices.map((item) => ({ ...item, turn, positionMm: findPosition(item.place.position, normal) }));
  placed.sort((one, other) => one.positionMm - other.positionMm);
  const [stack, displaced] = [[], []];
  for (const item of placed) {
    const isTaken = stack.length && item.positionMm - stack.at(-1).positionMm < SAME_MM;
    (isTaken ? displaced : stack).push(item);
  }
  return { stack, displaced };
}

function noteCount(items, code) {
  return items.length ? [{ code, values: { n: items.length } }] : [];
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
