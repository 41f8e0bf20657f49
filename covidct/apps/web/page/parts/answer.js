// The answer for the entry that is looked at, in words.

import { byId, make } from "./dom.js";
import { count, percent, t } from "../words/texts.js";
import { groupBy } from "../rules/groups.js";
import { shiftProbability } from "../rules/prevalence.js";
import { nameModel, nameWhole, say, sayNote, sayPlaces, saySeries } from "../words/wording.js";

/** Keep the answer as the review is. */
export function startAnswer(review) {
  for (const name of ["selection", "setting"]) review.addEventListener(name, () => drawAnswer(review));
}

function drawAnswer(review) {
  const { entry } = review;
  byId("results").hidden = !entry;
  byId("intake").classList.toggle("small", Boolean(entry));
  byId("intake-hint").hidden = Boolean(entry);
  byId("intake-replaces").hidden = !entry;
  if (!entry) return;
  const answer = entry.answer;
  const verdict = review.verdict(answer);
  byId("detail").dataset.verdict = verdict ?? "reading";
  byId("detail-path").textContent = nameWhole(entry);
  byId("detail-title").textContent = verdict ? t(`title.${verdict}`) : t("list.reading");
  byId("detail-probability").textContent = sayProbability(answer);
  byId("detail-assumes").textContent = sayAssumption(review);
  byId("detail-sentence").textContent = saySentence(answer, verdict, review.point);
  byId("detail-notes").replaceChildren(...toNotes(entry).map((note) => make("li", {}, note)));
  byId("detail-model").textContent = nameModel(review.config);
}

/** The headline's probability, or nothing. */
export function sayProbability(answer) {
  if (answer?.status !== "ok") return "";
  const key = answer.kind === "series" ? "answer.probability_series" : "answer.probability";
  return t(key, { p: percent(answer.probability, 1) });
}

/** Where the headline's probability holds, and what it is at the prevalence that was asked for. */
export function sayAssumption({ entry, config, prevalence }) {
  if (entry.answer?.status !== "ok") return "";
  const values = { p: percent(config.prevalence, 1) };
  if (prevalence === null) return t("answer.assumes", values);
  const shifted = shiftProbability(entry.answer.probability, prevalence, config.prevalence);
  return t("answer.assumes_shifted", { ...values, q: percent(prevalence, 1), shifted: percent(shifted, 1) });
}

/** What a verdict means, or why there is none. */
export function saySentence(answer, verdict, { band }) {
  if (!answer) return "";
  if (answer.status !== "ok") return say(answer);
  const sentence = t(`answer.${verdict}`, { low: percent(band[0], 1), high: percent(band[1], 1) });
  return verdict === "negative" ? sentence : `${sentence} ${t("answer.alike")}`;
}

/** What else is to be known of an entry, as sentences. */
export function toNotes({ answer, slices }) {
  if (answer?.kind === "slice" && answer.status === "ok") return [say(answer)].filter(Boolean);
  if (answer?.kind !== "series") return [];
  return [
    ...(answer.status === "ok" ? [say(answer)] : []),
    ...saySeries(answer),
    ...saySilent(slices),
    // (Slices that were not read are named above.)
    ...answer.series.notes.filter(({ code }) => !slices.length || code !== "slices_not_read").map(sayNote),
  ];
}

/** Why a slice has no answer: of what is refused in a few words, as numbers differ from slice to slice. */
function sayWhy(slice) {
  return slice.status === "error" ? say(slice) : t(`reason.${slice.reason}`);
}

/** Which slices of a series got no answer, and why: one sentence a reason. */
function saySilent(slices) {
  const places = slices.map((slice, at) => ({ ...slice, at })).filter(({ status }) => status !== "ok");
  return [...groupBy(places, sayWhy)].map(([why, group]) =>
    count(group[0].status === "error" ? "answer.not_read" : "answer.refused", group.length, {
      places: sayPlaces(group.map(({ at }) => at)), why,
    }));
}
