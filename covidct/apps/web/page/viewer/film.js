// A slice, its evidence and the marks on the stage's panes: one, or two side by side, the first without evidence.

import { byId } from "../parts/dom.js";
import { toMarks } from "./marks.js";
import { drawEvidence, drawSlice } from "./picture.js";

/** What lies on the panes, seen through a camera. */
export class Film {
  constructor(camera) {
    this.camera = camera;
    this.size = { width: 1, height: 1 }; // in mm where known, in pixels where not
    this.pixelSize = [1, 1]; // [row, column], in the units of `size`
    this.isMeasured = false;
    new ResizeObserver(() => this.place()).observe(byId("stage"));
  }

  /** Put a slice { pixels, width, height, geometry } on the panes, and its evidence where it is another slice's. */
  draw(slice, evidence) {
    const { spacing } = slice.geometry;
    this.isMeasured = spacing !== null;
    this.pixelSize = spacing ?? [1, 1];
    this.size = { width: slice.width * this.pixelSize[1], height: slice.height * this.pixelSize[0] };
    for (const id of ["picture", "plain"]) drawSlice(byId(id), slice);
    if (evidence !== undefined) drawEvidence(byId("overlay"), evidence, slice);
    this.place();
  }

  /** Show one pane, or two. */
  split(isBeside) {
    byId("pane-plain").hidden = !isBeside;
    this.place();
  }

  /** Say in the corners: { turn, place, units }. */
  label(marks) {
    this.marks = marks;
    this.place();
  }

  /** A pane's size in CSS pixels. */
  get pane() {
    const { clientWidth, clientHeight } = byId("pane");
    return { width: clientWidth, height: clientHeight };
  }

  place() {
    if (!byId("pane").clientWidth) return;
    const { left, top, scale } = this.camera.place(this.pane, this.size);
    const [row, column] = this.pixelSize;
    for (const id of ["picture", "overlay", "plain"]) {
      byId(id).style.transform = `translate(${left}px, ${top}px) scale(${scale * column}, ${scale * row})`;
    }
    if (!this.marks) return;
    const marks = { ...this.marks, scale: this.isMeasured ? scale : null };
    for (const id of ["pane", "pane-plain"]) {
      byId(id).querySelectorAll(".mark").forEach((mark) => mark.remove());
      byId(id).append(...toMarks(this.pane, marks));
    }
  }
}
