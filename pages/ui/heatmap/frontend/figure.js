// The figure: what is shown, what is pointed at, what is chosen.

const CLICK_ZOOMS_TO = 12, KEYS_REST_MS = 120;

class Figure {
  constructor(parent) {
    this.parts = figureElements();
    parent.append(this.parts.root);
    this.container = (parent.host ?? parent).closest('[class*="st-key-heatmap-"]');
    this.height = 540;
    this.hovered = this.pointer = this.chosen = null;
    this.number = 0;
    this.ending = new AbortController();
    const { signal } = this.ending, { root } = this.parts;
    this.resizing = new ResizeObserver(() => this.arrange());
    this.resizing.observe(root);
    window.addEventListener("resize", () => this.arrange(), { signal });
    root.addEventListener("fullscreenchange", () => this.arrange(), { signal });
    this.container?.addEventListener("heatmap-wishes", () => this.heed(), { signal });
    document.fonts?.ready.then(() => { if (!signal.aborted) this.arrange(true); });
  }

  // Once there is something to point at.
  listen() {
    this.listen = () => {};
    const { signal } = this.ending, { stage, buttons } = this.parts;
    listenToPointer(this, stage, signal);
    listenToWheel(this, stage, signal);
    listenToKeys(this, stage, signal);
    listenToButtons(this, buttons, signal);
  }

  end() {
    this.ending.abort();
    this.resizing.disconnect();
    clearTimeout(this.sending);
    this.parts.root.remove();
  }

  // ---- what Python says -------------------------------------------------------------------

  // Only the latest blob counts: another may arrive while one is being unpacked.
  async show(blob) {
    const [{ digest }] = headerOf(blob);
    if (this.wanted !== digest) {
      this.wanted = digest;
      this.parts.root.dataset.ready = "false";
      const header = await readBlob(blob);
      if (this.wanted !== digest || this.ending.signal.aborted) return;
      this.adopt(header);
    }
    if (this.isUnpacking) return;
    this.painter = new Painter(this.header, themeOf(this.parts.root));
    this.heed();
    this.arrange(true);
  }

  get isUnpacking() { return this.header?.digest !== this.wanted; }

  adopt(header) {
    const { rows, columns } = header.panels[0].levels[0];
    if (this.view?.rows !== rows || this.view?.columns !== columns) {
      this.view = new View(rows, columns);
      this.chosen = null;
    }
    this.header = header;
    this.hovered = null;
    this.parts.tooltip.hidden = true;
    this.parts.caption.textContent = header.scaling;
    const titles = header.panels.map((panel) => panel.title).join(", ");
    this.parts.stage.setAttribute("aria-label",
      `${titles}: ${rows} queries by ${columns} keys. Arrow keys move, Enter chooses, ` +
      "Escape releases, plus and minus zoom, zero shows everything.");
  }

  // A wish older than our last click is stale: the answer to that click is on its way.
  heed() {
    const wishes = this.container?.heatmapWishes;
    if (!wishes || !this.painter || this.isUnpacking) return;
    if (wishes.height !== this.height) {
      this.height = wishes.height;
      this.arrange(true);
    }
    if (wishes.heard < this.number) return;
    this.number = wishes.heard;
    const same = String(wishes.cell ?? "") === String(this.chosen ?? "");
    if (same) return;
    this.chosen = wishes.cell ?? null;
    if (this.chosen) this.view.reveal(this.chosen);
    this.draw();
  }

  // ---- drawing ----------------------------------------------------------------------------

