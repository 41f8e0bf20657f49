// The model's figures as a table, for the page and the report.

import { make } from "./dom.js";
import { formatNumber, t } from "./texts.js";

/** A table of figures by source; `figures` are { name, slices, positives, metrics }. */
export function toTable(figures) {
  const head = ["source", "slices", "positives", "auc", "sensitivity", "specificity"];
  const cells = head.map((name) => make("th", { scope: "col" }, t(`about.${name}`)));
  const rows = figures.map((one) => make("tr", {},
    make("th", { scope: "row" }, one.name === "overall" ? t("about.overall") : one.name),
    ...[formatNumber(one.slices), formatNumber(one.positives), ...["auc", "sensitivity", "specificity"].map((name) => sayMetric(one.metrics[name]))]
      .map((text) => make("td", {}, text))));
  return make("table", {}, make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows));
}

/** What the card says of sources left out of training, if it does: its own line, which is in English. */
export function toAbroad({ headlines }) {
  return headlines.slice(1).map((line) => make("p", { lang: "en" }, line));
}

function sayMetric(metric) {
  if (metric?.value == null) return "–";
  const show = (value) => formatNumber(value, 2, 2);
  return metric.low == null ? show(metric.value) : `${show(metric.value)} (${show(metric.low)}–${show(metric.high)})`;
}
