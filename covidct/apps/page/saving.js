// All results as files: JSON and CSV, in the one schema of results.

import { byId, make } from "./dom.js";
import { toCsv, toRecord } from "./rules/record.js";
import { sayMessage, sayNote } from "./wording.js";

/** Save by the buttons. */
export function startSaving(review) {
  const records = () => review.answers.map(([answer, slices]) => toRecord(answer, slices, review, { say: sayMessage, sayNote }));
  byId("save-json").addEventListener("click", () => save("covidct.json", "application/json", `${JSON.stringify(records(), null, 1)}\n`));
  byId("save-csv").addEventListener("click", () => save("covidct.csv", "text/csv", toCsv(records())));
}

function save(name, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = make("a", { href, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
