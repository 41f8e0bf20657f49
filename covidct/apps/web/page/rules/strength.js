// The evidence map as strength and colour, as covidct/inference/overlay.py has it.
// The scale is fixed, so that two pictures can be compared: full colour means that lungs made of such cells alone
// would be positive beyond doubt. Only evidence for COVID-19 has a colour.

import { clip, rint } from "./numbers.js";

const FULL = 20; // evidence (logit per cell) at which the colour is full
const FAINT = 0.05; // the strength up to which nothing is coloured: normal lungs would be dark red all over
// Dark red to yellow: readable on grey, and for readers who cannot tell red from green.
const COLOURS = [[96, 0, 32], [214, 40, 40], [247, 127, 0], [252, 211, 77]];

/** Evidence (h * w) resampled to (width * height) in [0, 1]; 0 where it speaks against COVID-19. */
export function toStrength({ map, width, height }, shownWidth, shownHeight) {
  // Clipped before it is resampled too: a cubic overshoots above 0 between cells that are all below.
  const positive = Float32Array.from(map, (value) => Math.max(value, 0));
  const wide = resampleRows(positive, width, height, shownWidth);
  const tall = transpose(resampleRows(transpose(wide, shownWidth, height), height, shownWidth, shownHeight), shownHeight, shownWidth);
  return tall.map((value) => clip(value / FULL, 0, 1));
}

/** How opaque a strength in [0, 1] is, in [0, 1]. */
export function toOpacity(strength) {
  return Math.sqrt(clip((strength - FAINT) / (1 - FAINT), 0, 1));
}

/** The colour [r, g, b] of a strength in [0, 1]. */
export function toColour(strength) {
  const place = strength * (COLOURS.length - 1);
  const from = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[from].map((value, channel) => value + (COLOURS[from + 1][channel] - value) * (place - from));
}

/** Pixels [first, stop) of a side that a part of it, both ends in [0, 1], covers; at least one. */
export function toSpan(start, stop, side) {
  const first = clip(rint(start * side), 0, side - 1);
  return [first, Math.min(Math.max(rint(stop * side), first + 1), side)];
}

/** Stretch each row by a cubic (a = -0.5, as Pillow's BICUBIC); enlarges only. */
function resampleRows(values, width, height, wanted) {
  const scale = width / wanted;
  const support = 2 * Math.max(scale, 1);
  const result = new Float32Array(wanted * height);
  for (let column = 0; column < wanted; column++) {
    const centre = (column + 0.5) * scale;
    const first = Math.max(Math.floor(centre - support + 0.5), 0);
    const stop = Math.min(Math.floor(centre + support + 0.5), width);
    const weights = [];
    for (let at = first; at < stop; at++) weights.push(cubic((at - centre + 0.5) / Math.max(scale, 1)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let row = 0; row < height; row++) {
      let sum = 0;
      for (let at = first; at < stop; at++) sum += values[row * width + at] * weights[at - first];
      result[row * wanted + column] = sum / total;
    }
  }
  return result;
}

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function transpose(values, width, height) {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) turned[column * height + row] = values[row * width + column];
  }
  return turned;
}
