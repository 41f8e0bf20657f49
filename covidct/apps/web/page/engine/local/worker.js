// The model beside the page: a worker that reads, answers and shows slices, so that the page never waits.
// Calls come as { id, method, given }; each is answered by { id, result } or { id, fault }, with events between.

import { fetchConfig, fetchModel } from "./assets.js";
import { listItems } from "./files.js";
import { Graph } from "./graph.js";
import { answerItem } from "./reader.js";
import { answerRefused, answerSeries, noteRefused, readStudy } from "./series/series.js";
import { readSlice } from "./images/read.js";
import { findNext } from "./series/selection.js";
import { WINDOWS, toDisplay } from "../../rules/window.js";

const KEPT = 12; // slices kept decoded, for scrolling

const state = { config: null, graph: null, items: [], shown: new Map(), running: null };

const METHODS = { open, load, predict, cancel, show, measure, forget };

self.onmessage = async ({ data: { id, method, given } }) => {
  try {
    const result = await METHODS[method](given, (event) => self.postMessage({ id, event }));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, fault: String(error?.message ?? error) });
  }
};

/** The configuration of the model. */
async function open() {
  state.config = await fetchConfig();
  return state.config;
}

/** Fetch and start the model, once. */
async function load(_, emit) {
  state.graph ??= start(emit).catch((error) => {
    state.graph = null; // so that it may be tried again
    throw error;
  });
  await state.graph;
}

async function start(emit) {
  const { graph, runtime } = await fetchModel(state.config, (share) => emit({ loaded: share }));
  return Graph.load(graph, runtime);
}

/**
 * Answer for all that was given; an event { answer, done, total } for each result, in the order of `covidct predict`:
 * slices on their own, each series after its slices, series that are refused. Stops where it is cancelled.
 */
async function predict({ given, point }, emit) {
  const run = { isCancelled: false };
  state.running = run;
  await state.graph;
  const { items, skipped } = await listItems(given);
  const study = await readStudy(items, (done) => emit({ sorted: done, total: items.length }), run);
  const total = [...study.series.map(({ stack }) => stack), study.loose].reduce((sum, { length }) => sum + length, 0);
  const progress = { done: 0, total, items: [] };
  for (const item of study.loose) {
    if (run.isCancelled) break;
    await answerOne(item, {}, progress, emit);
  }
  const left = [...study.refused];
  for (const series of study.series) {
    let answer = await answerStack(series, point, progress, emit, run);
    // Where the series that was chosen of a study gets no answer, the next of that study is read.
    for (let other; answer?.status === "refused" && (other = findNext(series, left));) {
      left.splice(left.indexOf(other), 1);
      answer = await answerStack(noteRefused(other, answer), point, progress, emit, run);
    }
  }
  if (!run.isCancelled) for (const series of left) push(answerRefused(series), null, progress, emit);
  return { skipped, isCancelled: run.isCancelled };
}

async function answerStack(series, point, progress, emit, run) {
  const slices = [];
  for (const [sliceIndex, item] of series.stack.entries()) {
    if (run.isCancelled) return null;
    // How the slices of a series lie is known, and they are turned by it.
    slices.push(await answerOne(item, { sliceIndex, seriesUid: series.uid, seemsTurned: false, positionMm: item.positionMm }, progress, emit));
  }
  const answer = answerSeries(series, slices, point, state.config);
  push(answer, null, progress, emit);
  return answer;
}

async function answerOne(item, about, progress, emit) {
  const answer = { ...(await answerItem(item, await state.graph, state.config)), ...about };
  progress.done += 1;
  push(answer, item, progress, emit);
  return answer;
}

function push(answer, item, { done, total, items }, emit) {
  items.push(item);
  if (state.items !== items) state.shown.clear(); // the run before: its pictures were there until now
  state.items = items;
  emit({ answer: { ...answer, n: state.items.length - 1 }, done, total });
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
