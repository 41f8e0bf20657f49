// What is known of the model, in a dialog.

import { byId, make } from "./dom.js";
import { toExternal, toTable } from "./figures.js";
import { pair, t } from "../words/texts.js";
import { nameModel } from "../words/wording.js";

/** Open the dialog by its button. */
export function startAbout(review) {
  byId("about-open").addEventListener("click", () => {
    byId("about-body").replaceChildren(...toAbout(review.config));
    byId("about").showModal();
  });
}

function toAbout(config) {
  if (!config) return [make("p", {}, t("disclaimer"))];
  const isLocal = document.querySelector("meta[name=covidct-engine]").content === "local";
  const licences = make("a", { href: "vendored/LICENCES.txt" }, t("about.licences"));
  return [
    make("p", {}, `${pair(t("about.name"), nameModel(config))}. ${t("disclaimer")}`),
    make("p", {}, t("about.intro")),
    make("div", { className: "scrolls", tabIndex: 0 }, toTable(config.figures)),
    ...toExternal(config),
    make("p", {}, t("about.limits")),
    ...(isLocal ? [make("p", { className: "quiet" }, licences)] : []),
  ];
}
