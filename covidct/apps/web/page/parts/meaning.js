// What an operating point and a prevalence mean, in natural frequencies. Knows the texts; the arithmetic is prevalence.js.

import { byId, make } from "./dom.js";
import { predictiveValues, shiftProbability } from "../rules/prevalence.js";
import { percent, t } from "../words/texts.js";
import { namePoint } from "../words/wording.js";

// Finer where COVID-19 is rare: there a step changes most.
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Keep the sentences as the review is, and the review as the controls are. */
export function startMeaning(review) {
  const range = byId("prevalence");
  range.max = STEPS.length - 1;
  range.addEventListener("input", () => review.choosePrevalence(STEPS[range.value]));
  byId("point").addEventListener("change", ({ target }) => review.choosePoint(target.value));
  for (const name of ["selection", "setting"]) review.addEventListener(name, () => drawMeaning(review));
}

/** Name the operating points again, as after a change of language. */
export function drawPoints(review) {
  const options = review.config.operating_points.map((point) => make("option", { value: point.name }, namePoint(point)));
  byId("point").replaceChildren(...options);
  byId("point").value = review.point.name;
}

function drawMeaning(review) {
  if (!review.point) return;
  const { config } = review;
  const prevalence = review.prevalence ?? config.prevalence;
  const range = byId("prevalence");
  range.value = nearestStep(prevalence);
  range.setAttribute("aria-valuetext", percent(prevalence, 1));
  byId("point-sentence").textContent = sayPoint(review);
  byId("band-sentence").textContent = sayBand(review, review.pointFor(review.entry?.answer));
  // What is refused or not read is worth nothing anywhere.
  byId("meaning").hidden = !isWorth(review);
  byId("prevalence-label").textContent = t(toKey("meaning.prevalence", review.entry?.answer));
  byId("prevalence-sentence").textContent = sayPrevalence(review);
  byId("worth").replaceChildren(...toWorth(review, prevalence).flatMap(([name, value]) => [
    make("dt", {}, name), make("dd", {}, value),
  ]));
}

/** What the figures of an operating point mean, of a hundred slices, or series, of each kind. */
export function sayPoint(review) {
  const { sensitivity, specificity, threshold } = review.pointFor(review.entry?.answer);
  return t(toKey("meaning.measured", review.entry?.answer), {
    hit: Math.round(100 * sensitivity), cleared: Math.round(100 * specificity), threshold: percent(threshold, 1),
  });
}

/** Where answers are indeterminate, and below what no probability lies; enough digits to tell them and the answer apart. */
export function sayBand({ entry, config: { min_probability: min } }, { band: [low, high] }) {
  const given = entry?.answer?.probability ?? null;
  const isNear = given !== null && [low, high].some((limit) => percent(limit, 1) === percent(given, 1));
  const sentence = t("meaning.band", { low: percent(low, isNear ? 2 : 1), high: percent(high, isNear ? 2 : 1) });
  if (min === null || min === undefined || entry?.answer?.isCalibrated) return sentence;
  // Rounded down: nothing may lie below what is said.
  const digits = percent(min, 1) === percent(low, 1) ? 2 : 1;
  const shown = Math.floor(min * 10 ** (digits + 2)) / 10 ** (digits + 2);
  return `${sentence} ${t("meaning.min", { min: percent(shown, digits) })}`;
}

/** Where what follows holds: at the prevalence that was asked for, or that of the calibration. */
export function sayPrevalence({ entry, config, prevalence }) {
  return t(toKey("meaning.at", entry?.answer), { p: percent(prevalence ?? config.prevalence, 1) });
}

/** Whether there is an answer whose worth can be told, or may be one yet. */
export function isWorth({ entry }) {
  return !entry?.answer || entry.answer.status === "ok";
}

/** [name, value] of what answers are worth at a prevalence. */
export function toWorth(review, prevalence) {
  const { config } = review;
  const answer = review.entry?.answer;
  const { ppv, npv } = predictiveValues(review.pointFor(answer), prevalence);
  const show = (value) => (value === null ? t("meaning.none") : percent(value, 1));
  const isOk = answer?.status === "ok";
  const shifted = isOk ? [[t("meaning.shifted"), show(shiftProbability(answer.probability, prevalence, config.prevalence))]] : [];
  return [[t(toKey("meaning.ppv", answer)), show(ppv)], [t(toKey("meaning.npv", answer)), show(npv)], ...shifted];
}

/** The text for what was measured on series, where the answer is by that. */
export const toKey = (key, answer) => (answer?.isCalibrated ? `${key}_series` : key);

function nearestStep(prevalence) {
  const away = STEPS.map((step) => Math.abs(Math.log(step / prevalence)));
  return away.indexOf(Math.min(...away));
}
