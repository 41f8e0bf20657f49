// Which series of a study to read, where several could be, as covidct/series/selection.py has it and says why.
// Knows what headers say, which may be wrong: the gate looks at the pixels.

import { isForBones, isForLungs } from "./kernels.js";
import { groupBy } from "../../../rules/groups.js";

const FINEST_MM = 1;
const COARSEST_MM = 5;
// In the languages of the page and some more, accents folded.
const CHEST = new RegExp(
  "chest|thora[xck]|lung|pulmo|torax|toraks|poumon|brust|poitrine|petto|polmon|pecho|peito|klatk|pluc|hrudni"
  + "|mellkas|gogus|akciger|keuhko|brost|bryst|borst|胸|肺|груд|легк|легоч|θωρακ|흉부|폐|صدر|رية|חזה",
);
const ELSEWHERE = new RegExp(
  "head|brain|skull|neck|abd|pelvi|spine|knee|foot|ankle|hip|shoulder|hand|wrist|elbow|leg|cardi|heart|coronar"
  + "|crane|cerebr|cabeza|cabeca|tete|cervical|kopf|schadel|hals|hirn|bauch|becken|wirbel|testa|cranio|encefal"
  + "|columna|rachis|lumb|beyin|kafa|boyun|karin|glow|brzuch|头|頭|脳|脑|腹|骨盤|盆腔|頸|颈|脊|голов|мозг|шея|живот|брюш|таз"
  + "|позвон|κεφαλ|머리|뇌|복부",
);
const WITHOUT_ACCENTS = { "ł": "l", "ø": "o", "ß": "s", "ı": "i", "đ": "d" };

/** { chosen, others }: one series of each study, and the rest. A series that names no study is one of its own. */
export function choose(series) {
  const studies = groupBy(series, toStudy);
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
    bodyRank(place), !(FINEST_MM <= thickness && thickness <= COARSEST_MM), isForBones(kernel), thickness,
    !isForLungs(kernel), -stack.length, uid,
  ];
}

/** 0 for the chest, 1 where nothing is named, 2 for another part of the body; the description counts first. */
function bodyRank({ bodyPart, description, studyDescription }) {
  for (const named of [description, bodyPart].map(fold)) {
    if (CHEST.test(named)) return 0;
    if (ELSEWHERE.test(named)) return 2;
  }
  return CHEST.test(fold(studyDescription)) ? 0 : 1;
}

/** Small letters without accents: `TÓRAX` and `torax` are one word. */
export function fold(text) {
  const plain = text.toLowerCase().replace(/[łøßıđ]/g, (letter) => WITHOUT_ACCENTS[letter]);
  return plain.normalize("NFKD").replace(/\p{M}/gu, "").normalize("NFC");
}

/** The series of the same study that was not chosen and would be read next; null where there is none. */
export function findNext(series, refused) {
  return refused.find((one) => one.reason === "not_chosen" && toStudy(one) === toStudy(series)) ?? null;
}

const toStudy = ({ place, uid }) => JSON.stringify([place.patientId, place.studyUid ?? uid]);
