// One run at a time: files given -> answers into the review, with progress, stop, and what has gone wrong said.

import { sayOutlook } from "./answer.js";
import { byId, showDetail } from "./dom.js";
import { drawPoints } from "./meaning.js";
import { announce, hideNotice, hideWork, showNotice, showWork } from "./progress.js";
import { count, formatNumber, percent, t } from "../words/texts.js";
import { sayFault } from "../words/wording.js";

const MAX_FILES = 5000; // a study has hundreds of slices; thousands are a whole disk, dropped by mistake
const SHOW_MS = 250; // between two looks at what was told: to draw after each slice costs half as much as reading it

/** Starts and stops the engine's work. */
export class Run {
  constructor(review, engine) {
    this.review = review;
    this.engine = engine;
    this.isBusy = false;
    this.isStopping = false;
    this.isEmpty = true; // no answer of this run is there yet
    this.told = []; // events that are still to be shown
    this.shownAt = 0;
    byId("work-stop").addEventListener("click", () => this.stop());
    byId("notice-close").addEventListener("click", () => hideNotice());
    addEventListener("beforeunload", (event) => (this.isBusy || !review.isKept) && event.preventDefault());
  }

  /** Fetch what is known of the model. */
  async open() {
    try {
      this.review.open(await this.engine.open());
      drawPoints(this.review);
    } catch (error) {
      showNotice(() => (error.key ? sayFault(error) : t("fault.model", { detail: error.message })));
    }
  }

  /** Read files { file, path, isFromFolder }. Raises nothing: what goes wrong is said. */
  async start(given) {
    if (this.isBusy) return showNotice(() => t("busy.reading"));
    hideNotice();
    if (given.length > MAX_FILES) return showNotice(() => t("fault.too_many", { n: formatNumber(given.length), max: formatNumber(MAX_FILES) }));
    this.isBusy = true;
    this.isStopping = false;
    this.isEmpty = true;
    byId("earlier").hidden = !this.hasEarlier;
    byId("work-stop").disabled = false;
    try {
      await this.read(given);
    } catch (error) {
      this.review.settle();
      const { hasEarlier } = this;
      showNotice(() => [sayFault(error), ...(hasEarlier ? [t("work.earlier")] : [])].join(" "));
    } finally {
      this.isBusy = false;
      byId("earlier").hidden = true;
      hideWork();
    }
  }

  async read(given) {
    if (!this.review.config) await this.open();
    showWork(t("work.starting"), null);
    const slices = [];
    const { skipped, isCancelled } = await this.engine.predict(given, this.review, (event) => {
      if (event.answer?.kind === "slice") slices.push(event.answer.status);
      this.told.push(event);
      this.showSoon(event);
    }).finally(() => this.show());
    this.finish(slices, skipped, isCancelled);
  }

  showSoon({ outlook }) {
    const isFirst = outlook && !this.review.entry?.outlook;
    if (isFirst || performance.now() - this.shownAt >= SHOW_MS) this.show();
    else this.timer ??= setTimeout(() => this.show(), SHOW_MS);
  }

  /** Show what was told since. */
  show() {
    clearTimeout(this.timer);
    this.timer = null;
    this.shownAt = performance.now();
    const told = this.told.splice(0);
    const answers = told.filter(({ answer }) => answer);
    if (answers.length) this.take(answers);
    if (told.length) this.showProgress(told.at(-1));
  }

  /** Earlier results stay until there are new ones: where nothing can be read, nothing is lost. */
  get hasEarlier() {
    return this.isEmpty && this.review.entries.length > 0;
  }

  take(answers) {
    if (this.isEmpty) this.review.clear();
    this.isEmpty = false;
    byId("earlier").hidden = true;
    const hadOutlook = Boolean(this.review.entry?.outlook);
    this.review.add(answers);
    // Who cannot see the page hears of it at once, then as often as of the progress.
    if (!hadOutlook && this.review.entry.outlook) announce(sayOutlook(this.review));
  }

  showProgress(event) {
    if (this.isStopping) return;
    const values = { done: formatNumber(event.sorted ?? event.done ?? 0), total: formatNumber(event.total ?? 0) };
    if (event.loaded !== undefined) showWork(t(event.loaded < 1 ? "work.loading" : "work.starting", { share: percent(event.loaded) }), event.loaded);
    else if (event.isLost) showWork(t("work.lost"), null);
    else if (event.sent !== undefined) showWork(t("work.sending", { share: percent(event.sent) }), event.sent);
    else if (event.isWaiting) showWork(t("work.waiting"), null);
    else if (event.sorted !== undefined) showWork(t("work.sorting", values), event.sorted / event.total);
    else showWork(t("work.reading", values), event.done / event.total, sayOutlook(this.review));
  }

  finish(slices, skipped, isCancelled) {
    this.review.settle();
    hideNotice(); // that files are being read already
    const unread = slices.filter((status) => status === "error").length;
    const { isEmpty, hasEarlier } = this;
    const say = () => [
      isCancelled ? t(isEmpty ? "work.stopped_empty" : "work.stopped") : isEmpty ? t("work.nothing") : count("work.done", slices.length - unread),
      ...(hasEarlier ? [t("work.earlier")] : []),
      ...(unread ? [count("work.unread", unread)] : []),
      ...(skipped.length ? [count("work.skipped", skipped.length)] : []),
    ].join(" ");
    announce(say());
    if (skipped.length || isEmpty || isCancelled) showNotice(say);
    if (isEmpty) return;
    byId("results").focus({ preventScroll: true });
    showDetail();
  }

  async stop() {
    this.isStopping = true;
    byId("work-stop").disabled = true;
    showWork(t("work.stopping"), null);
    await this.engine.cancel();
  }

  /** Forget all results. */
  clear() {
    if (this.isBusy) return showNotice(() => t("busy.reading"));
    this.review.clear();
    this.engine.forget();
    hideNotice();
    byId("pick-files").focus();
  }
}
