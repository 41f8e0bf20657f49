// The slice that is looked at, its evidence over it: moving through a series, windows, zoom, by mouse, keys and fingers.

import { byId } from "../parts/dom.js";
import { announce } from "../parts/progress.js";
import { toDisplay } from "../rules/window.js";
import { formatNumber, pair, percent, t } from "../words/texts.js";
import { say, sayFault, sayFinding, sayVerdict } from "../words/wording.js";
import { Camera } from "./camera.js";
import { Film } from "./film.js";
import { startGestures } from "./gestures.js";
import { drawStrip, toPlace } from "./strip.js";
import { Windowing } from "./windowing.js";

const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
const MOVES = { ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowLeft: [40, 0], ArrowDown: [0, -40] };
const ZOOM = 1.25; // by one key, or one notch of the wheel

/** Shows the slice of a review, with pictures from an engine. */
export class Viewer {
  constructor(review, engine) {
    this.review = review;
    this.engine = engine;
    this.wanted = null; // the slice and window asked for last: those in between are passed over
    this.drawn = null; // the slice and window on the canvas
    this.side = null; // how the slice on the canvas lies
    this.measured = {}; // Hounsfield units of the slice that was windowed last
    this.camera = new Camera();
    this.film = new Film(this.camera);
    this.windowing = new Windowing(() => this.update());
    for (const name of ["selection", "setting"]) review.addEventListener(name, () => this.update());
    this.listen();
  }

  listen() {
    byId("slice").addEventListener("input", ({ target }) => this.review.move(Number(target.value)));
    byId("opacity").addEventListener("input", () => this.showOpacity());
    byId("beside").addEventListener("click", () => this.toggleBeside());
    byId("fit").addEventListener("click", () => this.fit());
    byId("strip").addEventListener("pointerdown", (event) => this.follow(event));
    byId("strip").addEventListener("pointermove", (event) => event.buttons && this.follow(event));
    const stage = byId("stage");
    stage.addEventListener("keydown", (event) => this.press(event));
    stage.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    stage.addEventListener("dblclick", () => this.fit());
    const act = {
      window: (dx, dy) => this.windowing.drag(dx, dy),
      move: (dx, dy) => this.move(dx, dy),
      zoom: (factor, point) => this.zoom(factor, point),
      slices: (steps) => this.review.move(this.review.at + steps),
    };
    startGestures(stage, act, () => this.tool);
    this.chosen = matchMedia("(pointer: coarse)").matches ? "slices" : "window"; // what dragging is to do
    byId("tool").addEventListener("change", ({ target }) => {
      this.chosen = target.value;
      this.update();
    });
  }

  /** What dragging does: what was chosen, where the slice can do it. */
  get tool() {
    const isVain = { window: !this.review.slice?.hasHu, slices: this.isSingle };
    return isVain[this.chosen] ? "move" : this.chosen;
  }

  get isSingle() {
    return this.review.position.count < 2;
  }

  /** Show what the review looks at now. */
  async update() {
    const { slice, entry } = this.review;
    byId("viewer").hidden = !slice?.hasPicture;
    if (!slice?.hasPicture) return;
    if (entry !== this.entry) this.camera.fit(); // another stack, which may be of another shape
    this.entry = entry;
    this.showPlace(entry, slice);
    this.showOpacity();
    await this.draw(slice);
  }

  showPlace(entry, slice) {
    const range = byId("slice");
    byId("series-controls").hidden = byId("strip-legend").hidden = this.isSingle;
    range.max = entry.slices.length - 1;
    range.value = this.review.at;
    range.setAttribute("aria-valuetext", this.describe());
    // What there is to say of a slice on its own stands beside.
    byId("slice-line").textContent = this.isSingle ? "" : [this.describe(), sayFinding(slice)].filter(Boolean).join(" · ");
    byId("window-field").hidden = !slice.hasHu;
    byId("viewer-keys").textContent = t(this.isSingle ? "viewer.keys_one" : "viewer.keys");
    for (const id of ["opacity-field", "scale"]) byId(id).hidden = slice.status !== "ok";
    byId("tool").value = this.tool;
    byId("stage").style.touchAction = this.tool === "slices" && this.camera.isFitted ? "pan-y" : "none";
    this.showBeside();
    if (this.isSingle) return;
    const point = this.review.pointFor(slice);
    drawStrip(byId("strip"), entry.slices, point, this.review.at, (one) => this.review.verdict(one));
  }

  showOpacity() {
    const opacity = Number(byId("opacity").value) / 100;
    byId("overlay").style.opacity = opacity;
    byId("opacity").setAttribute("aria-valuetext", percent(opacity));
    byId("stage").setAttribute("aria-label", `${this.describe()}. ${pair(t("viewer.evidence"), percent(opacity))}.`);
  }

