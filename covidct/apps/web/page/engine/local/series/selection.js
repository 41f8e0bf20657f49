// Which series of a study to read, where several could be, as covidct/series/selection.py has it and says why.
// Knows what headers say, which may be wrong: the gate looks at the pixels.

import { groupBy } from "../../../rules/groups.js";

const FINEST_MM = 1;
const COARSEST_MM = 5;
const CHEST = /chest|thorax|lung|pulmo|torax|poumon|brust/i;
const ELSEWHERE = /head|brain|skull|neck|abd|pelvis|spine|knee|foot|ankle|hip|shoulder|hand|wrist|elbow|leg|cardi|heart|coronar/i;
const LUNG = /lung|^(b[67]\d|bl\d\d|br[67]\d|bv[67]\d|fc5\d|fc8\d|yc|yb|l$)/i;
const BONE = /bone|^(fc3\d|hr|ub|yd|d$)/i;

/** { chosen, others }: one series of each study, and the rest. A series that names no study is one of its own. */
export function choose(series) {
  const studies = groupBy(series, (item) => item.place.studyUid ?? item.uid);
  const chosen = [];
  const others = [];
  for (const candidates of studies.values()) {
    const [best, ...rest] = [...candidates].sort(byRank);
    chosen.push(best);
    others.push(...rest);
  }
  return { chosen, others };
}

function byRank(one, other) {
  const [a, b] = [toRank(one), toRank(other)];
  const at = a.findIndex((value, place) => value !== b[place]);
  return at < 0 ? 0 : a[at] < b[at] ? -1 : 1;
}

/** What series of a study are sorted by, the first of them to be read. */
export function toRank({ place, spacing, stack, uid }) {
  const thickness = place.thickness || spacing || COARSEST_MM;
  const kernel = place.kernel || place.description || "";
  return [
    bodyRank(place), !(FINEST_MM <= thickness && thickness <= COARSEST_MM), BONE.test(kernel), thickness,
    !LUNG.test(kernel), -stack.length, uid,
  ];
}

/** 0 for the chest, 1 where nothing is named, 2 for another part of the body. */
function bodyRank({ bodyPart, description, studyDescription }) {
  if ([bodyPart, description, studyDescription].some((named) => named && CHEST.test(named))) return 0;
  return [bodyPart, description].some((named) => named && ELSEWHERE.test(named)) ? 2 : 1;
}
