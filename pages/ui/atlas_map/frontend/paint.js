// The map on a canvas: links, splats by colour, marks of the prompt, and what is pointed at.

const FILLED = [0.22, 0.4, 0.92], UNKNOWN_FILLED = 0.45, MARK = 2.1, LINES_AT_ONCE = 96;

class Painter {
  constructor(context, points, camera, theme, paint) {
    Object.assign(this, { context, points, camera, theme, paint });
    this.groups = groupsOf(points, paint);
  }

  // Zooming spreads splats faster than it enlarges them: crowds come apart.
  get grown() { return Math.min(2.6, Math.max(0.85, this.camera.zoom ** 0.4)) * this.points.fine; }

  radius(row) { return Math.max(1.6, RADII[this.points.level[row]] * this.grown); }

  at(row) { return [this.camera.toX(this.points.x[row]), this.camera.toY(this.points.y[row])]; }

  draw({ links, keys, queries, chosen, hovered }) {
    const { context, camera, theme } = this;
    context.globalAlpha = 1;
    context.fillStyle = theme.background;
    context.fillRect(0, 0, camera.width, camera.height);
    this.place();
    this.heads();
    if (links) this.allLinks();
    this.splats();
    if (keys) this.marks(0, theme.key, chosen);
    if (queries) this.marks(1, theme.query, chosen);
    for (const row of new Set([hovered, chosen])) if (row !== null) this.kin(row, row === chosen);
    if (hovered !== null && hovered !== chosen) this.ring(hovered, theme.text, 1.5);
    if (chosen !== null) this.ring(chosen, theme.primary, 2.5);
  }

  // Places in pixels, once a frame.
  place() {
    const { points, camera } = this, { count } = points, scale = camera.scale;
    const left = camera.toX(0), top = camera.toY(0);
    this.px ??= new Float32Array(count);
    this.py ??= new Float32Array(count);
    for (let row = 0; row < count; row++) {
      this.px[row] = left + points.x[row] * scale;
      this.py[row] = top - points.y[row] * scale;
    }
  }

  isSeen(row, radius) {
    const x = this.px[row], y = this.py[row];
    return x > -radius && y > -radius && x < this.camera.width + radius && y < this.camera.height + radius;
  }

  // The names of several heads, above each.
  heads() {
    const { points, context, theme } = this, { heads } = points.header;
    if (heads.length < 2) return;
    const left = new Array(heads.length).fill(Infinity), right = new Array(heads.length).fill(-Infinity);
    const top = new Array(heads.length).fill(Infinity);
    for (let row = 0; row < points.count; row++) {
      const head = points.arrays.head[row];
      left[head] = Math.min(left[head], this.px[row]);
      right[head] = Math.max(right[head], this.px[row]);
      top[head] = Math.min(top[head], this.py[row]);
    }
    // Laid over one another, names would be too.
    const middle = left.map((x, head) => (x + right[head]) / 2);
    const isNear = (a, b) => Math.abs(middle[a] - middle[b]) < 60 && Math.abs(top[a] - top[b]) < 40;
    if (middle.some((_, a) => middle.some((_, b) => a < b && isNear(a, b)))) return;
    context.font = `600 12px ${theme.font}`;
    context.textAlign = "center";
    context.fillStyle = theme.muted;
    heads.forEach((name, head) => context.fillText(labelText(name), middle[head], Math.max(14, top[head] - 12)));
  }

