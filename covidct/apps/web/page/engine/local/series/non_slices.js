// The instances of a series -> those that may be slices of its stack, and those that plainly are none, as
// covidct/series/non_slices.py has it. Knows headers. Knows nothing of order or of pixels.

import { CT_CLASSES } from "../images/dicom_header.js";
import { isDerived, isLocaliser } from "../images/image_type.js";
import { areParallel, findNormal, findPosition, isAxial } from "./geometry.js";

export const MIN_SLICES = 3; // slices that make a series
const SAME_SPACING = 1e-3; // relative
const [FAR, FAR_MM] = [10, 50]; // usual distances, and mm: what lies farther from the stack than both is no slice of it

/** { kept, asides: [{ what, items }] }; `what` is the keyword of the element that says so. All stay where none would. */
export function setAside(instances) {
  const found = { kept: instances, asides: [] };
  for (const [what, keep] of TESTS) {
    const left = keep(found.kept);
    if (!left.length || left.length === found.kept.length) continue;
    const stay = new Set(left);
    found.asides.push({ what, items: found.kept.filter((item) => !stay.has(item)) });
    found.kept = left;
  }
  return found;
}

/** Whether an instance is a localiser, as its ImageType says. */
export const isScout = ({ place }) => isLocaliser(place.imageType);

/** Whether an instance says that it is a projection or rendering. */
export const isMade = ({ place }) => isDerived(place.imageType, place.description);

/** Whether two slices have the same pixels: number, and size within a thousandth where both say it. */
export function isSameSize({ place: one }, { place: other }) {
  if (one.size.join() !== other.size.join()) return false;
  if (!one.spacing.length || !other.spacing.length) return true;
  return one.spacing.every((mm, at) => Math.abs(mm - other.spacing[at]) <= SAME_SPACING * Math.max(mm, other.spacing[at]));
}

const TESTS = [
  ["Modality", (items) => items.filter(({ place }) => ["CT", null].includes(place.modality))],
  ["SOPClassUID", (items) => items.filter(({ place }) => ["", ...CT_CLASSES].includes(place.sopClass))],
  ["localiser", (items) => items.filter((item) => !isScout(item))],
  ["ImageType", (items) => items.filter((item) => !isMade(item))],
  ["ImagePositionPatient", (items) => most(items, items.filter((item) => item.place.position && normalOf(item)))],
  ["ImageOrientationPatient", alikeInOrientation],
  ["Rows", (items) => mostAlike(items, isSameSize)],
  ["ImagePositionPatient", near],
];

function alikeInOrientation(items) {
  const normals = new Map(items.map((item) => [item, normalOf(item)]));
  if ([...normals.values()].includes(null)) return items;
  const axial = items.filter((item) => isAxial(normals.get(item)));
  const some = axial.length >= MIN_SLICES ? axial : items;
  return mostAlike(some, (one, other) => areParallel(normals.get(one), normals.get(other)));
}

/** All but the few that lie far from the others, such as a slice for the timing of contrast. */
function near(items) {
  const normal = normalOf(items[0]);
  if (!normal || items.some((item) => !item.place.position)) return items;
  const placed = items.map((item) => ({ item, mm: findPosition(item.place.position, normal) })).sort((a, b) => a.mm - b.mm);
  const steps = placed.slice(1).map(({ mm }, at) => mm - placed[at].mm);
  const real = steps.filter((step) => step > 0).sort((a, b) => a - b);
  if (!real.length) return items;
  const middle = real.length >> 1;
  const usual = real.length % 2 ? real[middle] : (real[middle - 1] + real[middle]) / 2;
  const groups = [[placed[0].item]];
  steps.forEach((step, at) => {
    if (step > Math.max(FAR * usual, FAR_MM)) groups.push([]);
    groups.at(-1).push(placed[at + 1].item);
  });
  const largest = new Set(groups.reduce((best, group) => (group.length > best.length ? group : best)));
  const few = items.length - largest.size;
  const isFew = few * 10 <= items.length || (few < MIN_SLICES && largest.size >= MIN_SLICES);
  return isFew ? items.filter((item) => largest.has(item)) : items;
}

/** The group of those like each other that is more than half of all; all where there is none. */
function mostAlike(items, areAlike) {
  for (const item of items.slice(0, Math.floor(items.length / 2) + 1)) {
    const alike = items.filter((other) => areAlike(item, other));
    if (2 * alike.length > items.length) return most(items, alike);
  }
  return items;
}

const most = (items, some) => (some.length >= MIN_SLICES && 2 * some.length > items.length ? some : items);

const normalOf = ({ place }) => (place.orientation ? findNormal(place.orientation) : null);
