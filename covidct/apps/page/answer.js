// The answer for the entry that is looked at, in words.

import { byId, make } from "./dom.js";
import { count, percent, t } from "./texts.js";
import { nameModel, say, sayNote, saySeries } from "./wording.js";

/** Keep the answer as the review is. */
export function startAnswer(review) {
  for (const name of ["selection", "setting"]) review.addEventListener(name, () => drawAnswer(review));
}

function drawAnswer(review) {
  const { entry } = review;
  byId("results").hidden = !entry;
  byId("intake").classList.toggle("small", Boolean(entry));
  if (!entry) return;
  const answer = entry.answer;
  const verdict = review.verdict(answer);
  byId("detail").dataset.verdict = verdict ?? "reading";
  byId("detail-path").textContent = answer?.path ?? entry.slices[0].path;
  byId("detail-title").textContent = verdict ? t(`title.${verdict}`) : t("list.reading");
  byId("detail-probability").textContent = sayProbability(answer);
  byId("detail-sentence").textContent = saySentence(answer, verdict, review.point);
  byId("detail-notes").replaceChildren(...toNotes(entry).map((note) => make("li", {}, note)));
  byId("detail-model").textContent = nameModel(review.config);
}

function sayProbability(answer) {
  if (answer?.status !== "ok") return "";
  const key = answer.kind === "series" ? "answer.probability_series" : "answer.probability";
  return t(key, { p: percent(answer.probability, 1) });
}

/** What a verdict means, or why there is none. */
export function saySentence(answer, verdict, { band }) {
  if (!answer) return "";
  if (answer.status !== "ok") return say(answer);
  return t(`answer.${verdict}`, { low: percent(band[0]), high: percent(band[1]) });
}

/** What else is to be known of an entry, as sentences. */
export function toNotes({ answer, slices }) {
  if (answer?.kind !== "series") return [];
  const silent = slices.filter(({ status }) => status !== "ok").length;
  return [
    ...saySeries(answer),
    ...(silent ? [count("answer.series_refused", silent)] : []),
    ...answer.series.notes.map(sayNote),
    ...(answer.status === "ok" ? [t("about.limits")] : []),
  ];
}
