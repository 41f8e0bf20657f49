// What is said to a person who comes back: after a reload, when results are gone, and after Back, when the server may
// have forgotten the files. Keeps one mark in the tab, and nothing of any result.

import { showNotice } from "./progress.js";
import { t } from "../words/texts.js";

const MARK = "covidct-had-results";

/** Watch for leaving and coming back. */
export function startReturn(review, engine) {
  const mark = sessionStorage;
  if (mark.getItem(MARK)) showNotice(() => t("return.reloaded"));
  mark.removeItem(MARK);
  addEventListener("pagehide", () => review.entries.length && mark.setItem(MARK, "1"));
  addEventListener("pageshow", async ({ persisted }) => {
    if (!persisted) return;
    mark.removeItem(MARK);
    if (await engine.isForgotten?.()) showNotice(() => t("return.forgotten"));
  });
}
