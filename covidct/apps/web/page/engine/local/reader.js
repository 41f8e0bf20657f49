// The straight line for one slice: bytes -> read -> gate -> graph -> gate -> answer.
// An answer is a plain object that passes to the page; what cannot be read is one, too. Knows no language.

import { ReadError } from "./errors.js";
import { readSlice } from "./images/read.js";
import { UPRIGHT, turn, turnBack, turnBoxBack } from "./series/orientation.js";
import { toProbability } from "../../rules/decision.js";
import { checkSlice, checkView } from "../../rules/gate.js";
import { checkWindow } from "../../rules/picture_window.js";
import { nameFinding } from "../../rules/finding.js";
import { isTurned, isUpsideDown } from "../../rules/rotation.js";

/** Answer for the bytes of a slice, to be turned as `turn` says or as its header does. Throws only what is our own fault. */
export function answerBytes(bytes, { path, turn: by }, graph, config) {
  return orRefusal(path, async () => {
    const slice = await readSlice(bytes);
    const about = { path, seriesUid: slice.seriesUid, instanceUid: slice.instanceUid, hasHu: slice.hu !== null };
    return { ...withoutAnswer(path), ...about, hasPicture: true, ...(await judge(slice, by ?? slice.turn ?? UPRIGHT, graph, config)) };
  });
}

/** What `work` answers for the slice at `path`, or the answer that it cannot be read. */
export async function orRefusal(path, work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    const { status, reason, code, values } = error;
    return { ...withoutAnswer(path), status, reason, code, values };
  }
}

/** An answer's fields, empty. */
export function withoutAnswer(path) {
  return {
    kind: "slice", path, status: "error", reason: null, code: null, values: {}, logit: null, probability: null, opacity: null, isCalibrated: false,
    evidence: null, seriesUid: null, instanceUid: null, sliceIndex: null, positionMm: null, series: null, hasHu: false, hasPicture: false,
    seemsTurned: false, name: null, about: null,
  };
}

async function judge(slice, by, graph, config) {
  const early = checkSlice(slice);
  if (early) return toRefusal(early);
  const { logit, evidence, gate, lung, opacity } = await graph.run(turned(slice, by));
  if (![logit, ...(gate ?? []), lung ?? 0].every(Number.isFinite)) throw new Error("the graph gives no finite logit");
  const isGated = config.gate && gate && lung !== null;
  const late = isGated ? checkView(gate, lung, config.gate, { hasHu: slice.hu !== null }) ?? checkWindow(slice) : null;
  if (late) return toRefusal(late);
  const upright = turned(slice, by);
  const isWrong = () => isTurned(evidence, [upright.height, upright.width]) || isUpsideDown(upright, evidence.box);
  const seemsTurned = config.keeps_to_lungs && isWrong();
  const seen = nameFinding(opacity, config.findings);
  return { status: "ok", opacity: seen, logit, probability: toProbability(logit, config), evidence: toStored(evidence, by), seemsTurned };
}

/** The slice as chests are usually shown, which is what the graph knows. */
function turned({ pixels, width, height }, by) {
  const shown = turn({ values: pixels, width, height }, by);
  return { pixels: shown.values, width: shown.width, height: shown.height };
}

/** The evidence as the slice is stored. */
function toStored({ map, width, height, box }, by) {
  const stored = turnBack({ values: map, width, height }, by);
  return { map: stored.values, width: stored.width, height: stored.height, box: turnBoxBack(box, by) };
}

function toRefusal({ reason, values, code = `refused_${reason}` }) {
  return { status: "refused", reason, code, values };
}
