// Mouse, pen and fingers on the stage -> what they ask for. One finger or the left button does what the tool says,
// the right button zooms, the middle one moves; two fingers zoom and move. Knows pointers; knows no slices.

const STEP_PX = 12; // of dragging, for one slice
const ZOOM_PX = 150; // of dragging, for a factor of e

/**
 * Listen on `stage`; `act` has window(dx, dy), move(dx, dy), zoom(factor, point), slices(steps), and `tool()` names the
 * one of them that one finger or the left button means.
 */
export function startGestures(stage, act, tool) {
  const down = new Map(); // pointers by id, as [x, y] in CSS pixels of the stage
  let [rest, kind, start] = [0, null, null];
  const at = ({ clientX, clientY }) => {
    const { left, top } = stage.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("pointerdown", (event) => {
    if (event.button === 1) event.preventDefault(); // no scrolling by the middle button
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    kind = event.button === 2 ? "zoom" : event.button === 1 || event.shiftKey ? "move" : tool();
    [rest, start] = [0, at(event)];
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => down.delete(event.pointerId));
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (down.size === 2) pinch(event.pointerId, now);
    else if (down.size === 1) drag(now[0] - before[0], now[1] - before[1]);
    down.set(event.pointerId, now);
  });

  function drag(dx, dy) {
    if (kind === "zoom") return act.zoom(Math.exp(-dy / ZOOM_PX), toPoint(start));
    if (kind !== "slices") return act[kind](dx, dy);
    rest += dx - dy;
    const steps = Math.trunc(rest / STEP_PX);
    rest -= steps * STEP_PX;
    if (steps) act.slices(steps);
  }

  function pinch(id, now) {
    const [other] = [...down].filter(([one]) => one !== id).map(([, place]) => place);
    const before = down.get(id);
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    act.move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    act.zoom(apart(now) / Math.max(apart(before), 1), toPoint(middle));
  }
}

const toPoint = ([x, y]) => ({ x, y });
