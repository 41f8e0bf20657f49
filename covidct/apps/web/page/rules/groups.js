// Things that are alike, together. (Map.groupBy would do, where browsers are new enough to have it.)

/** Map of what `toKey` gives for items -> those items, both in the order in which they come. */
export function groupBy(items, toKey) {
  const groups = new Map();
  for (const item of items) {
    const key = toKey(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}
