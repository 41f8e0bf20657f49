// The answer for the entry that is looked at, in words.

import { byId, make } from "./dom.js";
import { toKey } from "./meaning.js";
import { count, formatNumber, pair, percent, t } from "../words/texts.js";
import { groupBy } from "../rules/groups.js";
import { shiftProbability } from "../rules/prevalence.js";
import { nameModel, nameWhole, say, sayFinding, sayNote, sayPlaces, sayStudy, sayVerdict } from "../words/wording.js";

const BEYOND = ["no_lung", "not_chest"]; // what slices above and below the lungs are refused for
const NAME = "COVID-19";

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
  byId("start").hidden = Boolean(entry);
  if (!entry) return;
  const { answer, outlook } = entry;
  const verdict = review.verdict(answer);
  byId("detail").dataset.verdict = verdict ?? "reading";
  byId("detail-path").textContent = nameWhole(entry);
  byId("detail-study").textContent = [sayStudy(entry)].filter(Boolean).map((text) => ` · ${text}`).join("");
  show("detail-title", verdict ? t(`title.${verdict}`) : outlook ? sayHowFar(outlook) : t("list.reading"));
  show("detail-probability", outlook ? saySoFar(review) : sayProbability(answer));
  show("detail-assumes", sayAssumption(review));
  show("detail-finding", sayFinding(answer ?? outlook?.answer ?? {}));
  show("detail-sentence", outlook ? t("outlook.hint") : saySentence(answer, verdict, review.pointFor(answer)));
  const notes = toNotes(entry, (at) => toLink(at, review));
  byId("notes-part").hidden = !notes.length;
  byId("detail-notes").replaceChildren(...notes.map((note) => make("li", {}, ...note)));
  byId("detail-model").textContent = nameModel(review.config);
}

/** Put a text in its place; no line ends within the name of the disease. */
function show(id, text) {
  byId(id).textContent = text.replaceAll(NAME, NAME.replace("-", "-\u2060"));
}

/** What the slices so far say of the series that is looked at, in a line; nothing where it has its answer, or none so far. */
export function sayOutlook(review) {
  const outlook = review.entry?.outlook;
  return outlook ? pair(sayHowFar(outlook), saySoFar(review)) : "";
}

const sayHowFar = ({ read, count: all }) => t("outlook.title", { read: formatNumber(read), count: formatNumber(all) });

function saySoFar(review) {
  const { answer } = review.entry.outlook;
  return pair(t("outlook.so_far"), sayVerdict(review.verdict(answer), answer.probability));
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
  if (prevalence === null) return t(toKey("answer.assumes", entry.answer), values);
  const shifted = shiftProbability(entry.answer.probability, prevalence, config.prevalence);
  return t(toKey("answer.assumes_shifted", entry.answer), { ...values, q: percent(prevalence, 1), shifted: percent(shifted, 1) });
}

/** What a verdict means, or why there is none. */
export function saySentence(answer, verdict, { band }) {
  if (!answer) return "";
  if (answer.status !== "ok") return say(answer);
  const sentence = t(`answer.${verdict}`, { low: percent(band[0], 1), high: percent(band[1], 1) });
  return verdict === "negative" ? sentence : `${sentence} ${t("answer.alike")}`;
}

/** What else is to be known of an entry: sentences, each in parts; `link(at)` is how a place in a series is put. */
export function toNotes({ answer, slices }, link = (at) => formatNumber(at + 1)) {
  if (answer?.kind === "slice" && answer.status === "ok") return [say(answer)].filter(Boolean).map((text) => [text]);
  if (answer?.kind !== "series") return [];
  const texts = [
    answer.status === "ok" ? say(answer) : null,
    ...saySeries(answer),
    ...saySilent(slices, answer.status === "ok"),
    // (Slices that were not read are named above.)
    ...answer.series.notes.filter(({ code }) => !slices.length || code !== "slices_not_read").map(sayNote),
  ];
  return [...toTelling(answer, link), ...texts.filter(Boolean).map((text) => [text])];
}

/** The slices of highest probability, each a link to it. */
function toTelling({ series }, link) {
  if (!series.answered) return [];
  const links = series.telling.flatMap((at, place) => (place ? [", ", link(at)] : [link(at)]));
  const [before, after] = t("answer.telling", { places: "|" }).split("|");
  return [[before, ...links, after]];
}

function toLink(at, review) {
  const button = make("button", { type: "button", className: "link", ariaLabel: pair(t("viewer.slice"), formatNumber(at + 1)) }, formatNumber(at + 1));
  button.addEventListener("click", () => review.move(at));
  return button;
}

/** What a series' answer rests on. */
function saySeries({ series }) {
  if (!series.answered) return [];
  const values = { answered: formatNumber(series.answered), slices: formatNumber(series.slices) };
  return [t("answer.series", { ...values, positive: formatNumber(Math.round(series.evidence_share * series.answered)) })];
}

/** Why a slice has no answer: of what is refused in a few words, as numbers differ from slice to slice. */
function sayWhy(slice) {
  return slice.status === "error" ? say(slice) : t(`reason.${slice.reason}`);
}

/**
 * Which slices of a series got no answer, and why: one sentence a reason. In one that is answered, what is refused before
 * the first answered slice or after the last is neck or belly, whatever it looks like, and no fault.
 */
function saySilent(slices, isAnswered) {
  const places = slices.map((slice, at) => ({ ...slice, at })).filter(({ status }) => status !== "ok");
  const isOk = ({ status }) => status === "ok";
  const [first, last] = [slices.findIndex(isOk), slices.findLastIndex(isOk)];
  const isOutside = ({ at }) => at < first || at > last;
  const isBeyond = (one) => isAnswered && one.status === "refused" && (BEYOND.includes(one.reason) || isOutside(one));
  return [...groupBy(places, (slice) => (isBeyond(slice) ? "" : sayWhy(slice)))].map(([why, group]) =>
    count(isBeyond(group[0]) ? "answer.no_lung" : toSilent(group[0]), group.length, { places: sayPlaces(group.map(({ at }) => at)), why }));
}

function toSilent({ status }) {
  return status === "error" ? "answer.not_read" : "answer.refused";
}
