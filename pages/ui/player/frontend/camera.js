// Where the map's places lie on the canvas. Both axes have one scale: distances compare.

const MAP_EDGE = 30, MOST_ZOOM = 40;

class Camera {
  constructor(ranges) {
    [this.left, this.right] = ranges.x;
    [this.bottom, this.top] = ranges.y;
    this.width = this.height = 1;
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.x = (this.left + this.right) / 2;
    this.y = (this.bottom + this.top) / 2;
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  get isWhole() { return this.zoom <= 1.0001; }

  get scale() {
    const across = (this.width - 2 * MAP_EDGE) / (this.right - this.left || 1);
    const down = (this.height - 2 * MAP_EDGE) / (this.top - this.bottom || 1);
    return this.zoom * Math.max(1e-6, Math.min(across, down));
  }

  toX(x) { return this.width / 2 + (x - this.x) * this.scale; }
  toY(y) { return this.height / 2 - (y - this.y) * this.scale; }

  // Enlarge so that the place under the point stays under it.
  zoomBy(factor, point) {
    const before = this.scale;
    const x = this.x + (point.x - this.width / 2) / before, y = this.y - (point.y - this.height / 2) / before;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.x = x - (point.x - this.width / 2) / this.scale;
    this.y = y + (point.y - this.height / 2) / this.scale;
    this.hold();
  }

  move(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.hold();
  }

  // The middle stays on the map; a whole map stays in the middle.
  hold() {
    if (this.isWhole) return this.reset();
    this.x = Math.min(this.right, Math.max(this.left, this.x));
    this.y = Math.min(this.top, Math.max(this.bottom, this.y));
  }
}