  arrange(always = false) {
    const { root, base, over, stage } = this.parts;
    const width = Math.floor(root.clientWidth), full = root.matches(":fullscreen");
    const ratio = Math.min(4, window.devicePixelRatio || 1);
    if (!this.painter || width < 1) return;
    const height = full ? window.innerHeight - 130 : this.height;
    const arranged = `${width} ${height} ${ratio}`;
    if (!always && arranged === this.arranged) return;
    this.arranged = arranged;
    const context = base.getContext("2d");
    this.layout = layoutOf(this.header, this.painter.margins(context, width), width, height);
    for (const canvas of [base, over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(this.layout.height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    stage.style.height = `${this.layout.height}px`;
    this.listen();
    this.paint();
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.layout) return;
    const { base, root, stage } = this.parts;
    const started = performance.now();
    this.painter.paint(base.getContext("2d"), this.layout, this.view);
    this.paintOver();
    const cell = cellSize(this.layout, this.view);
    root.dataset.paintMs = (performance.now() - started).toFixed(1);
    root.dataset.panels = JSON.stringify(this.layout.panels.map((p) => [p.x, p.y, p.width, p.height]));
    root.dataset.view = [this.view.left, this.view.top, cell.width, cell.height].join(",");
    root.dataset.ready = "true";
    stage.style.touchAction = this.view.isWhole ? "pan-y" : "none";
    this.parts.buttons.zoomOut.disabled = this.parts.buttons.reset.disabled = this.view.isWhole;
    this.parts.buttons.zoomIn.disabled = this.view.isClosest;
  }

  paintOver() {
    const { over, root, hint, readout, buttons } = this.parts;
    paintOverlay(over.getContext("2d"), this.layout, this.view, this.painter.theme, this.hovered, this.chosenCell);
    root.dataset.selected = this.chosen ? this.chosen.join(",") : "";
    root.dataset.hovered = this.hovered ? `${this.hovered.query},${this.hovered.key}` : "";
    buttons.unlock.disabled = !this.chosen;
    hint.textContent = this.cellsAreSmall ? "Cells are small: a click zooms in, the next one chooses"
      : this.chosen ? "Arrow keys move the chosen cell, Esc releases it"
        : "Click a cell to choose it · wheel zooms · drag moves";
    const text = this.chosen ? readoutOf(this.header, this.chosen) : "No cell chosen.";
    if (readout.textContent !== text) readout.textContent = text;
  }

  get chosenCell() {
    return this.chosen && { query: this.chosen[0], key: this.chosen[1] };
  }

  get cellsAreSmall() { return areSmall(this.layout, this.view); }

  cellAt(point) { return cellAt(this.header, this.layout, this.view, point); }

  // ---- pointing ---------------------------------------------------------------------------

  hover(point) {
    this.pointer = point;
    this.hovered = this.cellAt(point);
    this.paintOver();
    this.showTooltip(point);
  }

  leave() {
    this.hovered = this.pointer = null;
    this.parts.tooltip.hidden = true;
    this.paintOver();
  }

  showTooltip(point) {
    const { tooltip, stage } = this.parts;
    if (!this.hovered) { tooltip.hidden = true; return; }
    fillTooltip(tooltip, tooltipLines(this.header, this.hovered));
    placeTooltip(tooltip, stage, point.x, point.y);
  }

  // ---- choosing ---------------------------------------------------------------------------

  click(point, count) {
    const cell = this.cellAt(point);
    if (!cell) return;
    if (count < 2) this.clickedIntoZoom = false;
    if (this.cellsAreSmall) return this.zoomInto(cell, point);
    if (canChoose(this.header, cell.query, cell.key)) this.choose([cell.query, cell.key]);
  }

  // The click after one that zoomed in may come quickly: it chooses, it does not zoom back out.
  doubleClick() {
    if (!this.clickedIntoZoom) this.reset();
  }

  zoomInto({ query, key }, point) {
    const place = this.layout.panels[placeAt(this.layout, point)];
    const x = (point.x - place.x) / place.width, y = (point.y - place.y) / place.height;
    const { width, height } = cellSize(this.layout, this.view);
    this.view.zoomBy(CLICK_ZOOMS_TO / Math.min(width, height), x, y);
    this.view.moveTo(key + 0.5 - x * this.view.spanColumns, query + 0.5 - y * this.view.spanRows);
    this.clickedIntoZoom = true;
    this.paint();
    this.hover(point);
  }

  choose(cell, restMs = 0) {
    if (String(cell ?? "") === String(this.chosen ?? "")) return;
    this.chosen = cell;
    this.number += 1;
    this.paintOver();
    clearTimeout(this.sending);
    const send = () => this.tell({ at: this.chosen, number: this.number });
    if (restMs) this.sending = setTimeout(send, restMs); else send();
  }

  chooseHovered() {
    if (this.hovered && canChoose(this.header, this.hovered.query, this.hovered.key)) {
      this.choose([this.hovered.query, this.hovered.key]);
    }
  }

  // Arrow keys move the chosen cell, or where none is chosen the one pointed at.
  step(down, right) {
    const from = this.chosen ?? (this.hovered && [this.hovered.query, this.hovered.key]);
    let to = from ? [from[0] + down, from[1] + right] : [this.view.rows - 1, 0];
    to = [Math.min(this.view.rows - 1, Math.max(0, to[0])), Math.min(this.view.columns - 1, Math.max(0, to[1]))];
    if (!canChoose(this.header, ...to)) return;
    this.view.reveal(to);
    if (this.chosen) this.choose(to, KEYS_REST_MS);
    this.hovered = { query: to[0], key: to[1] };
    this.paint();
    const [place] = this.layout.panels, { width, height } = cellSize(this.layout, this.view);
    this.showTooltip({
      x: place.x + (to[1] + 0.5 - this.view.left) * width,
      y: place.y + (to[0] + 0.5 - this.view.top) * height,
    });
  }

  // ---- moving -----------------------------------------------------------------------------

  // Returns whether the point is on a panel, so that a wheel elsewhere scrolls the page.
  zoom(factor, point) {
    const index = placeAt(this.layout, point);
    if (index === null) return false;
    const place = this.layout.panels[index];
    this.view.zoomBy(factor, (point.x - place.x) / place.width, (point.y - place.y) / place.height);
    this.moved();
    return true;
  }

  zoomAtCell(factor) {
    const cell = this.chosen ?? (this.hovered && [this.hovered.query, this.hovered.key]);
    if (cell) this.view.reveal(cell);
    const share = (at, start, span) => Math.min(1, Math.max(0, (at + 0.5 - start) / span));
    const x = cell ? share(cell[1], this.view.left, this.view.spanColumns) : 0.5;
    const y = cell ? share(cell[0], this.view.top, this.view.spanRows) : 0.5;
    this.view.zoomBy(factor, x, y);
    this.moved();
  }

  drag(start, dx, dy) {
    const index = placeAt(this.layout, start);
    if (index === null) return;
    const { width, height } = cellSize(this.layout, this.view);
    this.parts.tooltip.hidden = true;
    this.view.moveTo(this.view.left - dx / width, this.view.top - dy / height);
    this.draw();
  }

  reset() {
    this.view.reset();
    this.moved();
  }

  moved() {
    this.hovered = this.pointer && this.cellAt(this.pointer);
    this.parts.tooltip.hidden = true;
    this.draw();
  }

  savePng() {
    savePng({ ...this, chosen: this.chosenCell });
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.parts.root.requestFullscreen?.().catch(() => {});
  }
}
