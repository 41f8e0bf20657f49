// Whether a slice seems turned by a quarter, as covidct/inference/rotation.py has it: lungs one above the other. Knows maps.

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

/** The least in the middle fifth as a share of what either half reaches: near 0 between two lungs. */
function findDip(counts) {
  const size = counts.length;
  const from = Math.floor((size * 2) / 5);
  const middle = Math.min(...counts.slice(from, Math.max(Math.floor((size * 3) / 5), from + 1)));
  const half = Math.floor(size / 2);
  const halves = Math.min(Math.max(...counts.slice(0, Math.max(half, 1))), Math.max(...counts.slice(half)));
  return middle / Math.max(1, halves);
}
