// Answers in words: decisions, reasons, notes. Knows the page's texts and which of them says what.

import { count, currentLanguage, formatNumber, hasText, percent, t } from "./texts.js";

/** One sentence on why there is no answer, or null; the server's own, which is in English, where that is read. */
export function say(answer) {
  if (answer.message && (currentLanguage() === "en" || answer.status === "ok")) return answer.message;
  if (answer.status === "ok") return null;
  const sentence = [`error.${answer.code}`, `reason.${answer.reason}`].find(hasText) ?? "reason.unreadable";
  return t(sentence, answer.values);
}

/** A note of a series as a sentence; the server's are sentences already. */
export function sayNote(note) {
  if (typeof note === "string") return note;
  const { code, values } = note;
  return hasText(`note.${code}`) ? t(`note.${code}`, values) : count(`note.${code}`, values.n, values);
}

/** What answers: the model with its version, and which of its graphs. */
export function nameModel({ model, precision }) {
  return `${model}, ${t(`graph.${precision}`)}`;
}

/** What people call an operating point. */
export function namePoint({ name }) {
  return hasText(`point.${name}`) ? t(`point.${name}`) : name;
}

/** What an entry is called in the list: a series by its description, a slice by the end of its path. */
export function nameEntry({ answer, slices }) {
  const path = answer?.path ?? slices[0]?.path ?? "";
  return answer?.name || path.split("/").at(-1) || path;
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
    `${t("answer.telling")} ${places}.`,
  ];
}
