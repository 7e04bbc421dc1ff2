// The figure without pointer and selection: what is also saved as PNG.

const LABEL_CELL = 10, GRID_CELL = 14;

class Painter {
  constructor(header, theme) {
    this.header = header;
    this.theme = theme;
    this.colours = header.panels.map((panel) => coloursOf(panel, theme));
    this.scratch = document.createElement("canvas");
    this.hatch = this.hatching();
  }

  font(size, weight = 400) { return `${weight} ${size}px ${this.theme.font}`; }

  margins(context, width) {
    const most = width < 520 ? 60 : 92;
    context.font = this.font(11);
    const sides = [this.header.queries, this.header.keys].map((tokens) =>
      Math.max(34, Math.ceil(widestLabel(context, tokens, most)) + 8));
    return { left: sides[0] + 4, bottom: Math.min(sides[1], 72) };
  }

  paint(context, layout, view) {
    const { theme } = this;
    context.fillStyle = theme.background;
    context.fillRect(0, 0, layout.width, layout.height);
    context.direction = "ltr";
    this.header.panels.forEach((panel, index) => {
      const place = layout.panels[index];
      this.heading(context, panel, place, layout);
      this.cells(context, panel, this.colours[index], place, view);
      const under = this.axes(context, place, view, layout);
      this.bar(context, panel, this.colours[index], place, under + BAR.above);
    });
  }

  heading(context, panel, place, layout) {
    const base = place.y - layout.noteHeight - 8;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.font = this.font(14, 600);
    context.fillStyle = this.theme.text;
    const title = shortened(context, labelText(panel.title), place.width);
    context.fillText(title, place.x, base);
    const after = context.measureText(title).width + 8;
    context.font = this.font(12);
    context.fillStyle = this.theme.muted;
    if (place.width - after > 40) {
      context.fillText(shortened(context, labelText(panel.unit), place.width - after), place.x + after, base);
    }
    if (panel.note) {
      context.fillText(shortened(context, labelText(panel.note), place.width), place.x, place.y - 7);
    }
  }

