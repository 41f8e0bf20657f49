// The window that Hounsfield units are shown in: a usual one by name, or a centre and width of one's own.

import { byId } from "../parts/dom.js";
import { clip } from "../rules/numbers.js";
import { WINDOWS } from "../rules/window.js";

const OWN = "own";
const [MIN_CENTRE, MAX_CENTRE] = [-1400, 3000];
const [MIN_WIDTH, MAX_WIDTH] = [1, 6000];
const FINEST_HU = 1; // a pixel of dragging; more where the window is wide
const STEPS = 400; // pixels of dragging that double a window

/** The window chosen, kept with its controls; calls `onChange()`. */
export class Windowing {
  constructor(onChange) {
    this.onChange = onChange;
    this.choose("lung");
    byId("window").addEventListener("change", ({ target }) => this.choose(target.value));
    for (const id of ["centre", "width"]) byId(id).addEventListener("change", () => this.set(byId("centre").valueAsNumber, byId("width").valueAsNumber));
  }

  /** One of the usual windows; the own one stays as it is. */
  choose(name) {
    if (name in WINDOWS) this.set(...WINDOWS[name]);
  }

  /** The next of the usual windows. */
  next() {
    const names = Object.keys(WINDOWS);
    this.choose(names[(names.indexOf(this.name) + 1) % names.length]);
  }

  /** Dragging: across makes it wider, down puts it higher, which shows things darker. */
  drag(dx, dy) {
    const step = Math.max(FINEST_HU, this.width / STEPS);
    this.set(this.centre + dy * step, this.width + dx * step);
  }

  set(centre, width) {
    if (!Number.isFinite(centre + width)) return this.show(); // an empty field
    this.centre = clip(Math.round(centre), MIN_CENTRE, MAX_CENTRE);
    this.width = clip(Math.round(width), MIN_WIDTH, MAX_WIDTH);
    const isThis = ([name, [c, w]]) => c === this.centre && w === this.width && name;
    this.name = Object.entries(WINDOWS).map(isThis).find(Boolean) ?? OWN;
    this.show();
    this.onChange();
  }

  /** [centre, width] in HU where it is none of the usual windows, else null. */
  get own() {
    return this.name === OWN ? [this.centre, this.width] : null;
  }

  show() {
    byId("window").value = this.name;
    byId("centre").value = this.centre;
    byId("width").value = this.width;
  }
}
