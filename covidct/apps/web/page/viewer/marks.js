// What stands in the corners and at the sides of a pane: the patient's sides, a ruler, the place, the window.
// A side has a letter only where the file says how the slice lies; a ruler takes the size of its pixels.

import { make } from "../parts/dom.js";
import { formatNumber, t } from "../words/texts.js";

const RULERS_MM = [1, 2, 5, 10, 20, 50, 100, 200];
const LONGEST = 0.3; // of the pane's width
const USUAL = { left: "right", right: "left", top: "anterior", bottom: "posterior" }; // side of the picture: of the patient

/** The letters of the patient's sides at those of a slice as stored; `turn` shows it as usual. None where it is null. */
export function toSides(turn) {
  if (!turn) return {};
  let { left, right, top, bottom } = USUAL;
  if (turn.flipColumns) [left, right] = [right, left];
  if (turn.flipRows) [top, bottom] = [bottom, top];
  // Transposed: what lies at the left of the one lies at the top of the other.
  return turn.transpose ? { left: top, top: left, right: bottom, bottom: right } : { left, right, top, bottom };
}

/** The length of a ruler in mm for a pane of that width, where a mm has `scale` CSS pixels. */
export function findRuler(width, scale) {
  return RULERS_MM.filter((mm) => mm * scale <= LONGEST * width).at(-1) ?? RULERS_MM[0];
}

/** Marks for a pane { width } of a slice; `scale` are CSS pixels a mm, null where unknown; `place`, `units` are text. */
export function toMarks({ width }, { turn, scale, place, units }) {
  const sides = Object.entries(toSides(turn)).map(([side, name]) => toMark(side, t(`side.${name}`)));
  const ruler = scale === null ? [] : [toRuler(findRuler(width, scale), scale)];
  return [...sides, ...ruler, toMark("place", place), toMark("hounsfield", units)];
}

function toRuler(mm, scale) {
  const ruler = toMark("ruler", mm < 10 ? `${formatNumber(mm)} mm` : `${formatNumber(mm / 10)} cm`);
  ruler.style.width = `${mm * scale}px`;
  return ruler;
}

const toMark = (name, text) => make("span", { className: `mark ${name}`, ariaHidden: "true" }, text);
