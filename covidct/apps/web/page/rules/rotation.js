// Whether a slice seems turned by a quarter or upside down, as covidct/inference/rotation.py and upside_down.py have it.
// Knows maps and grey levels.

import { percentile } from "./numbers.js";

const FAINTEST = 0.05; // of the strong evidence: below, a cell is no lung
const MIN_DIP = -0.3; // how much fuller the middle column may be than the middle row

/** Whether lungs seem turned; evidence { map, width, height, box } over a slice of that shape [rows, columns]. */
export function isTurned({ map, width, height, box }, [rows, columns]) {
  const [left, top, right, bottom] = box;
  if ((right - left) * columns >= (bottom - top) * rows) return false;
  const strength = Float32Array.from(map, Math.abs); // what speaks against disease lies on lungs as well
  const faintest = FAINTEST * Math.max(percentile(Float32Array.from(strength).sort(), 90), 1e-3);
  const across = new Array(width).fill(0);
  const down = new Array(height).fill(0);
  strength.forEach((value, at) => {
    if (value <= faintest) return;
    across[at % width] += 1;
    down[Math.floor(at / width)] += 1;
  });
  return across.some(Boolean) && findDip(across) - findDip(down) > MIN_DIP;
}

const SIDE = 8;
const WEIGHTS = [-1.89, 0.5, -0.48, -2.93, 0.01, -0.24, 0.92, -0.72, 0.86, -0.16, 1.17, 0.34, 0.38, 0.17, 0.5, 1.04];
const MIN_SCORE = -2;

/** Whether an upright slice { pixels, width, height }, whose lungs lie in `box`, seems upside down. */
export function isUpsideDown(slice, box) {
  const grid = toGrid(slice, box);
  const mean = grid.reduce((sum, value) => sum + value, 0) / grid.length;
  const spread = Math.sqrt(grid.reduce((sum, value) => sum + (value - mean) ** 2, 0) / grid.length) + 1;
  const both = (row, column) => (grid[row * SIDE + column] + grid[row * SIDE + SIDE - 1 - column]) / 2;
  const contrast = (row, column) => (both(row, column) - both(SIDE - 1 - row, column)) / spread;
  return WEIGHTS.reduce((sum, weight, at) => sum + weight * contrast(at >> 2, at & 3), 0) < MIN_SCORE;
}

/** Means of cells of the part of a slice, row by row. */
function toGrid({ pixels, width, height }, [left, top, right, bottom]) {
  const [rows, columns] = [cut(top, bottom, height), cut(left, right, width)];
  return Array.from({ length: SIDE * SIDE }, (_, at) => {
    const [down, across] = [rows[at >> 3], columns[at & 7]];
    let sum = 0;
    for (let row = down.from; row < down.to; row++) {
      for (let column = across.from; column < across.to; column++) sum += pixels[row * width + column];
    }
    return sum / ((down.to - down.from) * (across.to - across.from));
  });
}

/** The cells along one axis of a part, of at least a pixel each where there are as many. */
function cut(low, high, size) {
  const from = Math.min(Math.trunc(low * size), Math.max(size - SIDE, 0));
  const length = Math.min(Math.max(Math.trunc(high * size), from + SIDE), size) - from;
  const edge = (at) => from + Math.floor((at * length) / SIDE);
  return Array.from({ length: SIDE }, (_, at) => ({ from: edge(at), to: edge(at + 1) }));
}

/** The least in the middle fifth as a share of what either half reaches: near 0 between two lungs. */
function findDip(counts) {
  const size = counts.length;
  const from = Math.floor((size * 2) / 5);
  const middle = Math.min(...counts.slice(from, Math.max(Math.floor((size * 3) / 5), from + 1)));
  const half = Math.floor(size / 2);
  const halves = Math.min(Math.max(...counts.slice(0, Math.max(half, 1))), Math.max(...counts.slice(half)));
  return middle / Math.max(1, halves);
}
