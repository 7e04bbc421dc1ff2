// How everyone gets from one step to the next: who stays, who grows or shrinks, whose children
// leave its place, and who goes where another is joined.

const STAYS = 0, GROWS = 1, EMERGES = 2, APPEARS = 3, DIVIDES = 4, JOINS = 5, DIES = 6;

function clamp(value) { return Math.min(1, Math.max(0, value)); }
function eased(share) { return share * share * (3 - 2 * share); }

class Transition {
  // To `step` from the one before it; step 0 only stands there.
  constructor(film, step) {
    this.film = film;
    this.step = step;
    this.from = film.stateAt(Math.max(0, step - 1));
    this.to = film.stateAt(step);
    this.happenings = film.happeningsAt(step);
    const { splats } = film, numbers = () => new Float32Array(splats);
    Object.assign(this, { x0: numbers(), y0: numbers(), r0: numbers(), x1: numbers(), y1: numbers(), r1: numbers() });
    Object.assign(this, { x: numbers(), y: numbers(), r: numbers(), alpha: numbers() });
    this.way = new Uint8Array(splats);
    this.seen = [];
    for (let splat = 0; splat < splats; splat++) this.plan(splat);
    // Documents lie under Sections, and Phrases above both.
    this.seen.sort((one, other) => film.level[one] - film.level[other] || this.r1[other] - this.r1[one]);
  }

  plan(splat) {
    const { from, to } = this, was = from.stands[splat], is = to.stands[splat];
    if (!was && !is) return;
    this.seen.push(splat);
    const start = was ? from : to, end = is ? to : from;
    this.x0[splat] = start.x[splat];
    this.y0[splat] = start.y[splat];
    this.x1[splat] = end.x[splat];
    this.y1[splat] = end.y[splat];
    this.r0[splat] = Math.sqrt(start.share[splat]);
    this.r1[splat] = Math.sqrt(end.share[splat]);
    if (!was) this.arrive(splat);
    else if (!is) this.leave(splat);
  }

  arrive(splat) {
    const origins = this.origins(splat);
    if (!origins.length) {
      this.way[splat] = GROWS;
      this.r0[splat] = 0;
      return;
    }
    this.way[splat] = this.film.madeBy[splat].kind === "merge" ? APPEARS : EMERGES;
    if (this.way[splat] === EMERGES) [this.x0[splat], this.y0[splat]] = middleOf(origins, this.from);
    else [this.x0[splat], this.y0[splat]] = [this.x1[splat], this.y1[splat]];
  }

  leave(splat) {
    const heirs = this.heirs(splat);
    if (!heirs.length) {
      this.way[splat] = DIES;
      this.r1[splat] = 0;
      return;
    }
    this.way[splat] = this.film.endedBy[splat].kind === "merge" ? JOINS : DIVIDES;
    if (this.way[splat] === JOINS) [this.x1[splat], this.y1[splat]] = middleOf(heirs, this.to);
  }

  // Splats of the step before that one came from; one made and taken again within the step
  // hands on those it came from itself.
  origins(splat) {
    if (this.from.stands[splat]) return [splat];
    const made = this.film.madeBy[splat];
    return made?.step === this.step ? made.before.flatMap((other) => this.origins(other)) : [];
  }

  heirs(splat) {
    if (this.to.stands[splat]) return [splat];
    const ended = this.film.endedBy[splat];
    return ended?.step === this.step ? ended.after.flatMap((other) => this.heirs(other)) : [];
  }

  // Everyone's place once `share` of the way is gone.
  moveTo(share) {
    this.share = share;
    for (const splat of this.seen) {
      const along = (start, end) => start[splat] + (end[splat] - start[splat]) * share;
      this.x[splat] = along(this.x0, this.x1);
      this.y[splat] = along(this.y0, this.y1);
      this.r[splat] = along(this.r0, this.r1);
      this.alpha[splat] = alphaOf(this.way[splat], share);
    }
  }

  parentOf(splat) { return (this.share < 0.5 && this.from.stands[splat] ? this.from : this.to).parent[splat]; }
}

function alphaOf(way, share) {
  if (way === STAYS) return 1;
  if (way === GROWS) return clamp(share * 2);
  if (way === EMERGES) return clamp(share * 4);
  if (way === APPEARS) return clamp((share - 0.6) / 0.4);
  if (way === DIVIDES) return clamp(1 - share / 0.4);
  if (way === JOINS) return clamp((1 - share) / 0.3);
  return clamp((1 - share) * 1.5);
}

function middleOf(splats, state) {
  const mean = (values) => splats.reduce((sum, splat) => sum + values[splat], 0) / splats.length;
  return [mean(state.x), mean(state.y)];
}
