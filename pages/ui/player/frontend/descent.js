// Who came from whom: a splat's line through divisions and merges, and what happened along it.

const MOST_KIN = 60;

// The splat, those it came from and those that came from it; the nearest where they are many.
function kinOf(film, splat) {
  const reach = (next) => {
    const found = new Set([splat]);
    for (const member of found) {
      for (const other of next(member)) {
        if (found.size > MOST_KIN) return { found, cut: true };
        found.add(other);
      }
    }
    return { found, cut: false };
  };
  const ancestors = reach((member) => film.madeBy[member]?.before ?? []);
  const descendants = reach((member) => film.endedBy[member]?.after ?? []);
  return {
    kin: new Set([...ancestors.found, ...descendants.found]),
    cut: ancestors.cut || descendants.cut,
  };
}

// What happened to them in order. Drifts of one splat, and attempts of one kind that were rolled
// back, come in long runs: one entry each, which tells the last of them.
function chronicleOf(film, kin) {
  const entries = [...kin].filter((splat) => !film.madeBy[splat])
    .map((splat) => ({ type: "start", splat, step: film.born[splat] }));
  const runs = new Map();
  const runKey = (splat, kind) => `${splat} ${kind}`;
  const close = (splat) => {
    for (const [key, run] of runs) {
      if (run.splat !== splat) continue;
      entries.push(run);
      runs.delete(key);
    }
  };
  for (const happening of film.happenings) {
    const touched = happening.before.filter((splat) => kin.has(splat));
    const isRun = !happening.accepted || happening.kind === "drift";
    if (isRun) {
      for (const splat of touched) {
        const key = runKey(splat, happening.accepted ? "drift" : happening.kind);
        const run = runs.get(key) ?? { type: "run", splat, times: 0, first: happening.step };
        runs.set(key, Object.assign(run, { times: run.times + 1, step: happening.step, happening }));
      }
    } else if (touched.length || happening.after.some((splat) => kin.has(splat))) {
      touched.forEach(close);
      entries.push({ type: "event", step: happening.step, happening });
    }
  }
  for (const splat of kin) {
    close(splat);
    if (film.died[splat] >= film.steps) entries.push({ type: "end", splat, step: film.steps - 1 });
  }
  return entries.sort((one, other) => one.step - other.step || orderOf(one) - orderOf(other));
}

function orderOf(entry) { return ["start", "run", "event", "end"].indexOf(entry.type); }
