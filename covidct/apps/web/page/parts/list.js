// The results side by side: one button an entry, and how many there are of each kind.

import { byId, make, showDetail } from "./dom.js";
import { count, pair, percent, t } from "../words/texts.js";
import { nameEntry, placeOf, say } from "../words/wording.js";

const VERDICTS = ["positive", "indeterminate", "negative", "refused", "error"];

/** Keep the list as the review is. */
export function startList(review) {
  let isWaiting = false;
  const draw = () => {
    isWaiting = false;
    drawList(review);
  };
  // At most once a frame: a series of hundreds adds many answers a second.
  const later = () => {
    if (!isWaiting) requestAnimationFrame(draw);
    isWaiting = true;
  };
  for (const name of ["entries", "selection", "setting"]) review.addEventListener(name, later);
}

function drawList(review) {
  const list = byId("list");
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(...review.ranked.map((entry) => toRow(entry, review)));
  list.children[focused]?.firstChild.focus();
  byId("results").classList.toggle("single", review.entries.length < 2);
  byId("list-summary").textContent = summarise(review);
}

function toRow(entry, review) {
  const verdict = review.verdict(entry.answer);
  const probability = entry.answer?.probability ?? null;
  const button = make(
    "button",
    { type: "button", className: `entry ${verdict ?? "reading"}`, title: placeOf(entry) },
    make("span", { className: "entry-name" }, nameEntry(entry)),
    make("span", { className: "entry-verdict" }, verdict ? t(`decision.${verdict}`) : t("list.reading")),
    make("span", { className: "entry-more" }, sayMore(entry)),
    make("span", { className: "entry-probability" }, probability === null ? "" : percent(probability, 1)),
  );
  if (entry === review.entry) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => {
    review.select(entry);
    showDetail();
  });
  return make("li", {}, button);
}

function sayMore({ answer, slices }) {
  if (answer?.kind === "slice") return answer.status !== "ok" ? say(answer) : answer.seemsTurned ? t("list.turned") : "";
  const slicesSeen = slices.length || answer?.series.slices || 0;
  return `${t("list.series")}, ${count("list.slices", slicesSeen)}`;
}

function summarise(review) {
  const verdicts = review.entries.map(({ answer }) => review.verdict(answer));
  const parts = VERDICTS.map((verdict) => [verdict, verdicts.filter((one) => one === verdict).length]);
  return parts.filter(([, number]) => number).map(([verdict, number]) => pair(t(`decision.${verdict}`), number)).join(" · ");
}
