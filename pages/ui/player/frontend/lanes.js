// A line of descent as lanes, one for each splat that stands at a time: where the lines of each
// entry run. A line goes from `from` above the entry's middle to `to` below it.

function lanesOf(entries, kin) {
  const lanes = [], rows = [];
  const laneOf = (splat) => lanes.indexOf(splat);
  const take = (splat) => {
    const free = lanes.indexOf(null);
    const lane = free < 0 ? lanes.length : free;
    lanes[lane] = splat;
    return lane;
  };
  for (const entry of entries) {
    const standing = lanes.map((splat, lane) => ({ splat, lane })).filter(({ splat }) => splat !== null);
    const { before, after } = endsOf(entry, kin);
    const from = before.filter((splat) => laneOf(splat) >= 0);
    const row = { entry, above: [], below: [], through: [] };
    row.above = from.map((splat) => ({ splat, lane: laneOf(splat) }));
    row.through = standing.filter(({ splat }) => !from.includes(splat));
    for (const splat of from) lanes[laneOf(splat)] = null;
    // The first to follow keeps the lane, so that an unbroken line stays straight.
    const first = row.above[0]?.lane;
    row.below = after.map((splat, at) => {
      if (at === 0 && first !== undefined) { lanes[first] = splat; return { splat, lane: first }; }
      return { splat, lane: take(splat) };
    });
    row.node = first ?? row.below[0]?.lane ?? 0;
    rows.push(row);
  }
  return { rows, width: Math.max(1, lanes.length) };
}

function endsOf(entry, kin) {
  if (entry.type === "start") return { before: [], after: [entry.splat] };
  if (entry.type === "run") return { before: [entry.splat], after: [entry.splat] };
  if (entry.type === "end") return { before: [entry.splat], after: [] };
  const ours = (splats) => splats.filter((splat) => kin.has(splat));
  return { before: ours(entry.happening.before), after: ours(entry.happening.after) };
}
