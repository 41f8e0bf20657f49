// The slices of a series that hold several reconstructions or passes -> one of them, whole, as covidct/series/passes.py
// has it; never one slice of this and the next of that. Slices are { item, mm }, from feet to head.

import { MIN_SLICES } from "./non_slices.js";
import { SAME_MM } from "./geometry.js";
import { INTERLEAVED, MARKS } from "./marks.js";
import { isForBones, isForLungs } from "./kernels.js";
import { groupBy } from "../../../rules/groups.js";

const NEARLY_AS_MANY = 0.8;
const FEW = 0.1; // of the slices: so many may be where others are, as copies under new UIDs, and be left out

/** { slices, rest, what } of one pass; null where places repeat and nothing tells which slices belong together. */
export function choosePass(placed) {
  const chosen = { slices: placed, rest: [], what: "" };
  for (let parts = divide(placed); parts; parts = divide(chosen.slices)) {
    const { keyword, groups } = parts;
    const best = [...groups.keys()].sort((one, other) => compare(toRank(groups, one), toRank(groups, other)))[0];
    const others = [...groups.keys()].filter((value) => value !== best);
    chosen.rest.push(...others.flatMap((value) => groups.get(value).map(({ item }) => item)));
    chosen.what ||= `${keyword} ${others.map((value) => value || "–").sort().slice(0, 3).join(", ")}`;
    chosen.slices = groups.get(best);
  }
  const repeated = countRepeats(chosen.slices);
  return repeated >= MIN_SLICES && repeated > FEW * chosen.slices.length ? null : chosen;
}

function divide(placed) {
  const repeats = countRepeats(placed);
  for (const keyword of repeats ? MARKS : INTERLEAVED) {
    const groups = groupBy(placed, ({ item }) => item.place.marks[keyword] ?? "");
    if (arePasses(keyword, groups, repeats)) return { keyword, groups };
  }
  const counted = repeats ? byNumber(placed) : null;
  return counted && { keyword: "InstanceNumber", groups: counted };
}

/** Whether the parts of a series are passes of it, and not stretches of one. */
function arePasses(keyword, groups, repeats) {
  const parts = [...groups.values()];
  if (parts.length < 2 || Math.max(...parts.map((part) => part.length)) < MIN_SLICES) return false;
  if (repeats) return parts.reduce((sum, part) => sum + countRepeats(part), 0) < repeats;
  const several = parts.filter((part) => part.length > 1);
  if (keyword === "FrameOfReferenceUID") return several.length > 1; // places in two of them cannot be compared
  return several.some((one, at) => several.slice(at + 1).some((other) => overlap(one, other)));
}

/** Whether the shorter of two stretches lies by more than half in the other. */
function overlap(one, other) {
  const common = Math.min(one.at(-1).mm, other.at(-1).mm) - Math.max(one[0].mm, other[0].mm);
  const half = Math.min(one.at(-1).mm - one[0].mm, other.at(-1).mm - other[0].mm) / 2;
  return common > half && half > 0;
}

/** Passes as InstanceNumber counts them: the first at each place, the second at each ...; null where it does not. */
function byNumber(placed) {
  const places = numberPlaces(placed);
  const counts = [...groupBy(places, (place) => place).values()].map((same) => same.length);
  const orders = new Set(placed.map(({ item }) => item.place.order.join()));
  if (orders.size < placed.length || new Set(counts).size > 1 || counts.length < MIN_SLICES) return null;
  const met = new Map();
  const ranks = new Map();
  const inOrder = [...placed.keys()].sort((a, b) => compare(placed[a].item.place.order, placed[b].item.place.order));
  for (const at of inOrder) {
    met.set(places[at], (met.get(places[at]) ?? 0) + 1);
    ranks.set(placed[at], String(met.get(places[at])));
  }
  return groupBy(placed, (slice) => ranks.get(slice));
}

/** How many slices lie where another does. */
function countRepeats(placed) {
  return placed.length - new Set(numberPlaces(placed)).size;
}

/** Numbers of the places that slices lie in; slices closer than SAME_MM share one. */
function numberPlaces(placed) {
  let [start, number] = [-Infinity, -1];
  return placed.map(({ mm }) => {
    if (mm - start >= SAME_MM) [start, number] = [mm, number + 1];
    return number;
  });
}

/** What passes are sorted by: whole ones first, then as series of a study are, then in time. */
function toRank(groups, value) {
  const items = groups.get(value).map(({ item }) => item);
  const kernel = items[0].place.kernel;
  const isFewer = items.length < NEARLY_AS_MANY * Math.max(...[...groups.values()].map((group) => group.length));
  const [first] = items.map((item) => item.place.order).sort(compare);
  return [isFewer, isForBones(kernel), !isForLungs(kernel), ...first, value];
}

function compare(one, other) {
  const at = one.findIndex((value, place) => value !== other[place]);
  return at < 0 ? 0 : one[at] < other[at] ? -1 : 1;
}
