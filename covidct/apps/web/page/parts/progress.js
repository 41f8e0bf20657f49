// How far the work is, and what has gone wrong. One line and a bar; what a screen reader hears is not every step.

import { byId } from "./dom.js";

const QUIET_MS = 5000; // between two lines that are read out

let heard = 0;
let noticed = () => "";

/** Show a line and a share in [0, 1], null for a bar without end; what is read out may be another line. */
export function showWork(text, share, spoken = "") {
  byId("work").hidden = false;
  byId("work-text").textContent = text;
  const bar = byId("work-bar");
  if (Number.isFinite(share)) bar.value = share;
  else bar.removeAttribute("value");
  if (Date.now() - heard > QUIET_MS) announce(spoken || text);
}

/** Take the bar away. */
export function hideWork() {
  byId("work").hidden = true;
}

/** Say a line to who cannot see the page. */
export function announce(text) {
  heard = Date.now();
  byId("announcer").textContent = text;
}

/** Say what has gone wrong, until it is closed or the next work begins; `say()` gives the text, in any language. */
export function showNotice(say) {
  noticed = say;
  sayNotice();
  byId("notice").hidden = false;
}

/** Say the notice again, as after a change of language. */
export function sayNotice() {
  byId("notice-text").textContent = noticed();
}

/** Take the notice away. */
export function hideNotice() {
  byId("notice").hidden = true;
}
