// Answers in words: decisions, reasons, notes. Knows the page's texts and which of them says what.

import { rankOf } from "../rules/series_result.js";
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
  if (!point || answer.kind !== "slice") return say(answer);
  const [low, high] = point.band.map((limit) => percent(limit, 1));
  return [t("answer.indeterminate", { low, high }), say(answer)].filter(Boolean).join(" ");
}

function sayOk({ kind, seemsTurned, probability, series }) {
  if (kind === "slice") return seemsTurned ? t("answer.turned") : null;
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

/** What a series' answer rests on, as sentences. */
export function saySeries({ series }) {
  if (!series.answered) return [];
  const places = series.telling.map((at) => formatNumber(at + 1)).join(", ");
  return [
    t("answer.series", {
      answered: formatNumber(series.answered), slices: formatNumber(series.slices), share: percent(series.evidence_share),
    }),
    t("answer.telling", { places }),
  ];
}
