// A picture of the map and its surroundings: while it is dragged only the picture is moved.

const SURROUNDINGS = 0.3;

class Still {
  constructor(map) {
    const { camera, points, theme, paint } = map;
    this.map = map;
    this.scale = camera.scale;
    this.x = camera.x;
    this.y = camera.y;
    this.edge = Math.round(SURROUNDINGS * Math.max(camera.width, camera.height));
    const width = camera.width + 2 * this.edge, height = camera.height + 2 * this.edge;
    const { ratio } = map;
    this.canvas = Object.assign(document.createElement("canvas"), { width: width * ratio, height: height * ratio });
    const context = this.canvas.getContext("2d", { alpha: false });
    context.scale(ratio, ratio);
    // The same middle and scale, seen through a larger window.
    const around = Object.create(camera, { width: { value: width }, height: { value: height }, scale: { value: this.scale } });
    new Painter(context, points, around, theme, paint).draw(map.shown());
  }

  // False where the map has left the picture.
  draw(context) {
    const { camera, ratio } = this.map;
    const dx = (this.x - camera.x) * this.scale, dy = (camera.y - this.y) * this.scale;
    if (camera.scale !== this.scale || Math.max(Math.abs(dx), Math.abs(dy)) > this.edge) return false;
    const snapped = (pixels) => Math.round(pixels * ratio) / ratio;
    context.globalAlpha = 1;
    context.drawImage(this.canvas, snapped(dx) - this.edge, snapped(dy) - this.edge,
      this.canvas.width / ratio, this.canvas.height / ratio);
    return true;
  }
}
