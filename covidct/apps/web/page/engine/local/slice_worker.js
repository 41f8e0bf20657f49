// A worker of the pool: starts the graph, then answers for slices, one after the other.

import { answerCalls } from "./calls.js";
import { Graph } from "./graph.js";
import { answerBytes } from "./reader.js";

const state = { graph: null, config: null, last: Promise.resolve() };

answerCalls({ start, answer });

async function start({ config, graph, runtime }) {
  state.graph = await Graph.load(graph, runtime);
  state.config = config;
}

/** What is said of a slice; a graph runs one at a time. */
function answer({ bytes, about }) {
  const result = state.last.then(() => answerBytes(bytes, about, state.graph, state.config));
  state.last = result.catch(() => null);
  return result;
}
