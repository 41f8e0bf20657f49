// What has been answered and what is looked at: entries (a slice, or a series with its slices), the one selected,
// the operating point and the prevalence. Tells those who listen of every change. Knows nothing of the page.

import { pointFor, toDecision } from "../rules/decision.js";

// What a person must not miss comes first.
const SERIOUS = ["positive", "indeterminate", "negative", "refused", "error"];

/** The state of the page; events: `entries`, `selection`, `setting`. */
export class Review extends EventTarget {
  constructor() {
    super();
    this.config = null;
    this.point = null;
    this.prevalence = null; // null until one is asked for
    this.isKept = true; // whether all answers were saved or printed
    this.clear();
  }

  /** The model's configuration; its first operating point is the default. */
  open(config) {
    this.config = config;
    this.point = config.operating_points[0];
    this.tell("setting");
  }

  /** Forget all answers. */
  clear() {
    this.entries = [];
    this.isKept = true;
    this.isSettled = false;
    this.entry = null;
    this.at = 0;
    this.tell("entries");
    this.tell("selection");
  }

  /**
   * Add answers { answer, outlook } to their entries: slices of a series stand in one, which the series' own answer
   * completes; until then the outlook is what its slices so far say.
   */
  add(given) {
    const before = this.entry;
    given.forEach((one) => this.addOne(one));
    this.isKept = false;
    this.tell("entries");
    if (this.entry === before && this.isNews(given)) this.tell("selection");
  }

  addOne({ answer, outlook = null }) {
    const isPart = answer.kind === "slice" && answer.sliceIndex !== null;
    const known = this.entries.find(({ uid, answer: own }) => own === null && uid === answer.seriesUid);
    if (known) return this.extend(known, answer, outlook);
    this.entries.push(isPart
      ? { uid: answer.seriesUid, answer: null, outlook, slices: [answer] }
      : { uid: answer.seriesUid, answer, slices: answer.kind === "slice" ? [answer] : [] });
    // A series is what most people came for, if slices on their own were answered before.
    if (!this.entry || (isPart && this.entry.slices.length < 2 && !this.wasMoved)) this.look(this.entries.at(-1));
  }

  extend(entry, answer, outlook) {
    entry.outlook = outlook;
    if (answer.kind === "slice") return this.insert(entry, answer);
    entry.answer = answer;
    // The most telling slice is what a reader wants to see first.
    if (entry === this.entry && !this.wasMoved) this.at = answer.series.telling[0] ?? this.at;
  }

  /** Slices come in any order; the one that is looked at stays it. */
  insert(entry, slice) {
    const after = entry.slices.findIndex(({ sliceIndex }) => sliceIndex > slice.sliceIndex);
    const place = after < 0 ? entry.slices.length : after;
    entry.slices.splice(place, 0, slice);
    if (entry === this.entry && place <= this.at) this.at += 1;
  }

  /** Whether what is looked at has changed. */
  isNews(given) {
    return given.some(({ answer }) => this.entry.slices.includes(answer) || this.entry.answer === answer);
  }

  /** No more answers come: the most serious one is looked at, unless a person chose another. */
  settle() {
    this.isSettled = true;
    this.breakUp();
    if (!this.wasMoved && this.entries.length) this.look(this.ranked[0]);
    this.tell("entries");
  }

  /** The slices of a series that was broken off stand for themselves. */
  breakUp() {
    if (this.entries.every(({ answer }) => answer)) return;
    const { slice, wasMoved } = this;
    this.entries = this.entries.flatMap((entry) =>
      entry.answer ? [entry] : entry.slices.map((one) => ({ uid: null, answer: { ...one, sliceIndex: null }, slices: [one] })));
    this.look(this.entries.find(({ slices }) => slices.includes(slice)) ?? this.entries[0]);
    this.wasMoved = wasMoved;
  }

  /** The entries as they are listed: in their order while they come, then the most serious first, series before slices. */
  get ranked() {
    if (!this.isSettled) return this.entries;
    const rank = ({ answer }) => 2 * SERIOUS.indexOf(this.verdict(answer)) + Number(answer.kind === "slice");
    return [...this.entries].sort((one, other) => rank(one) - rank(other));
  }

  /** Look at an entry because a person wants to. */
  select(entry) {
    this.look(entry);
    this.wasMoved = true;
  }

  /** Look at an entry: a series from its most telling slice. */
  look(entry) {
    this.entry = entry;
    this.wasMoved = false;
    this.at = entry?.answer?.series?.telling[0] ?? 0;
    this.tell("selection");
  }

  /** Look at the slice of that place in the entry; places outside are brought back. */
  move(at) {
    const last = (this.entry?.slices.length ?? 1) - 1;
    this.at = Math.min(Math.max(at, 0), last);
    this.wasMoved = true;
    this.tell("selection");
  }

  /** Decide at another operating point. */
  choosePoint(name) {
    this.point = this.config.operating_points.find((point) => point.name === name);
    this.tell("setting");
  }

  /** Ask what answers are worth at a prevalence in (0, 1). */
  choosePrevalence(prevalence) {
    this.prevalence = prevalence;
    this.tell("setting");
  }

  /** The slice that is looked at, or null. */
  get slice() {
    return this.entry?.slices[this.at] ?? null;
  }

  /** Where the slice that is looked at lies in its entry: { place, count }, of all slices, read or not yet. */
  get position() {
    const { sliceIndex, sliceCount } = this.slice ?? {};
    const isPart = sliceIndex != null && sliceCount != null;
    return isPart ? { place: sliceIndex, count: sliceCount } : { place: this.at, count: this.entry?.slices.length ?? 0 };
  }

  /** The operating point that decides for an answer. */
  pointFor(answer) {
    return pointFor(answer, this.point, this.config);
  }

  /** positive, negative, indeterminate, refused, error; null where an entry is still being read. */
  verdict(answer) {
    if (!answer) return null;
    return answer.status === "ok" ? toDecision(answer.probability, this.pointFor(answer)) : answer.status;
  }

  /** All answers in order, a series after its slices, each with the slices that it is about. */
  get answers() {
    return this.entries.flatMap(({ answer, slices }) =>
      answer?.kind === "slice" ? [[answer, slices]] : [...slices.map((one) => [one, []]), ...(answer ? [[answer, slices]] : [])]);
  }

  tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
