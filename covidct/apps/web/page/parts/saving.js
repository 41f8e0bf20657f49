// All results as files: JSON and CSV, in the one schema of results.

import { byId, make } from "./dom.js";
import { toCsv, toRecord } from "../rules/record.js";
import { sayMessage, sayNote } from "../words/wording.js";

// Says that a CSV is UTF-8: spreadsheets take it for another encoding without.
const MARK = "\ufeff";

/** Save by the buttons. */
export function startSaving(review) {
  const records = () => review.answers.map(([answer, slices]) => toRecord(answer, slices, review, { say: sayMessage, sayNote }));
  const keep = (...file) => {
    save(...file);
    review.isKept = true;
  };
  byId("save-json").addEventListener("click", () => keep(toName("json"), "application/json", `${JSON.stringify(records(), null, 1)}\n`));
  byId("save-csv").addEventListener("click", () => keep(toName("csv"), "text/csv", `${MARK}${toCsv(records())}`));
}

/** A name of its own for each file: names of patients' files stay out of it. */
function toName(ending) {
  const now = new Date();
  const local = new Date(now - now.getTimezoneOffset() * 60_000).toISOString();
  return `covidct-${local.slice(0, 19).replaceAll(":", "")}.${ending}`;
}

function save(name, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = make("a", { href, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
