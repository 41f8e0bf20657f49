// The model beside the page: a worker that reads, answers and shows slices, so that the page never waits.
// Calls come as { id, method, given }; each is answered by { id, result } or { id, fault }, with events between.

import { fetchConfig, fetchModel } from "./assets.js";
import { listItems } from "./files.js";
import { Graph } from "./graph.js";
import { answerItem } from "./reader.js";
import { answerSeries, orderItems } from "./series.js";
import { readSlice } from "./slice.js";
import { WINDOWS, toDisplay } from "../rules/window.js";

const KEPT = 12; // slices kept decoded, for scrolling

const state = { config: null, graph: null, items: [], shown: new Map(), running: null };

const METHODS = { open, load, predict, cancel, show };

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

/** Answer for all that was given; an event { answer, done, total } for each slice. Stops where it is cancelled. */
async function predict({ given, point }, emit) {
  const run = { isCancelled: false };
  state.running = run;
  const graph = await state.graph;
  const { items, skipped } = await listItems(given);
  const ordered = await orderItems(items, (done) => emit({ sorted: done, total: items.length }), run);
  state.items = [];
  state.shown.clear();
  let done = 0;
  for (const group of ordered) {
    const slices = [];
    for (const item of group.items) {
      if (run.isCancelled) return { skipped, isCancelled: true };
      const answer = { ...(await answerItem(item, graph, state.config)), ...group.about(slices.length, item) };
      slices.push(answer);
      done += 1;
      push(answer, item, emit, { done, total: items.length });
    }
    if (group.series) push(answerSeries(group, slices, point, state.config), null, emit, { done, total: items.length });
  }
  return { skipped, isCancelled: false };
}

function push(answer, item, emit, progress) {
  state.items.push(item);
  emit({ answer: { ...answer, n: state.items.length - 1 }, ...progress });
}

async function cancel() {
  if (state.running) state.running.isCancelled = true;
}

/** Slice `n` as { pixels, width, height } in a window of that name. */
async function show({ n, window }) {
  const slice = await readShown(n);
  const pixels = slice.hu ? toDisplay(slice.hu, WINDOWS[window]) : slice.pixels;
  return { pixels, width: slice.width, height: slice.height };
}

async function readShown(n) {
  if (!state.shown.has(n)) {
    state.shown.set(n, await readSlice(await state.items[n].read()));
    if (state.shown.size > KEPT) state.shown.delete(state.shown.keys().next().value);
  }
  return state.shown.get(n);
}
