// Whether a picture shows the chest in another window than the lungs', as covidct/inference/picture_window.py has it.
// Knows grey levels. Knows nothing of what is pictured: ask only where the gate takes it for a chest.

const BLACK = 3; // grey levels below which nothing is told apart
// Medians of tissue: lung windows show it at WHITE or above; at DARK no lung can be told from air.
const [WHITE, GREY, DARK] = [160, 145, 75];
// Shares of what is dark that is black: with tissue below WHITE, and below GREY.
const [MOSTLY_BLACK, PARTLY_BLACK] = [0.3, 0.1];
const GAP = 8; // of a side, left out all around: the air beside a patient tells nothing

/** Verdict on a slice { pixels (H * W) uint8, width, height }: null, or { reason, values } of the refusal. */
export function checkWindow(slice) {
  return isWrongWindow(slice) ? { reason: "wrong_window", values: {} } : null;
}

/** Whether the grey levels are those of another window. */
export function isWrongWindow({ pixels, width, height }) {
  const counts = countMiddle(pixels, width, height);
  const at = findThreshold(counts);
  const dark = counts.slice(0, at + 1);
  const tissue = at + 1 + findMedian(counts.slice(at + 1));
  const black = sum(dark.slice(0, BLACK)) / Math.max(sum(dark), 1);
  const mostly = black >= MOSTLY_BLACK && tissue < WHITE;
  const partly = black >= PARTLY_BLACK && tissue < GREY;
  return mostly || partly || tissue < DARK;
}

function countMiddle(pixels, width, height) {
  const [down, across] = [Math.floor(height / GAP), Math.floor(width / GAP)];
  const counts = new Array(256).fill(0);
  for (let row = down; row < height - down; row += 2) {
    for (let column = across; column < width - across; column += 2) counts[pixels[row * width + column]] += 1;
  }
  return counts;
}

/** The grey level up to which pixels are dark: Otsu's. */
function findThreshold(counts) {
  const total = sum(counts);
  const all = counts.reduce((found, count, level) => found + count * level, 0);
  let [below, sums, best, most] = [0, 0, 0, 0];
  counts.forEach((count, level) => {
    below += count;
    sums += count * level;
    const weight = below * (total - below);
    const difference = all * below - sums * total;
    const between = weight > 0 ? (difference * difference) / weight : 0;
    if (between > most) [best, most] = [level, between];
  });
  return best;
}

/** The first level that half of the counts do not exceed; 0 where there are none. */
function findMedian(counts) {
  const half = sum(counts) / 2;
  if (!half) return 0;
  let below = 0;
  return counts.findIndex((count) => (below += count) >= half);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
