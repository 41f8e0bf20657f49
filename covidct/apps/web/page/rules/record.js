// Answers -> records in the one schema of results (docs/reference/result.schema.json, version 5), as JSON and CSV.
// As covidct/results/formats.py writes them, but that `message` is in the language of the page. Knows fields and columns.

import { pointFor, toDecision, toPredictionSet } from "./decision.js";
import { predictiveValues, shiftProbability } from "./prevalence.js";
import { summarise } from "./series_result.js";

const SCHEMA_VERSION = 5;
const SERIES_COLUMNS = ["slices", "answered", "evidence_share", "telling", "notes"];

/**
 * The record of an answer. `review` is { config, point, prevalence }, `slices` those of a series' answer, and
 * `say(answer, point)`, the point where it leaves a slice undecided, and `sayNote(note)` give sentences.
 */
export function toRecord(answer, slices, { config, point, prevalence }, { say, sayNote }) {
  const isOk = answer.status === "ok";
  const own = pointFor(answer, point, config);
  const decision = isOk ? toDecision(answer.probability, own) : null;
  return {
    schema_version: SCHEMA_VERSION,
    kind: answer.kind,
    path: answer.path,
    status: answer.status,
    decision,
    probability: isOk ? round(answer.probability) : null,
    ...toOpacity(answer.opacity),
    prediction_set: isOk ? toPredictionSet(decision, config.labels) : null,
    operating_point: isOk ? toPoint(own) : null,
    ...toWorth(answer, point, prevalence, config),
    reason: isOk ? (decision === "indeterminate" ? "near_threshold" : null) : answer.reason,
    message: say(answer, decision === "indeterminate" ? own : null),
    model: config.model,
    precision: config.precision,
    series_uid: answer.seriesUid,
    instance_uid: answer.kind === "slice" ? answer.instanceUid : null,
    slice_index: answer.sliceIndex,
    heatmap: null,
    series: answer.kind === "series" ? toSeries(answer, slices, point, sayNote) : null,
  };
}

/** Records as CSV, with its header; the operating point by name, lists joined by `|`. */
export function toCsv(records) {
  const rows = records.map(({ operating_point: point, series, ...record }) => ({
    ...record,
    operating_point: point?.name ?? null,
    ...Object.fromEntries(SERIES_COLUMNS.map((name) => [name, series?.[name] ?? null])),
  }));
  const columns = Object.keys(records[0]).filter((name) => name !== "series").concat(SERIES_COLUMNS);
  const lines = rows.map((row) => columns.map((name) => toCell(row[name])).join(","));
  return [columns.join(","), ...lines].map((line) => `${line}\r\n`).join("");
}

function toSeries(answer, slices, point, sayNote) {
  const summary = slices.length ? summarise(slices, point) : answer.series;
  return {
    slices: answer.series.slices,
    answered: summary.answered,
    evidence_share: summary.evidence_share === null ? null : round(summary.evidence_share),
    telling: summary.telling,
    notes: answer.series.notes.map(sayNote),
    note_codes: answer.series.notes.map(({ code, values }) => ({ code, values })),
  };
}

/** The three fields of the question whether there is an opacity, null where it was not asked. */
function toOpacity(opacity) {
  if (!opacity) return { finding: null, opacity_probability: null, extent: null };
  return { finding: opacity.finding, opacity_probability: round(opacity.probability), extent: round(opacity.extent) };
}

function toPoint(point) {
  const rounded = (value) => (Array.isArray(value) ? value.map(round) : typeof value === "number" ? round(value) : value);
  const { name, threshold, band, sensitivity, specificity, alpha, coverage } = point;
  const kept = { name, threshold, band, sensitivity, specificity, alpha, coverage };
  return Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, rounded(value)]));
}

/** The four fields of what an answer is worth at a prevalence; the model is measured on slices, so slices alone. */
function toWorth(answer, point, prevalence, config) {
  if (prevalence === null || answer.status !== "ok" || answer.kind !== "slice") {
    return { prevalence: null, probability_at_prevalence: null, ppv: null, npv: null };
  }
  const { ppv, npv } = predictiveValues(point, prevalence);
  const shifted = shiftProbability(answer.probability, prevalence, config.prevalence);
  return { prevalence, probability_at_prevalence: round(shifted), ppv: round(ppv), npv: round(npv) };
}

function toCell(value) {
  if (value === null || value === undefined) return "";
  // Names of files are no formulas, whatever they begin with (`=1+2.png`).
  const isFormula = typeof value === "string" && /^[=+\-@\t\r]/.test(value);
  const text = Array.isArray(value) ? value.join("|") : `${isFormula ? "'" : ""}${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function round(value) {
  return value === null ? null : Number(value.toFixed(6));
}
