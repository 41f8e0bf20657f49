// The model's figures as a table, for the page and the report.

import { make } from "./dom.js";
import { formatNumber, t } from "../words/texts.js";

/** A table of figures by source; `figures` are { name, slices, positives, metrics }. */
export function toTable(figures) {
  const metrics = ["auc", "sensitivity", "specificity"];
  const head = ["source", ...metrics, "slices", "positives"]; // what matters most is seen on a phone, too
  const cells = head.map((name) => make("th", { scope: "col" }, t(`about.${name}`)));
  const rows = figures.map((one) => make("tr", {},
    make("th", { scope: "row" }, one.name === "overall" ? t("about.overall") : one.name),
    ...[...metrics.map((name) => sayMetric(one.metrics[name])), formatNumber(one.slices), formatNumber(one.positives)]
      .map((text) => make("td", {}, text))));
  return make("table", {}, make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows));
}

/** A line on sources left out of training, if any were; where it is not recorded, what the card says of it. */
export function toExternal({ external, headlines }) {
  const aucs = external.map(({ source, auc }) => `${source.replaceAll("+", " + ")} ${sayMetric(auc)}`).join(" · ");
  return aucs ? [make("p", {}, t("about.external", { aucs }))]
    : headlines.slice(1).map((line) => make("p", { lang: "en" }, line));
}

function sayMetric(metric) {
  if (metric?.value == null) return "–";
  const show = (value) => formatNumber(value, 2, 2);
  return metric.low == null ? show(metric.value) : `${show(metric.value)} (${show(metric.low)}–${show(metric.high)})`;
}
