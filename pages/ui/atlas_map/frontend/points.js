// The splats: where they stand, where they are going, whose child each is.

const MOVING_MS = 750, RADII = [11, 7.5, 4.2], CROWD = 1200;

class Points {
  constructor(header, arrays) {
    Object.assign(this, { header, arrays });
    this.count = arrays.level.length;
    this.level = arrays.level;
    this.parent = arrays.parent;
    this.ids = arrays.splat_id;
    this.x = Float32Array.from(arrays.x);
    this.y = Float32Array.from(arrays.y);
    this.children = Array.from({ length: this.count }, () => []);
    this.parent.forEach((parent, row) => { if (parent >= 0) this.children[parent].push(row); });
    this.marks = arrays.mark_x ? marksOf(arrays) : null;
    this.standsOut = new Uint8Array(this.count).fill(1);
    // A crowd is drawn finer, or nobody could be told from another.
    this.fine = Math.min(1, Math.sqrt(CROWD / this.count) * 1.15);
    this.began = null;
  }

  // Begin where another layout of the same splats stands now.
  comeFrom(other) {
    this.startX = Float32Array.from(other.x);
    this.startY = Float32Array.from(other.y);
    this.markStart = this.marks && other.marks?.count === this.marks.count
      ? { x: Float32Array.from(other.marks.x), y: Float32Array.from(other.marks.y) } : null;
    if (this.startX.every((x, row) => x === this.x[row]) && this.startY.every((y, row) => y === this.y[row])) return;
    this.began = performance.now();
    this.move(this.began);
  }

  get isMoving() { return this.began !== null; }

  move(now) {
    const share = Math.min(1, (now - this.began) / MOVING_MS), eased = share * share * (3 - 2 * share);
    const between = (start, end, at) => start[at] + (end[at] - start[at]) * eased;
    for (let row = 0; row < this.count; row++) {
      this.x[row] = between(this.startX, this.arrays.x, row);
      this.y[row] = between(this.startY, this.arrays.y, row);
    }
    if (this.markStart) {
      for (let at = 0; at < this.marks.count; at++) {
        this.marks.x[at] = between(this.markStart.x, this.arrays.mark_x, at);
        this.marks.y[at] = between(this.markStart.y, this.arrays.mark_y, at);
      }
    }
    if (share === 1) this.began = null;
  }

  // Where everything will stand, for the camera.
  ranges() {
    const range = (values) => {
      let least = Infinity, most = -Infinity;
      for (const value of values) {
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      return most > least ? [least, most] : [least - 1, most + 1];
    };
    return { x: range(this.arrays.x), y: range(this.arrays.y) };
  }

  dim(bits) {
    const bytes = bits === null || bits === undefined ? null : Uint8Array.from(atob(bits), (c) => c.charCodeAt(0));
    for (let row = 0; row < this.count; row++) this.standsOut[row] = bytes ? (bytes[row >> 3] >> (row & 7)) & 1 : 1;
  }

  // Itself, its parents up to the Document, and all below it.
  kinOf(row) {
    const kin = new Set([row]);
    for (let above = this.parent[row]; above >= 0; above = this.parent[above]) kin.add(above);
    const below = [...this.children[row]];
    while (below.length) {
      const child = below.pop();
      kin.add(child);
      below.push(...this.children[child]);
    }
    return kin;
  }

  isBelow(row, top) {
    for (let at = row; at >= 0; at = this.parent[at]) if (at === top) return true;
    return false;
  }
}

function marksOf(arrays) {
  return {
    count: arrays.mark_x.length, x: Float32Array.from(arrays.mark_x), y: Float32Array.from(arrays.mark_y),
    splat: arrays.mark_splat, head: arrays.mark_head, token: arrays.mark_token, isQuery: arrays.mark_is_query,
  };
}