  async draw(slice) {
    const { name, own } = this.windowing;
    const window = slice.hasHu ? own ?? name : "lung";
    const isBusy = this.wanted !== null;
    if (!isBusy && this.drawn?.slice === slice && this.drawn.window === window) return this.label(); // in words that may have changed
    this.wanted = { slice, window };
    if (this.drawn?.slice !== slice) this.cover();
    if (isBusy) return;
    while (this.wanted !== this.drawn) await this.drawWanted(this.wanted);
    this.wanted = null;
  }

  /** Words and picture must not speak of two slices: until it is drawn there is none, on screen or on paper. */
  cover() {
    delete byId("stage").dataset.drawn;
    byId("stage-text").textContent = t("viewer.drawing");
  }

  async drawWanted(wanted) {
    const { slice, window } = wanted;
    const isNew = byId("stage").dataset.drawn !== String(slice.n) || this.drawn?.slice !== slice;
    let fault = null;
    const parts = await Promise.all([this.fetch(slice, window), isNew ? this.engine.evidence(slice) : undefined]).catch((error) => {
      fault = error;
    });
    this.drawn = wanted;
    if (wanted !== this.wanted) return;
    if (parts) {
      this.film.draw(...parts);
      this.side = parts[0].geometry.turn;
      this.label();
      byId("stage").dataset.drawn = String(slice.n);
    } else {
      byId("stage-text").textContent = fault.key ? sayFault(fault) : t("viewer.none");
      this.drawn = this.wanted = null;
    }
    byId("stage").dispatchEvent(new Event("drawn"));
  }

  /** The slice's picture: the engine's in a usual window; made here of Hounsfield units in any other. */
  async fetch(slice, window) {
    if (!Array.isArray(window)) return this.engine.show(slice, window);
    if (this.measured.slice !== slice) this.measured = { slice, ...(await this.engine.measure(slice)) };
    return { ...this.measured, pixels: toDisplay(this.measured.hu, window) };
  }

  label() {
    const { slice, position } = this.review;
    const mm = slice.positionMm ?? null;
    const place = [
      ...(this.isSingle ? [] : [`${formatNumber(position.place + 1)} / ${formatNumber(position.count)}`]),
      ...(mm === null ? [] : [`${formatNumber(mm, 1, 1)} mm`]),
    ];
    const { centre, width } = this.windowing;
    this.film.label({ turn: this.side, place: place.join("\n"), units: slice.hasHu ? t("viewer.units", { centre, width }) : "" });
  }

  describe() {
    const { slice, position } = this.review;
    if (!slice) return "";
    const verdict = this.review.verdict(slice);
    const what = slice.status === "ok" ? sayVerdict(verdict, slice.probability) : pair(t(`decision.${verdict}`), say(slice));
    const [at, total] = [formatNumber(position.place + 1), formatNumber(position.count)];
    return this.isSingle ? what : t("viewer.position", { at, total, what });
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, shiftKey } = event;
    const letters = { e: () => this.toggleEvidence(), w: () => this.nextWindow(), s: () => this.toggleBeside(), "+": () => this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM), 0: () => this.fit() };
    if (shiftKey && key in MOVES) this.move(...MOVES[key]);
    else if (key in STEPS) this.review.move(this.review.at + STEPS[key]);
    else if (key.toLowerCase() in letters) letters[key.toLowerCase()]();
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

  toggleBeside() {
    const isBeside = byId("beside").ariaPressed !== "true";
    byId("beside").ariaPressed = String(isBeside);
    this.showBeside();
  }

  showBeside() {
    this.film.split(byId("beside").ariaPressed === "true" && this.review.slice?.status === "ok");
  }

  nextWindow() {
    if (!byId("window-field").hidden) this.windowing.next();
  }

  move(dx, dy) {
    this.camera.moveBy(dx, dy, this.film.pane, this.film.size);
    this.film.place();
  }

  /** Zoom at a place of the stage, in the middle by default. */
  zoom(factor, point) {
    const { pane, size } = this.film;
    const middle = { x: pane.width / 2, y: pane.height / 2 };
    // In the second pane as in the first.
    const place = point ? { x: point.x % pane.width, y: point.y } : middle;
    this.camera.zoomAt(factor, place, pane, size);
    this.film.place();
  }

  fit() {
    this.camera.fit();
    this.film.place();
  }

  roll(event) {
    const { left, top } = byId("stage").getBoundingClientRect();
    if (event.ctrlKey) this.zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM, { x: event.clientX - left, y: event.clientY - top });
    else if (this.isSingle) return; // the page scrolls
    else this.review.move(this.review.at + Math.sign(event.deltaY));
    event.preventDefault();
  }

  follow(event) {
    this.review.move(toPlace(byId("strip"), this.review.entry.slices.length, event));
  }
}
