// The page's straight line: texts -> engine -> files given -> answers -> list, picture, meaning, report.

import { startAbout } from "./parts/about.js";
import { startAnswer } from "./parts/answer.js";
import { byId, make } from "./parts/dom.js";
import { startExamples } from "./parts/examples.js";
import { startIntake } from "./parts/intake.js";
import { startList } from "./parts/list.js";
import { drawPoints, startMeaning } from "./parts/meaning.js";
import { keepOffline, leaveOffline } from "./parts/offline.js";
import { sayNotice, showNotice } from "./parts/progress.js";
import { startReport } from "./parts/report.js";
import { startReturn } from "./parts/return.js";
import { Review } from "./parts/review.js";
import { Run } from "./parts/run.js";
import { startSaving } from "./parts/saving.js";
import { LANGUAGES, loadTexts, rememberLanguage, t } from "./words/texts.js";
import { Viewer } from "./viewer/viewer.js";

async function main() {
  byId("language").append(...Object.entries(LANGUAGES).map(([code, name]) => make("option", { value: code, lang: code }, name)));
  await loadTexts();
  document.documentElement.dataset.started = "true";
  const engine = await makeEngine();
  const review = new Review();
  const viewer = new Viewer(review, engine);
  const run = new Run(review, engine);
  for (const start of [startList, startAnswer, startMeaning, startAbout, startReport, startSaving]) start(review);
  startIntake((given) => run.start(given), () => showNotice(() => t("fault.folder")), () => engine.prepare());
  startExamples((given) => run.start(given), (error) => showNotice(() => t("fault.run", { detail: error.message })));
  byId("clear").addEventListener("click", () => run.clear());
  byId("language").addEventListener("change", ({ target }) => changeLanguage(target.value, review, viewer, engine));
  sayPlace(engine);
  await run.open();
  startReturn(review, engine);
  document.documentElement.dataset.ready = "true";
  await (engine.place === "local" ? keepOffline() : leaveOffline());
}

async function makeEngine() {
  const kind = document.querySelector("meta[name=covidct-engine]").content;
  if (kind === "server") return new (await import("./engine/server.js")).ServerEngine();
  return new (await import("./engine/local/engine.js")).LocalEngine();
}

async function changeLanguage(language, review, viewer, engine) {
  rememberLanguage(language);
  await loadTexts(language);
  sayPlace(engine);
  sayNotice();
  if (!review.config) return;
  drawPoints(review);
  review.tell("setting");
  await viewer.update();
}

function sayPlace(engine) {
  byId("place").textContent = t(`place.${engine.place}`, { host: location.host });
}

main();
