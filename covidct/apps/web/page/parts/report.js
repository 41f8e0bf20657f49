// The printable report of the entry that is looked at: filled when it is printed, shown on paper alone.

import { sayAssumption, sayProbability, saySentence, toNotes } from "./answer.js";
import { byId, make, makeSvg } from "./dom.js";
import { toExternal, toTable } from "./figures.js";
import { isWorth, sayBand, sayPoint, sayPrevalence, toWorth } from "./meaning.js";
import { toPicture } from "../viewer/picture.js";
import { drawStrip } from "../viewer/strip.js";
import { currentLanguage, pair, t } from "../words/texts.js";
import { nameModel, namePoint, placeOf, sayFinding, toDate } from "../words/wording.js";

const MAX_ROWS = 5; // of figures by source: more would not leave a sheet its pictures

/** Fill the report before printing, by the button or by the browser's own command. */
export function startReport(review) {
  const fill = () => byId("report").replaceChildren(...(review.entry?.answer ? toReport(review) : [make("p", {}, t("report.none"))]));
  addEventListener("beforeprint", fill);
  byId("print").addEventListener("click", async () => {
    if (review.slice?.hasPicture && !isDrawn()) await new Promise((go) => byId("stage").addEventListener("drawn", go, { once: true }));
    fill();
    print();
    review.isKept = true;
  });
}

function toReport(review) {
  const { entry, config } = review;
  const point = review.pointFor(entry.answer);
  const verdict = review.verdict(entry.answer);
  const date = new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeStyle: "short" }).format(new Date());
  return [
    make("h1", {}, t("report.title")),
    make("p", { className: "quiet" }, `${t("report.made", { date, model: nameModel(config) })}. ${t("disclaimer")}`),
    toIdentity(entry),
    make("h2", {}, t(`title.${verdict}`)),
    make("p", { className: "probability" }, sayProbability(entry.answer)),
    make("p", { className: "quiet" }, sayAssumption(review)),
    make("p", {}, sayFinding(entry.answer)),
    make("p", {}, saySentence(entry.answer, verdict, point)),
    make("ul", {}, ...toNotes(entry).map((note) => make("li", {}, ...note))),
    ...toPictures(review),
    ...(isWorth(review) ? [...toSetting(review, point), ...toFigures(config)] : []),
    make("dl", { className: "sign" }, ...["read_by", "date", "signature"].map((name) => make("dt", {}, t(`report.${name}`)))),
  ];
}

function toSetting(review, point) {
  const name = make("strong", {}, pair(t("report.setting"), namePoint(point)));
  return [make("p", {}, name, `. ${sayPoint(review)} ${sayBand(review, point)}`), make("p", {}, sayWorth(review))];
}

function toFigures(config) {
  const { figures } = config;
  return [
    make("h3", {}, t("report.figures")),
    toTable(figures.length > MAX_ROWS ? figures.filter(({ name }) => name === "overall") : figures),
    make("p", { className: "quiet" }, t("meaning.external")),
    ...toExternal(config),
  ];
}

/** What answers are worth at the prevalence that was asked for, or that of the calibration. */
function sayWorth(review) {
  const prevalence = review.prevalence ?? review.config.prevalence;
  const values = toWorth(review, prevalence).map(([name, value]) => pair(name, value));
  return `${sayPrevalence(review)} ${values.join(" · ")}.`;
}

/** Whether the picture on screen is that of the slice that is looked at. */
function isDrawn() {
  return byId("stage").dataset.drawn !== undefined;
}

/** Lines for who the patient is, which the page does not know, to be filled in by hand; below what the series says. */
function toIdentity(entry) {
  const { about, seriesUid } = entry.answer;
  const blank = ["patient", "accession"].map((name) => [t(`report.${name}`), ""]);
  const date = [t("report.study_date"), toDate(about?.studyDate)];
  const known = [[t("report.series"), about?.description, ""], [t("report.file"), placeOf(entry), "file"], ["SeriesInstanceUID", seriesUid, "uid"]];
  return make("dl", { className: "identity" }, ...[...blank, date, ...known.filter(([, value]) => value)].map(([name, value, kind = ""]) =>
    make("div", { className: value ? kind : "blank" }, make("dt", {}, name), make("dd", {}, value ?? ""))));
}

function toPictures(review) {
  const { entry, slice, at } = review;
  if (!slice?.hasPicture || !byId("picture").width) return [];
  if (!isDrawn()) return [make("p", {}, t("report.not_drawn"))];
  const opacity = Number(byId("opacity").value) / 100;
  const total = entry.slices.length;
  const pictures = [toFigure(toPicture(byId("picture"), byId("overlay"), 0), total > 1 ? t("report.picture", { at: at + 1, total }) : t("viewer.slice"))];
  if (slice.status === "ok") {
    const shown = toPicture(byId("picture"), byId("overlay"), opacity || 0.6);
    pictures.push(toFigure(shown, t("viewer.scale")));
  }
  const strip = makeSvg("svg", { class: "strip", preserveAspectRatio: "none" });
  if (total > 1) drawStrip(strip, entry.slices, review.point, at, (one) => review.verdict(one));
  const curve = total > 1 ? [make("figure", { className: "curve" }, strip, make("figcaption", {}, t("viewer.legend")))] : [];
  return [make("div", { className: "pictures" }, ...pictures), ...curve];
}

function toFigure(src, caption) {
  return make("figure", {}, make("img", { src, alt: caption }), make("figcaption", {}, caption));
}
