// The probability along a series: one bar a slice, from feet (left) to head (right), with the band and the place.

import { makeSvg } from "../parts/dom.js";
import { formatNumber, percent, t } from "../words/texts.js";

const HEIGHT = 60;

/** Draw the strip of slices into `svg`; `at` is the place that is looked at, or null. */
export function drawStrip(svg, slices, { band, threshold }, at, verdictOf) {
  const width = Math.max(slices.length, 1);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const [low, high] = band.map((probability) => HEIGHT * (1 - probability));
  const line = HEIGHT * (1 - threshold);
  svg.replaceChildren(
    makeSvg("rect", { class: "strip-band", x: 0, y: high, width, height: low - high }),
    ...slices.map((slice, place) => toBar(slice, place, verdictOf(slice))),
    makeSvg("line", { class: "strip-threshold", x1: 0, x2: width, y1: line, y2: line }),
  );
  if (at !== null) svg.append(makeSvg("rect", { class: "strip-place", x: at, y: 0, width: 1, height: HEIGHT }));
  svg.setAttribute("aria-label", describe(slices));
}

/** The place in a strip of so many slices that a click on it means. */
export function toPlace(svg, slices, { clientX }) {
  const { left, width } = svg.getBoundingClientRect();
  return Math.floor(((clientX - left) / width) * slices);
}

function toBar(slice, place, verdict) {
  const height = slice.probability === null ? 2 : Math.max(HEIGHT * slice.probability, 1);
  return makeSvg("rect", { class: `strip-bar ${verdict}`, x: place + 0.08, y: HEIGHT - height, width: 0.84, height });
}

function describe(slices) {
  const highest = slices.reduce((best, slice) => ((slice.probability ?? -1) > (best?.probability ?? -1) ? slice : best), null);
  if (highest?.probability == null) return t("report.strip");
  const at = formatNumber((highest.sliceIndex ?? slices.indexOf(highest)) + 1);
  return t("viewer.strip", { high: percent(highest.probability, 1), at });
}
