// Work on many things, several at a time, with the results in order. Knows nothing of the work.

/** What `work(item)` gives for each item, in order, with at most `limit` under way; ends with the first that fails. */
export async function* inOrder(items, limit, work) {
  const ahead = [];
  for (const item of items) {
    const result = work(item);
    result.catch(() => null); // told when its turn comes, or not at all where nobody asks any more
    ahead.push(result);
    if (ahead.length >= limit) yield ahead.shift();
  }
  while (ahead.length) yield ahead.shift();
}