  allLinks() {
    const { points, context, theme } = this;
    context.strokeStyle = theme.text;
    context.lineWidth = 1;
    context.globalAlpha = theme.dark ? 0.16 : 0.11;
    let lines = 0;
    context.beginPath();
    for (let row = 0; row < points.count; row++) {
      const parent = points.parent[row];
      if (parent < 0 || !points.standsOut[row] || !(this.isSeen(row, 0) || this.isSeen(parent, 0))) continue;
      context.moveTo(this.px[row], this.py[row]);
      context.lineTo(this.px[parent], this.py[parent]);
      // Many short paths are drawn faster than one long one.
      if (++lines % LINES_AT_ONCE) continue;
      context.stroke();
      context.beginPath();
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  splats() {
    const { context, points, paint, theme } = this, grown = this.grown;
    this.dimmed();
    for (const { level, number, rows } of this.groups) {
      const radius = Math.max(1.6, RADII[level] * grown);
      context.fillStyle = paint.colours[number];
      let some = false;
      context.beginPath();
      for (const row of rows) {
        if (!points.standsOut[row] || !this.isSeen(row, radius * 1.3)) continue;
        shapePath(context, level, this.px[row], this.py[row], radius);
        some = true;
      }
      if (!some) continue;
      // Edges of a crowd lie below it, or they would wipe it out.
      if (level === 2 && radius >= 3) this.edge(theme.background, 1.6);
      context.globalAlpha = FILLED[level] * (number === paint.unknown ? UNKNOWN_FILLED : 1);
      context.fill();
      if (level < 2) this.edge(paint.colours[number], 1.6);
    }
    context.globalAlpha = 1;
  }

  edge(colour, width) {
    this.context.globalAlpha = 1;
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.stroke();
  }

  dimmed() {
    const { context, points, theme } = this;
    context.fillStyle = theme.unknown;
    context.globalAlpha = 0.35;
    for (let row = 0; row < points.count; row++) {
      if (!points.standsOut[row] && this.isSeen(row, 2)) context.fillRect(this.px[row] - 1.2, this.py[row] - 1.2, 2.4, 2.4);
    }
    context.globalAlpha = 1;
  }

  // Keys are plus signs, queries crosses; those of the chosen splat stand out.
  marks(isQuery, colour, chosen) {
    const { context, points, camera } = this, { marks } = points;
    if (!marks) return;
    context.strokeStyle = colour;
    for (const isOwn of chosen === null || isQuery ? [false] : [false, true]) {
      context.globalAlpha = isOwn ? 1 : chosen === null || isQuery ? 0.75 : 0.3;
      context.lineWidth = isOwn ? 2 : 1.1;
      const reach = isOwn ? MARK * 1.6 : MARK;
      context.beginPath();
      for (let at = 0; at < marks.count; at++) {
        if (marks.isQuery[at] !== isQuery || Number.isNaN(marks.x[at])) continue;
        if (chosen !== null && !isQuery && points.isBelow(marks.splat[at], chosen) !== isOwn) continue;
        const x = camera.toX(marks.x[at]), y = camera.toY(marks.y[at]);
        if (x < 0 || y < 0 || x > camera.width || y > camera.height) continue;
        const slant = isQuery ? reach * 0.75 : 0;
        context.moveTo(x - (isQuery ? slant : reach), y - slant);
        context.lineTo(x + (isQuery ? slant : reach), y + slant);
        context.moveTo(x + slant, y - (isQuery ? slant : reach));
        context.lineTo(x - slant, y + (isQuery ? slant : reach));
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // To the parents above and the children below.
  kin(row, isChosen) {
    const { context, points, theme } = this;
    context.strokeStyle = isChosen ? theme.primary : theme.text;
    context.globalAlpha = isChosen ? 0.8 : 0.6;
    context.lineWidth = 1.4;
    context.beginPath();
    const line = (from, to) => {
      context.moveTo(this.px[from], this.py[from]);
      context.lineTo(this.px[to], this.py[to]);
    };
    for (let at = row; points.parent[at] >= 0; at = points.parent[at]) line(at, points.parent[at]);
    for (const child of points.children[row]) line(row, child);
    context.stroke();
    context.globalAlpha = 1;
  }

  ring(row, colour, width) {
    const { context, points, theme } = this;
    context.beginPath();
    shapePath(context, points.level[row], this.px[row], this.py[row], this.radius(row) + 3);
    context.strokeStyle = theme.background;
    context.lineWidth = width + 3;
    context.stroke();
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

// Rows of one level and colour, which are filled together. Coarse levels lie above and are seen
// through; what is unknown lies below all else of its level.
function groupsOf(points, paint) {
  const groups = new Map();
  for (let row = 0; row < points.count; row++) {
    const level = points.level[row], number = paint.of[row];
    const name = (2 - level) * 256 + (number === paint.unknown ? -1 : number);
    if (!groups.has(name)) groups.set(name, { level, number, rows: [] });
    groups.get(name).rows.push(row);
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
}

// A square, a diamond or a disc of one area, added to the path.
function shapePath(context, level, x, y, radius) {
  if (level === 0) {
    const half = radius * 0.89;
    return context.rect(x - half, y - half, 2 * half, 2 * half);
  }
  if (level === 2) {
    context.moveTo(x + radius, y);
    return context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  const reach = radius * 1.25;
  context.moveTo(x, y - reach);
  context.lineTo(x + reach, y);
  context.lineTo(x, y + reach);
  context.lineTo(x - reach, y);
  context.closePath();
}
