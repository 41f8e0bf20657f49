// In which order the slices of a series are read, so that those read so far are spread evenly over all of it.

/** The places 0 to `length - 1`: the middle first, then the middles of what lies between, and so on; the ends last. */
export function spread(length) {
  const places = [];
  for (let parts = 2; places.length < length; parts *= 2) {
    for (let odd = 1; odd < parts; odd += 2) places.push(Math.floor((odd * length) / parts));
  }
  return [...new Set(places)];
}
