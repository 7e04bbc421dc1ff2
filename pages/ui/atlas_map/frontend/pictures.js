// The map as it is seen, as an image to keep: PNG at twice the size, or SVG.

const PNG_SCALE = 2, CAPTION = 26;

function captionOf({ points, paint }) {
  return `${points.header.title} · ${points.header.method} · colour: ${paint.told.title}`;
}

function savePng(map) {
  const { camera, theme, painter } = map, { width, height } = camera;
  const { canvas } = Object.assign(element("canvas"), { width: width * PNG_SCALE, height: (height + CAPTION) * PNG_SCALE })
    .getContext("2d"), context = canvas.getContext("2d");
  context.scale(PNG_SCALE, PNG_SCALE);
  context.fillStyle = theme.background;
  context.fillRect(0, 0, width, height + CAPTION);
  new Painter(context, map.points, camera, theme, map.paint).draw(map.shown());
  context.fillStyle = theme.background;
  context.fillRect(0, height, width, CAPTION);
  context.fillStyle = theme.muted;
  context.font = `12px ${theme.font}`;
  context.textAlign = "left";
  context.fillText(captionOf(map), 10, height + 17);
  canvas.toBlob((image) => saveAs(image, "atlas.png"));
  painter.place();
}

// The same painter, on a context that writes down what it is told to draw.
function saveSvg(map) {
  const { camera, theme } = map, { width, height } = camera;
  const context = new SvgContext();
  const painter = new Painter(context, map.points, camera, theme, map.paint);
  painter.draw(map.shown());
  context.fillStyle = theme.muted;
  context.font = `12px ${theme.font}`;
  context.textAlign = "left";
  context.fillText(captionOf(map), 10, height + 17);
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + CAPTION}" ` +
    `viewBox="0 0 ${width} ${height + CAPTION}"><rect width="100%" height="100%" fill="${theme.background}"/>` +
    `${context.parts.join("\n")}</svg>`;
  saveAs(new Blob([text], { type: "image/svg+xml" }), "atlas.svg");
}

function saveAs(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const round = (number) => Math.round(number * 100) / 100;
const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

class SvgContext {
  constructor() {
    this.parts = [];
    this.path = [];
    this.globalAlpha = 1;
  }

  beginPath() { this.path = []; }
  moveTo(x, y) { this.path.push(`M${round(x)} ${round(y)}`); }
  lineTo(x, y) { this.path.push(`L${round(x)} ${round(y)}`); }
  closePath() { this.path.push("Z"); }
  rect(x, y, w, h) { this.path.push(`M${round(x)} ${round(y)}h${round(w)}v${round(h)}h${round(-w)}Z`); }
  // Only ever a whole circle.
  arc(x, y, r) { this.path.push(`M${round(x - r)} ${round(y)}a${round(r)} ${round(r)} 0 1 0 ${round(2 * r)} 0a${round(r)} ${round(r)} 0 1 0 ${round(-2 * r)} 0`); }
  fillRect(x, y, w, h) {
    this.beginPath();
    this.rect(x, y, w, h);
    this.fill();
  }
  fill() { this.put(`fill="${this.fillStyle}" fill-opacity="${round(this.globalAlpha)}"`); }
  stroke() { this.put(`fill="none" stroke="${this.strokeStyle}" stroke-opacity="${round(this.globalAlpha)}" stroke-width="${this.lineWidth}"`); }
  put(style) { if (this.path.length) this.parts.push(`<path d="${this.path.join("")}" ${style}/>`); }
  fillText(text, x, y) {
    const anchor = this.textAlign === "center" ? "middle" : "start";
    this.parts.push(`<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${this.fillStyle}" style="font: ${escaped(this.font)}">${escaped(text)}</text>`);
  }
}
