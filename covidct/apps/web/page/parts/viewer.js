// The slice that is looked at, its evidence over it, and moving through a series by slider, keys, wheel and strip.

import { byId } from "./dom.js";
import { drawEvidence, drawSlice } from "./picture.js";
import { announce } from "./progress.js";
import { drawStrip, toPlace } from "./strip.js";
import { formatNumber, pair, percent, t } from "../words/texts.js";
import { say, sayVerdict } from "../words/wording.js";

const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }; // as a slider's

/** Shows the slice of a review, with pictures from an engine. */
export class Viewer {
  constructor(review, engine) {
    this.review = review;
    this.engine = engine;
    this.wanted = null; // the slice and window asked for last: those in between are passed over
    this.drawn = null; // the slice and window on the canvas
    for (const name of ["selection", "setting"]) review.addEventListener(name, () => this.update());
    byId("slice").addEventListener("input", ({ target }) => review.move(Number(target.value)));
    byId("opacity").addEventListener("input", () => this.showOpacity());
    byId("window").addEventListener("change", () => this.update());
    byId("strip").addEventListener("pointerdown", (event) => this.follow(event));
    byId("strip").addEventListener("pointermove", (event) => event.buttons && this.follow(event));
    byId("stage").addEventListener("keydown", (event) => this.press(event));
    byId("stage").addEventListener("wheel", (event) => this.roll(event), { passive: false });
  }

  /** Show what the review looks at now. */
  async update() {
    const { slice, entry } = this.review;
    byId("viewer").hidden = !slice?.hasPicture;
    if (!slice?.hasPicture) return;
    this.showPlace(entry, slice);
    this.showOpacity();
    await this.draw(slice);
  }

  showPlace(entry, slice) {
    const total = entry.slices.length;
    const range = byId("slice");
    byId("series-controls").hidden = total < 2;
    range.max = total - 1;
    range.value = this.review.at;
    range.setAttribute("aria-valuetext", this.describe());
    // What there is to say of a slice on its own stands above.
    byId("slice-line").textContent = total < 2 ? "" : this.describe();
    byId("window-field").hidden = !slice.hasHu;
    byId("viewer-keys").textContent = t(total < 2 ? "viewer.keys_one" : "viewer.keys");
    for (const id of ["opacity-field", "scale"]) byId(id).hidden = slice.status !== "ok";
    if (total < 2) return;
    drawStrip(byId("strip"), entry.slices, this.review.point, this.review.at, (one) => this.review.verdict(one));
  }

  showOpacity() {
    const opacity = Number(byId("opacity").value) / 100;
    byId("overlay").style.opacity = opacity;
    byId("opacity").setAttribute("aria-valuetext", percent(opacity));
    byId("stage").setAttribute("aria-label", `${this.describe()}. ${pair(t("viewer.evidence"), percent(opacity))}.`);
  }

  async draw(slice) {
    const window = byId("window").value;
    const isBusy = this.wanted !== null;
    if (!isBusy && this.drawn?.slice === slice && this.drawn.window === window) return;
    this.wanted = { slice, window };
    // Words and picture must not speak of two slices: until it is drawn there is none, on screen or on paper.
    delete byId("stage").dataset.drawn;
    byId("stage-text").textContent = t("viewer.drawing");
    if (isBusy) return;
    while (this.wanted !== this.drawn) await this.drawWanted(this.wanted);
    this.wanted = null;
  }

  async drawWanted(wanted) {
    const { slice, window } = wanted;
    const parts = await Promise.all([this.engine.show(slice, window), this.engine.evidence(slice)]).catch(() => null);
    this.drawn = wanted;
    if (wanted !== this.wanted) return;
    if (!parts) {
      byId("stage-text").textContent = t("viewer.none");
      this.drawn = this.wanted = null;
      byId("stage").dispatchEvent(new Event("drawn"));
      return;
    }
    drawSlice(byId("picture"), parts[0]);
    drawEvidence(byId("overlay"), parts[1], parts[0]);
    byId("stage").dataset.drawn = String(slice.n);
    byId("stage").dispatchEvent(new Event("drawn"));
  }

  describe() {
    const { slice, entry, at } = this.review;
    if (!slice) return "";
    const verdict = this.review.verdict(slice);
    const what = slice.status === "ok" ? sayVerdict(verdict, slice.probability) : pair(t(`decision.${verdict}`), say(slice));
    const total = entry.slices.length;
    return total < 2 ? what : t("viewer.position", { at: formatNumber(at + 1), total: formatNumber(total), what });
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in KEYS) this.review.move(this.review.at + KEYS[event.key]);
    else if (event.key === "Home") this.review.move(0);
    else if (event.key === "End") this.review.move(Infinity);
    else if (event.key.toLowerCase() === "e") this.toggleEvidence();
    else if (event.key.toLowerCase() === "w") this.nextWindow();
    else return;
    event.preventDefault();
    announce(this.describe());
  }

  toggleEvidence() {
    const range = byId("opacity");
    if (range.value !== "0") this.before = range.value;
    range.value = range.value === "0" ? (this.before ?? "60") : "0";
    this.showOpacity();
  }

  nextWindow() {
    const select = byId("window");
    if (byId("window-field").hidden) return;
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    this.update();
  }

  roll(event) {
    if (this.review.entry.slices.length < 2) return;
    event.preventDefault();
    this.review.move(this.review.at + Math.sign(event.deltaY));
  }

  follow(event) {
    this.review.move(toPlace(byId("strip"), this.review.entry.slices.length, event));
  }
}
