// The model beside the page: a worker that sorts what is given, has the pool answer and shows slices, so that neither
// the page nor a person who looks at slices waits for the model.

import { fetchConfig, fetchModel } from "./assets.js";
import { answerCalls } from "./calls.js";
import { listItems } from "./files.js";
import { inOrder } from "./in_order.js";
import { Pool } from "./pool.js";
import { orRefusal } from "./reader.js";
import { answerRefused, answerSeries, foresee, noteRefused, readStudy } from "./series/series.js";
import { readSlice } from "./images/read.js";
import { findNext } from "./series/selection.js";
import { spread } from "../../rules/spread.js";
import { WINDOWS, toDisplay } from "../../rules/window.js";

const KEPT = 12; // slices kept decoded, for scrolling

const state = { config: null, pool: null, tell: () => {}, items: [], shown: new Map(), running: null };

answerCalls({ open, prepare, predict, cancel, show, measure, forget });

/** The configuration of the model. */
async function open() {
  state.config = await fetchConfig();
  return state.config;
}

/** Fetch and start the model while a person still chooses files; what goes wrong is told when they are read. */
async function prepare() {
  load(() => {}).catch(() => null);
}

/** The pool, whose model is fetched and started once; an event { loaded } while it is, a share in [0, 1]. */
function load(emit) {
  state.tell = emit; // whoever asked last
  state.pool ??= start().catch((error) => {
    state.pool = null; // so that it may be tried again
    throw error;
  });
  return state.pool;
}

async function start() {
  const model = await fetchModel(state.config, (share) => state.tell({ loaded: share }));
  return Pool.start({ config: state.config, ...model });
}

/**
 * Answer for all that was given; an event { answer, done, total, outlook } for each result: slices on their own, each
 * series after its slices, series that are refused. Slices of a series come spread over it, each with what those so far
 * say of the series (see `foresee`). Stops where it is cancelled.
 */
async function predict({ given, point }, emit) {
  const run = { isCancelled: false, isLoaded: false };
  state.running = run;
  const [{ study, skipped }] = await Promise.all([sort(given, emit, run), awaitModel(emit, run)]);
  const total = [...study.series.map(({ stack }) => stack), study.loose].reduce((sum, { length }) => sum + length, 0);
  const progress = { done: 0, total, items: [] };
  await answerAll(study.loose, { order: [...study.loose.keys()] }, progress, emit, run);
  const left = [...study.refused];
  for (const series of study.series) {
    let answer = await answerStack(series, point, progress, emit, run);
    // Where the series that was chosen of a study gets no answer, the next of that study is read.
    for (let other; answer?.status === "refused" && (other = findNext(series, left));) {
      left.splice(left.indexOf(other), 1);
      answer = await answerStack(noteRefused(other, answer), point, progress, emit, run);
    }
  }
  if (!run.isCancelled) for (const series of left) push({ answer: answerRefused(series) }, progress, emit);
  return { skipped, isCancelled: run.isCancelled };
}

/** Which files may be slices, and of which series; an event { sorted, total } for each once the model is there. */
async function sort(given, emit, run) {
  const { items, skipped } = await listItems(given);
  load(emit).then((pool) => pool.expect(items.length), () => null); // what goes wrong is told by awaitModel
  const study = await readStudy(items, (sorted) => run.isLoaded && emit({ sorted, total: items.length }), run);
  return { study, skipped };
}

async function awaitModel(emit, run) {
  try {
    await load(emit);
    run.isLoaded = true;
  } catch (error) {
    run.isCancelled = true; // nothing is sorted for a model that is not there
    throw error;
  }
}

async function answerStack(series, point, progress, emit, run) {
  const { stack } = series;
  // How the slices of a series lie is known, and they are turned by it.
  const toAbout = (sliceIndex) => ({
    sliceIndex, sliceCount: stack.length, seriesUid: series.uid, seemsTurned: false, positionMm: stack[sliceIndex].positionMm,
  });
  const toOutlook = (slices) => foresee(series, slices, point, state.config);
  const slices = await answerAll(stack, { order: spread(stack.length), toAbout, toOutlook }, progress, emit, run);
  if (run.isCancelled) return null;
  const answer = answerSeries(series, slices, point, state.config);
  push({ answer }, progress, emit);
  return answer;
}

/**
 * Answers for items, in their places; told in `order` while later ones are under way, each with what `toOutlook` makes of
 * those so far. Only those that are there where it is cancelled.
 */
async function answerAll(items, { order, toAbout = () => ({}), toOutlook = () => null }, progress, emit, run) {
  const pool = await state.pool;
  const wanted = run.isCancelled ? [] : order;
  const first = progress.items.length;
  const answers = new Map();
  for await (const found of inOrder(wanted, pool.limit, (at) => answerOne(items[at], pool))) {
    if (run.isCancelled) break;
    const at = order[answers.size];
    const answer = { ...found, ...toAbout(at) };
    answers.set(at, answer);
    progress.done += 1;
    push({ answer, item: items[at], n: first + at, outlook: toOutlook(inPlace(answers)) }, progress, emit);
  }
  return inPlace(answers);
}

const inPlace = (answers) => [...answers.keys()].sort((one, other) => one - other).map((at) => answers.get(at));

function answerOne(item, pool) {
  return orRefusal(item.path, async () => {
    if (item.error) throw item.error;
    return pool.answer(await item.read(), { path: item.path, turn: item.turn });
  });
}

/** Tell an answer, number `n` of all: by that its picture is asked for. */
function push({ answer, item = null, n, outlook = null }, { done, total, items }, emit) {
  const number = n ?? items.length;
  items[number] = item;
  if (state.items !== items) state.shown.clear(); // the run before: its pictures were there until now
  state.items = items;
  emit({ answer: { ...answer, n: number }, done, total, outlook });
}

async function cancel() {
  if (state.running) state.running.isCancelled = true;
}

async function forget() {
  state.items = [];
  state.shown.clear();
}

/** Slice `n` as { pixels, width, height, geometry } in a window of that name. */
async function show({ n, window }) {
  const slice = await readShown(n);
  const pixels = slice.hu ? toDisplay(slice.hu, WINDOWS[window]) : slice.pixels;
  return { pixels, ...toFrame(slice) };
}

/** The Hounsfield units of slice `n`: { hu, width, height, geometry }. */
async function measure({ n }) {
  const slice = await readShown(n);
  return { hu: Float32Array.from(slice.hu), ...toFrame(slice) };
}

/** How large a slice is, and how it lies; null where the file does not say. */
function toFrame({ width, height, spacing, side }) {
  return { width, height, geometry: { spacing: spacing ?? null, turn: side ?? null } };
}

async function readShown(n) {
  if (!state.shown.has(n)) {
    state.shown.set(n, await readSlice(await state.items[n].read()));
    if (state.shown.size > KEPT) state.shown.delete(state.shown.keys().next().value);
  }
  return state.shown.get(n);
}