  // Cells in sight, from the coarsest copy whose texels still cover a device pixel: every texel
  // is drawn then, so none that is hot gets lost.
  cells(context, panel, colours, place, view) {
    const cellWidth = place.width / view.spanColumns, cellHeight = place.height / view.spanRows;
    const pixels = Math.min(cellWidth, cellHeight) * context.getTransform().a;
    let depth = 0;
    while (depth < panel.levels.length - 1 && pixels * 2 ** depth < 1) depth++;
    const { rows, columns, codes } = panel.levels[depth], side = 2 ** depth;
    const left = Math.floor(view.left / side), top = Math.floor(view.top / side);
    const right = Math.min(columns, Math.ceil((view.left + view.spanColumns) / side));
    const bottom = Math.min(rows, Math.ceil((view.top + view.spanRows) / side));
    const wide = right - left, tall = bottom - top;
    const image = new ImageData(wide, tall), words = new Uint32Array(image.data.buffer);
    for (let row = 0, to = 0; row < tall; row++) {
      let from = (top + row) * columns + left;
      for (let column = 0; column < wide; column++) words[to++] = colours[codes[from++]];
    }
    if (this.scratch.width < wide) this.scratch.width = wide;
    if (this.scratch.height < tall) this.scratch.height = tall;
    this.scratch.getContext("2d").putImageData(image, 0, 0);

    context.save();
    context.beginPath();
    context.rect(place.x, place.y, place.width, place.height);
    context.clip();
    context.fillStyle = context.createPattern(this.hatch, "repeat");
    context.fill();
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.scratch, 0, 0, wide, tall,
      place.x + (left * side - view.left) * cellWidth,
      place.y + (top * side - view.top) * cellHeight,
      wide * side * cellWidth, tall * side * cellHeight,
    );
    if (Math.min(cellWidth, cellHeight) >= GRID_CELL) {
      this.grid(context, place, view, cellWidth, cellHeight);
    }
    context.restore();
    context.strokeStyle = this.theme.line;
    context.lineWidth = 1;
    context.strokeRect(place.x - 0.5, place.y - 0.5, place.width + 1, place.height + 1);
  }

  grid(context, place, view, cellWidth, cellHeight) {
    context.beginPath();
    for (let j = Math.ceil(view.left); j < view.left + view.spanColumns; j++) {
      const x = Math.round(place.x + (j - view.left) * cellWidth) - 0.5;
      context.moveTo(x, place.y);
      context.lineTo(x, place.y + place.height);
    }
    for (let i = Math.ceil(view.top); i < view.top + view.spanRows; i++) {
      const y = Math.round(place.y + (i - view.top) * cellHeight) - 0.5;
      context.moveTo(place.x, y);
      context.lineTo(place.x + place.width, y);
    }
    context.globalAlpha = 0.35;
    context.strokeStyle = this.theme.line;
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  }

  hatching() {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const context = tile.getContext("2d");
    context.strokeStyle = this.theme.hatch;
    context.lineWidth = 1;
    for (const shift of [-6, 0, 6]) {
      context.moveTo(shift - 1, 7);
      context.lineTo(shift + 7, -1);
    }
    context.stroke();
    return tile;
  }

  // Tokens where cells are wide enough for them, positions where they are not. Returns the y
  // below them.
  axes(context, place, view, layout) {
    const { queries, keys } = this.header, { margins } = layout;
    const named = Math.min(place.width / view.spanColumns, place.height / view.spanRows) >= LABEL_CELL;
    const axis = (start, span, length, tokens, draw) => {
      const cell = length / span, step = named ? 1 : tickStep(40 / cell);
      for (let at = Math.ceil(start / step) * step; at < Math.min(tokens.length, start + span); at += step) {
        const middle = (at + 0.5 - start) * cell;
        if (middle >= 0 && middle <= length) draw(named ? labelText(tokens[at]) : String(at), middle);
      }
    };
    context.font = this.font(11);
    context.fillStyle = this.theme.text;
    context.textBaseline = "middle";
    context.textAlign = "right";
    if (place.first) {
      axis(view.top, view.spanRows, place.height, queries, (text, y) =>
        context.fillText(shortened(context, text, margins.left - 10), place.x - 6, place.y + y));
    }
    axis(view.left, view.spanColumns, place.width, keys, (text, x) => {
      context.save();
      context.translate(place.x + x, place.y + place.height + (named ? 6 : 11));
      if (named) context.rotate(-Math.PI / 2);
      else context.textAlign = x < 12 ? "left" : x > place.width - 12 ? "right" : "center";
      context.fillText(shortened(context, text, margins.bottom - 8), 0, 0);
      context.restore();
    });
    context.fillStyle = this.theme.muted;
    context.textAlign = "center";
    const under = place.y + place.height + (named ? margins.bottom : 20);
    context.fillText("key →", place.x + place.width / 2, under + AXIS_NAME / 2);
    if (place.first) {
      // Right-aligned beside the map, but never beyond the canvas where the labels are narrow.
      context.textAlign = "right";
      const wide = context.measureText("query ↓").width;
      context.fillText("query ↓", Math.max(place.x - 6, wide), place.y - 13);
    }
    return under + AXIS_NAME;
  }

  bar(context, panel, colours, place, y) {
    const diverging = panel.kind === "diverging";
    const below = panel.goes_below_zero ? Math.round(place.width * 0.22) : 0;
    const start = place.x + (below ? below + 10 : 0), length = place.x + place.width - start;
    if (below) this.strip(context, colours.slice(FIRST_BELOW, FIRST_STEP).reverse(), place.x, y, below);
    this.strip(context, colours.slice(diverging ? 1 : FIRST_STEP), start, y, length);
    context.font = this.font(11);
    context.fillStyle = this.theme.muted;
    context.textBaseline = "top";
    const write = (text, x, align) => {
      context.textAlign = align;
      context.fillText(text, x, y + BAR.thick + 5);
    };
    if (panel.largest === 0) return write("all 0", start + length / 2, "center");
    const text = (position) => numberText(magnitudeAt(panel, position));
    if (below) write(`−${text(1)}`, place.x, "left");
    write(diverging ? `−${text(1)}` : panel.floor ? `≤ ${text(0)}` : "0", start, "left");
    write(diverging ? "0" : text(0.5), start + length / 2, "center");
    write(diverging ? `+${text(1)}` : text(1), start + length, "right");
  }

  strip(context, words, x, y, length) {
    const image = new ImageData(words.length, 1), strip = element("canvas");
    new Uint32Array(image.data.buffer).set(words);
    strip.width = words.length;
    strip.height = 1;
    strip.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(strip, 0, 0, words.length, 1, x, y, length, BAR.thick);
    context.strokeStyle = this.theme.line;
    context.lineWidth = 1;
    context.strokeRect(x - 0.5, y - 0.5, length + 1, BAR.thick + 1);
  }
}
