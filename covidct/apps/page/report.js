// The printable report of the entry that is looked at: filled when it is printed, shown on paper alone.

import { saySentence, toNotes } from "./answer.js";
import { byId, make, makeSvg } from "./dom.js";
import { toTable } from "./figures.js";
import { sayPoint, toWorth } from "./meaning.js";
import { toPicture } from "./picture.js";
import { drawStrip } from "./strip.js";
import { currentLanguage, percent, t } from "./texts.js";
import { nameModel, namePoint } from "./wording.js";

/** Fill the report before printing, by the button or by the browser's own command. */
export function startReport(review) {
  const fill = () => byId("report").replaceChildren(...(review.entry?.answer ? toReport(review) : []));
  addEventListener("beforeprint", fill);
  byId("print").addEventListener("click", async () => {
    if (review.slice?.hasPicture && !isDrawn()) await new Promise((go) => byId("stage").addEventListener("drawn", go, { once: true }));
    fill();
    print();
  });
}

function toReport(review) {
  const { entry, point, config } = review;
  const verdict = review.verdict(entry.answer);
  const date = new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeStyle: "short" }).format(new Date());
  return [
    make("h1", {}, t("report.title")),
    make("p", { className: "quiet" }, `${t("report.made", { date, model: nameModel(config) })}. ${t("disclaimer")}`),
    make("p", {}, make("strong", {}, `${t("report.file")}: `), entry.answer.path),
    make("h2", {}, t(`title.${verdict}`)),
    make("p", { className: "probability" }, entry.answer.status === "ok" ? sayProbability(entry.answer) : ""),
    make("p", {}, saySentence(entry.answer, verdict, point)),
    make("ul", {}, ...toNotes(entry).map((note) => make("li", {}, note))),
    ...toPictures(review),
    make("p", {}, make("strong", {}, `${t("report.setting")}: `), `${namePoint(point)}. ${sayPoint(point)}`),
    make("p", {}, sayWorth(review)),
    make("h3", {}, t("report.figures")),
    toTable(config.figures),
    make("p", { className: "quiet" }, t("meaning.abroad")),
    make("dl", { className: "sign" }, ...["read_by", "date", "signature"].map((name) => make("dt", {}, t(`report.${name}`)))),
  ];
}

/** What answers are worth at the prevalence that was asked for, or that of the calibration. */
function sayWorth(review) {
  const prevalence = review.prevalence ?? review.config.prevalence;
  const values = toWorth(review, prevalence).map(([name, value]) => `${name}: ${value}`);
  return `${t("meaning.at", { p: percent(prevalence, 1) })} ${values.join("; ")}.`;
}

/** Whether the picture on screen is that of the slice that is looked at. */
function isDrawn() {
  return byId("stage").dataset.drawn !== undefined;
}

function sayProbability(answer) {
  return t(answer.kind === "series" ? "answer.probability_series" : "answer.probability", { p: percent(answer.probability, 1) });
}

function toPictures(review) {
  const { entry, slice, at } = review;
  if (!slice?.hasPicture || !byId("picture").width) return [];
  if (!isDrawn()) return [make("p", {}, t("report.not_drawn"))];
  const opacity = Number(byId("opacity").value) / 100;
  const total = entry.slices.length;
  const pictures = [
    toFigure(toPicture(byId("picture"), byId("overlay"), 0), t("report.picture", { at: at + 1, total })),
    toFigure(toPicture(byId("picture"), byId("overlay"), opacity || 0.6), `${t("report.evidence")}. ${t("viewer.scale")}`),
  ];
  const strip = makeSvg("svg", { class: "strip", preserveAspectRatio: "none" });
  if (total > 1) drawStrip(strip, entry.slices, review.point, at, (one) => review.verdict(one));
  const curve = total > 1 ? [make("figure", { className: "curve" }, strip, make("figcaption", {}, t("report.strip")))] : [];
  return [make("div", { className: "pictures" }, ...pictures), ...curve];
}

function toFigure(src, caption) {
  return make("figure", {}, make("img", { src, alt: caption }), make("figcaption", {}, caption));
}
