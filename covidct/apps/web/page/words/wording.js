// Answers in words: decisions, reasons, notes. Knows the page's texts and which of them says what.

import { rankOf } from "../rules/series_evidence.js";
import { count, currentLanguage, formatNumber, hasText, percent, t } from "./texts.js";

/** What a result's `message` says, or null. A server's own, which knows more but is in English, where that is read. */
export function say(answer) {
  if (answer.status === "ok") return sayOk(answer);
  if (answer.message && answer.kind === "slice" && currentLanguage() === "en") return answer.message;
  const sentence = [`error.${answer.code}`, `reason.${answer.reason}`].find(hasText) ?? "reason.unreadable";
  return t(sentence, answer.values);
}

/** What a record's `message` says: beside the rest, why a slice is undecided between the limits of a point, if one is given. */
export function sayMessage(answer, point) {
  if (!point || (answer.kind !== "slice" && !answer.isCalibrated)) return say(answer);
  const [low, high] = point.band.map((limit) => percent(limit, 1));
  return [t("answer.indeterminate", { low, high }), say(answer)].filter(Boolean).join(" ");
}

function sayOk({ kind, seemsTurned, probability, series, isCalibrated }) {
  if (kind === "slice") return seemsTurned ? t("answer.turned") : null;
  if (isCalibrated) return null; // measured on series: nothing to explain
  const values = { rank: formatNumber(rankOf(series.answered)), answered: formatNumber(series.answered) };
  return t("answer.message_series", { ...values, p: percent(probability, 1) });
}

/** A note { code, values } of a series as a sentence. */
export function sayNote({ code, values }) {
  const numbers = Object.entries(values).map(([name, value]) => [name, typeof value === "number" ? formatNumber(value, 4) : name === "places" ? sayWhere(value) : value]);
  const shown = Object.fromEntries(numbers);
  return hasText(`note.${code}`) ? t(`note.${code}`, shown) : count(`note.${code}`, values.n, shown);
}

/** Places of gaps in mm, "10.0 → 25.0, …", as the language writes numbers. */
function sayWhere(places) {
  return places.replaceAll(/-?\d+\.\d/g, (number) => formatNumber(Number(number), 1, 1));
}

/** What answers: the model with its version, and which of its graphs. */
export function nameModel({ model, precision }) {
  return `${model}, ${t(`graph.${precision}`)}`;
}

/** What people call an operating point. */
export function namePoint({ name }) {
  return hasText(`point.${name}`) ? t(`point.${name}`) : name;
}

/** Where an entry lies: a slice's path; the folder that holds all of a series, or the first of its files, and so on. */
export function placeOf({ answer, slices }) {
  const path = answer?.path ?? slices[0]?.path ?? "";
  const paths = new Set(slices.map((slice) => slice.path));
  if (paths.size < 2) return path;
  const folders = [...paths].map((one) => one.split("/").slice(0, -1));
  const isShared = (part, at) => folders.every((folder) => folder[at] === part);
  const end = folders[0].findIndex((part, at) => !isShared(part, at));
  const shared = end < 0 ? folders[0] : folders[0].slice(0, end);
  return shared.join("/") || (paths.has(path) ? `${path} …` : path);
}

/** What has gone wrong, for people: engines give { key, values } where they know. */
export function sayFault(error) {
  return error.key ? t(error.key, error.values) : t("fault.run", { detail: error.message });
}

/** What the lungs show and how much of them is opaque, in a line; nothing where the model does not say. */
export function sayFinding({ kind, opacity }) {
  if (!opacity) return "";
  const of = kind === "series" ? "series" : "slice";
  const finding = opacity.finding ? [t(`finding.${opacity.finding}`)] : [];
  const shown = opacity.probability === null ? [] : [t("finding.opacity", { p: percent(opacity.probability, 1) })];
  return [...finding, ...shown, t(`finding.extent_${of}`, { share: percent(opacity.extent) })].join(" · ");
}

/** Whose study a series is, as far as it says without naming anyone: description, date, slices. */
export function sayStudy({ answer, slices }) {
  const about = answer?.about;
  const total = slices.length || answer?.series?.slices || 0;
  const known = [about?.description && about.description !== nameEntry({ answer, slices }) ? about.description : null, toDate(about?.studyDate)];
  return [...known, answer?.kind === "slice" ? null : count("list.slices", total)].filter(Boolean).join(" · ");
}

/** YYYYMMDD (DICOM's DA, PS3.5 6.2) as people write it; anything else as it is. */
export function toDate(date) {
  return /^\d{8}$/.test(date ?? "") ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date;
}

/** What an entry is called in the list: a series by its description, a slice by the end of its path. */
export function nameEntry(entry) {
  const place = placeOf(entry);
  return entry.answer?.name || place.split("/").at(-1) || place;
}

/** Where an entry comes from, and what it is called where that is something else. */
export function nameWhole(entry) {
  const place = placeOf(entry);
  const name = nameEntry(entry);
  return place.endsWith(name) ? place : `${name} · ${place}`;
}

/** Places in a series, from 0, as people count them: 1–3, 7. */
export function sayPlaces(places) {
  const runs = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && place === last[1] + 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs.map((run) => [...new Set(run)].map((place) => formatNumber(place + 1)).join("–")).join(", ");
}

/** Decision and probability in a few words. */
export function sayVerdict(verdict, probability) {
  const word = verdict ? t(`decision.${verdict}`) : t("list.reading");
  return probability === null ? word : `${word}, ${percent(probability, 1)}`;
}
