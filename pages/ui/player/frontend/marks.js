// What a step's events look like on the map: links and tails under the splats, rings above.

const MOST_NAMED = 10;

class Marks {
  constructor(painter) {
    this.painter = painter;
    this.context = painter.context;
  }

  under(transition, strength) {
    if (strength <= 0) return;
    this.begin(transition, strength);
    for (const happening of transition.happenings) {
      if (!happening.accepted) continue;
      this.colour(happening);
      if (happening.kind === "drift") this.tails(happening);
      else if (happening.kind === "mitosis") this.division(happening);
      else if (happening.kind === "merge") this.joining(happening);
    }
    this.end();
  }

  over(transition, strength) {
    if (strength <= 0) return;
    this.begin(transition, strength);
    for (const happening of transition.happenings) {
      this.colour(happening);
      if (!happening.accepted) this.rolledBack(happening);
      else if (happening.kind === "birth") this.birth(happening);
      else if (happening.kind === "mitosis") this.rings(happening.after);
      else if (happening.kind === "merge") this.diamonds(happening.after);
      else if (happening.kind === "death") this.crosses(happening.before);
    }
    this.names(strength);
    this.end();
  }

  begin(transition, strength) {
    this.transition = transition;
    this.strength = strength;
    this.context.lineWidth = 2;
    this.context.globalAlpha = strength;
  }

  end() {
    this.context.setLineDash([]);
    this.context.globalAlpha = 1;
  }

  colour({ kind }) {
    this.context.strokeStyle = this.context.fillStyle = this.painter.theme.colourOf(kind);
  }

  // Where it stood before this step, and where it is now.
  was(splat) {
    const { camera } = this.painter, { x0, y0 } = this.transition;
    return [camera.toX(x0[splat]), camera.toY(y0[splat])];
  }

  is(splat) {
    const { camera } = this.painter, { x, y } = this.transition;
    return [camera.toX(x[splat]), camera.toY(y[splat])];
  }

  radius(splat) { return this.painter.radius(this.transition.r[splat]); }

  // One made and taken again within the step stood nowhere.
  stood(splats) { return splats.filter((splat) => this.transition.from.stands[splat]); }
  stands(splats) { return splats.filter((splat) => this.transition.to.stands[splat]); }

  isDrawn(splat) { return this.transition.alpha[splat] > 0.02; }

  tails({ before, after }) {
    this.context.globalAlpha = 0.8 * this.strength;
    this.context.lineWidth = 1.5;
    this.context.beginPath();
    for (const splat of after.length ? after : before) {
      if (!this.isDrawn(splat)) continue;
      this.context.moveTo(...this.was(splat));
      this.context.lineTo(...this.is(splat));
    }
    this.context.stroke();
    this.begin(this.transition, this.strength);
  }

  // From the parent's place, which stays marked, to each child.
  division({ before, after }) {
    for (const parent of this.stood(before)) {
      const from = this.was(parent);
      this.context.setLineDash([2, 3]);
      this.context.beginPath();
      this.context.arc(...from, this.painter.radius(this.transition.r0[parent]), 0, 2 * Math.PI);
      this.context.stroke();
      this.context.setLineDash([]);
      for (const child of after) if (this.isDrawn(child)) this.arrow(from, this.is(child), this.radius(child) + 2);
    }
  }

  joining({ before, after }) {
    for (const whole of this.stands(after)) {
      const { camera } = this.painter, { x1, y1, r1 } = this.transition;
      const to = [camera.toX(x1[whole]), camera.toY(y1[whole])];
      for (const part of this.stood(before)) this.arrow(this.was(part), to, this.painter.radius(r1[whole]) + 5);
    }
  }

  arrow([x, y], [toX, toY], short) {
    const length = Math.hypot(toX - x, toY - y), { context } = this;
    if (length < short + 4) return;
    const [ux, uy] = [(toX - x) / length, (toY - y) / length];
    const [tipX, tipY] = [toX - ux * short, toY - uy * short];
    const head = Math.min(7, length - short);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(tipX, tipY);
    context.moveTo(tipX - head * (ux + 0.6 * uy), tipY - head * (uy - 0.6 * ux));
    context.lineTo(tipX, tipY);
    context.lineTo(tipX - head * (ux - 0.6 * uy), tipY - head * (uy + 0.6 * ux));
    context.stroke();
  }

  // A ring that closes in on the newborn, with a plus beside it.
  birth({ after }) {
    const { context } = this;
    for (const splat of after) {
      if (!this.isDrawn(splat)) continue;
      const [x, y] = this.is(splat), radius = this.radius(splat) + 4 + 22 * (1 - this.transition.share);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      const [px, py] = [x + radius * 0.71 + 5, y - radius * 0.71 - 5];
      context.moveTo(px - 4, py);
      context.lineTo(px + 4, py);
      context.moveTo(px, py - 4);
      context.lineTo(px, py + 4);
      context.stroke();
    }
  }

  rings(splats) {
    for (const splat of splats) {
      if (!this.isDrawn(splat)) continue;
      this.context.beginPath();
      this.context.arc(...this.is(splat), this.radius(splat) + 2, 0, 2 * Math.PI);
      this.context.stroke();
    }
  }

  diamonds(splats) {
    for (const splat of splats) {
      if (!this.isDrawn(splat)) continue;
      shapePath(this.context, 1, ...this.is(splat), this.radius(splat) + 3);
      this.context.stroke();
    }
  }

  crosses(splats) {
    const { context } = this, grown = clamp(this.transition.share * 2);
    context.lineWidth = 2.5;
    for (const splat of this.stood(splats)) {
      const [x, y] = this.was(splat), reach = 6 * grown;
      context.beginPath();
      context.moveTo(x - reach, y - reach);
      context.lineTo(x + reach, y + reach);
      context.moveTo(x + reach, y - reach);
      context.lineTo(x - reach, y + reach);
      context.stroke();
    }
    context.lineWidth = 2;
  }

  rolledBack({ before }) {
    const { context } = this;
    context.setLineDash([1.5, 3.5]);
    context.lineWidth = 1.5;
    // Of an event of many splats the rings would say nothing.
    for (const splat of before.length > 8 ? [] : before) {
      if (!this.isDrawn(splat)) continue;
      context.beginPath();
      context.arc(...this.is(splat), this.radius(splat) + 5, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setLineDash([]);
    context.lineWidth = 2;
  }

  // Who came, while they are few enough to be read.
  names(strength) {
    const named = this.transition.happenings.filter(({ accepted, kind }) => accepted && kind !== "drift");
    const shown = clamp((this.transition.share - 0.6) / 0.4) * strength;
    if (named.length > MOST_NAMED || shown <= 0) return;
    this.context.globalAlpha = shown;
    for (const { kind, before, after } of named) {
      const colour = this.painter.theme.colourOf(kind);
      for (const splat of kind === "death" ? this.stood(before) : after) {
        const [x, y] = kind === "death" ? this.was(splat) : this.is(splat);
        if (kind !== "death" && !this.isDrawn(splat)) continue;
        const above = kind === "death" ? 9 : this.radius(splat) + 9;
        this.painter.name(`#${this.painter.film.ids[splat]}`, x, y - above, colour);
      }
    }
  }
}
