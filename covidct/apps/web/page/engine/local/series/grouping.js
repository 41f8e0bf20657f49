// Instances -> those of one series each, where SeriesInstanceUID says so and where it was broken, as
// covidct/series/grouping.py has it: slices of two patients never make one series, lone slices of one scan do.

import { MIN_SLICES } from "./non_slices.js";
import { SAME_MM, findNormal, findPosition, findSpacing, isAxial } from "./geometry.js";
import { groupBy } from "../../../rules/groups.js";

const WIDEST_MM = 20; // between neighbours of a scan whose only bond is its patient
const EVEN = 1.5; // times their usual distance

/** Groups { uid, members, notes } of which series can be made; instances of none stand for themselves. */
export function group(instances) {
  const lone = [];
  const groups = [];
  const byUid = groupBy(instances.filter(({ place }) => place), ({ place }) => place.seriesUid);
  for (const [uid, members] of byUid) {
    const parts = uid ? partSubjects(members) : members.map((item) => [item]);
    const notes = uid && parts.length > 1 ? [{ code: "apart", values: {} }] : [];
    for (const part of parts) {
      if (isAlone(part)) lone.push(...part);
      else groups.push({ uid, members: part, notes });
    }
  }
  return [...groups, ...mend(lone)];
}

/** The members by patient, and by study; not by studies of one slice each, whose UIDs are broken. */
function partSubjects(members) {
  return by(members, patientOf).flatMap((part) => {
    const studies = by(part, ({ place }) => place.studyUid);
    return studies.some((study) => study.length > 1) ? studies : [part];
  });
}

const patientOf = ({ place }) => place.patientId?.toLowerCase() ?? null;

/** The members by a key; those without it go with the others, where these have but one. */
function by(members, toKey) {
  const groups = groupBy(members, toKey);
  return groups.size === 2 && groups.has(null) ? [members] : [...groups.values()];
}

/** Whether this is one instance, if it is in several files, too. */
function isAlone(members) {
  const identities = new Set(members.map(({ place }) => JSON.stringify([place.instanceUid, place.position])));
  return members.length === 1 || (identities.size === 1 && members[0].place.instanceUid !== null);
}

/** Groups of lone slices that are plainly of one scan. */
function mend(lone) {
  const candidates = lone.filter(({ place }) => place.position && place.orientation && ["CT", null].includes(place.modality));
  const alike = groupBy(candidates, (item) => {
    const { seriesNumber, thickness, orientation, size } = item.place;
    return JSON.stringify([patientOf(item), seriesNumber, thickness, orientation.map((value) => value.toFixed(2)), size]);
  });
  const scans = [...alike.values()].flatMap((members) => {
    const studies = by(members, ({ place }) => place.studyUid);
    return studies.every((study) => study.length === 1) ? [members] : studies;
  });
  return scans.filter(isScan).map((members) => {
    const uid = members.map(({ path, place }) => place.seriesUid ?? path).sort()[0];
    return { uid, members, notes: [{ code: "mended", values: {} }] };
  });
}

/** Whether slices with headers alike are of one scan: by study, frame of reference or even spacing. */
function isScan(members) {
  const normal = findNormal(members[0].place.orientation);
  if (members.length < MIN_SLICES || !normal || !isAxial(normal)) return false;
  const places = members.map(({ place }) => findPosition(place.position, normal)).sort((a, b) => a - b);
  const steps = places.slice(1).map((mm, at) => mm - places[at]);
  if (Math.min(...steps) < SAME_MM) return false;
  const frames = new Set(members.map(({ place }) => place.marks.FrameOfReferenceUID ?? null));
  if (![1, members.length].includes(frames.size)) return false; // several scans of one study
  const studies = new Set(members.map(({ place }) => place.studyUid));
  if ((studies.size === 1 && !studies.has(null)) || (frames.size === 1 && !frames.has(null))) return true;
  return Math.max(...steps) <= Math.min(EVEN * findSpacing(places), WIDEST_MM) && patientOf(members[0]) !== null;
}
