// Which part of a slice a pane shows: how far it is zoomed, and what lies in the middle. Knows sizes; knows no page.

import { clip } from "../rules/numbers.js";

const [MIN_ZOOM, MAX_ZOOM] = [1, 20];

/** A view of film; `zoom` 1 shows all of it, `x` and `y` in [0, 1] are the place in the middle of the pane. */
export class Camera {
  constructor() {
    this.fit();
  }

  /** Show all. */
  fit() {
    Object.assign(this, { zoom: 1, x: 0.5, y: 0.5 });
  }

  get isFitted() {
    return this.zoom === 1;
  }

  /** Where film { width, height } of that shape lies in a pane { width, height } of CSS pixels: { left, top, scale }. */
  place(pane, film) {
    const scale = this.zoom * Math.min(pane.width / film.width, pane.height / film.height);
    return { left: pane.width / 2 - this.x * film.width * scale, top: pane.height / 2 - this.y * film.height * scale, scale };
  }

  /** Zoom by a factor; the place under `point` { x, y } of the pane stays where it is. */
  zoomAt(factor, point, pane, film) {
    const before = this.place(pane, film);
    this.zoom = clip(this.zoom * factor, MIN_ZOOM, MAX_ZOOM);
    const { scale } = this.place(pane, film);
    const hold = (at, start, side) => (at - start) / before.scale / side;
    this.x = hold(point.x, before.left, film.width) - (point.x - pane.width / 2) / (film.width * scale);
    this.y = hold(point.y, before.top, film.height) - (point.y - pane.height / 2) / (film.height * scale);
    this.keepInView();
  }

  /** Move the film by so many CSS pixels. */
  moveBy(dx, dy, pane, film) {
    const { scale } = this.place(pane, film);
    this.x -= dx / (film.width * scale);
    this.y -= dy / (film.height * scale);
    this.keepInView();
  }

  keepInView() {
    if (this.isFitted) return this.fit();
    this.x = clip(this.x, 0, 1);
    this.y = clip(this.y, 0, 1);
  }
}
