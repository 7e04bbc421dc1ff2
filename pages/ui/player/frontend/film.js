// The recording: who stood where at every step, and what happened.

class Film {
  constructor({ header, arrays }) {
    this.digest = header.digest;
    this.title = header.title;
    this.names = header.steps;
    this.steps = header.steps.length;
    this.ids = header.splat_id;
    this.splats = this.ids.length;
    this.ranges = header.ranges;
    Object.assign(this, { level: arrays.level, born: arrays.born, died: arrays.died });
    this.numberOf = new Map(this.ids.map((id, number) => [id, number]));
    this.readFrames(header, arrays);
    this.readHappenings(header, arrays);
    this.curves = header.curves.map((curve, at) =>
      ({ ...curve, values: arrays.curves.subarray(at * this.steps, (at + 1) * this.steps) }));
    this.states = new Map();
  }

  readFrames({ ranges }, arrays) {
    this.frameStep = arrays.frame_step;
    this.frameParent = arrays.frame_parent;
    this.frameX = placesOf(arrays.frame_x, ranges.x);
    this.frameY = placesOf(arrays.frame_y, ranges.y);
    this.frameShare = sharesOf(arrays.frame_share, ranges.log_share);
    this.firstFrame = startsOf(arrays.frame_splat, this.splats);
  }

  readHappenings(header, arrays) {
    const named = (name, at) =>
      [...arrays[name].subarray(arrays[`${name}_start`][at], arrays[`${name}_start`][at + 1])];
    this.happenings = Array.from(arrays.event_step, (step, at) => ({
      number: at,
      step,
      kind: header.kinds[arrays.event_kind[at]],
      level: arrays.event_level[at],
      before: named("before", at),
      after: named("after", at),
      accepted: arrays.accepted[at] === 1,
      evidence: arrays.evidence[at],
      threshold: arrays.threshold[at],
      errorBefore: arrays.error_before[at],
      errorAfter: arrays.error_after[at],
    }));
    this.firstHappening = startsOf(arrays.event_step, this.steps);
    // The event that put a splat there, and the one that took it away; by splat.
    this.madeBy = new Array(this.splats).fill(null);
    this.endedBy = new Array(this.splats).fill(null);
    for (const happening of this.happenings) {
      if (!happening.accepted || happening.kind === "drift") continue;
      const { before, after } = happening;
      for (const splat of after) if (!before.includes(splat)) this.madeBy[splat] = happening;
      for (const splat of before) if (!after.includes(splat)) this.endedBy[splat] = happening;
    }
  }

  stands(splat, step) { return this.born[splat] <= step && step < this.died[splat]; }

  happeningsAt(step) {
    return this.happenings.slice(this.firstHappening[step], this.firstHappening[step + 1]);
  }

  // The last keyframe of a splat that is not after the step.
  frameOf(splat, step) {
    let low = this.firstFrame[splat], high = this.firstFrame[splat + 1] - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.frameStep[middle] <= step) low = middle; else high = middle - 1;
    }
    return low;
  }

  // Everyone's place at a step. A few are kept: a film needs two at a time.
  stateAt(step) {
    const kept = this.states.get(step);
    if (kept) return kept;
    const state = {
      x: new Float32Array(this.splats),
      y: new Float32Array(this.splats),
      share: new Float32Array(this.splats),
      parent: new Int32Array(this.splats).fill(-1),
      stands: new Uint8Array(this.splats),
    };
    for (let splat = 0; splat < this.splats; splat++) {
      const frame = this.frameOf(splat, step);
      state.x[splat] = this.frameX[frame];
      state.y[splat] = this.frameY[frame];
      state.share[splat] = this.frameShare[frame];
      state.parent[splat] = this.frameParent[frame];
      state.stands[splat] = this.stands(splat, step) ? 1 : 0;
    }
    if (this.states.size >= 8) this.states.delete(this.states.keys().next().value);
    this.states.set(step, state);
    return state;
  }
}

// Where each number's run begins in a sorted array; one more entry than there are numbers.
function startsOf(sorted, numbers) {
  const starts = new Int32Array(numbers + 1);
  for (const number of sorted) starts[number + 1]++;
  for (let at = 0; at < numbers; at++) starts[at + 1] += starts[at];
  return starts;
}
