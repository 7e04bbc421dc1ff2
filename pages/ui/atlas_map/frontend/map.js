// The map: splats laid out, how they are looked at, and which is chosen.

const LEAST_MAP = 300, FULL_SCREEN_REST = 120;

// A map as a whole may be pushed aside too, as far as its middle stays in sight.
class AtlasCamera extends Camera {
  hold() {
    this.x = Math.min(this.right, Math.max(this.left, this.x));
    this.y = Math.min(this.top, Math.max(this.bottom, this.y));
  }
}

class AtlasMap {
  constructor(parent, { initial, report = () => {} } = {}) {
    this.parts = mapElements();
    this.report = report;
    this.wish = initial ?? {};
    this.height = this.wish.height ?? 560;
    this.number = 0;
    this.chosen = this.hovered = null;
    parent.append(this.parts.root);
    this.ending = new AbortController();
    this.resizing = new ResizeObserver(() => this.arrange());
    this.resizing.observe(this.parts.root);
    window.addEventListener("resize", () => this.arrange(), { signal: this.ending.signal });
  }

  // Once there are splats.
  listen() {
    this.listen = () => {};
    const { signal } = this.ending, { parts } = this;
    listenToPointer(this, parts.touch, signal);
    listenToWheel(this, parts.touch, signal);
    const on = (control, kind, act) => control.addEventListener(kind, act, { signal });
    for (const control of Object.values(parts.switches)) on(control, "change", () => this.draw());
    on(parts.buttons.zoomIn, "click", () => this.zoomAtMiddle(1.5));
    on(parts.buttons.zoomOut, "click", () => this.zoomAtMiddle(1 / 1.5));
    on(parts.buttons.whole, "click", () => this.showWhole());
    on(parts.buttons.png, "click", () => savePng(this));
    on(parts.buttons.svg, "click", () => saveSvg(this));
    on(parts.buttons.full, "click", () => this.toggleFullScreen());
    for (const kind of ["pointerup", "pointercancel"]) on(parts.touch, kind, () => this.rest());
    on(parts.root, "keydown", (event) => this.press(event));
  }

  end() {
    this.ending.abort();
    this.resizing.disconnect();
    cancelAnimationFrame(this.frame);
    this.parts.root.remove();
  }

  // ---- what is shown ----------------------------------------------------------------------

  // Only the latest map counts: another may arrive while one is being unpacked.
  async show(bytes) {
    const [{ digest }] = headerOf(bytes);
    if (this.wanted !== digest) {
      this.wanted = digest;
      this.parts.root.dataset.ready = "false";
      const { header, arrays } = await readBlob(bytes);
      if (this.wanted !== digest || this.ending.signal.aborted) return;
      this.adopt(new Points(header, arrays));
    }
    if (this.points?.header.digest === this.wanted) this.dress();
  }

  // The same splats in another layout move there; others take their place.
  adopt(points) {
    const before = this.points, same = before?.header.splats === points.header.splats;
    this.points = points;
    if (same) points.comeFrom(before);
    else this.setChosen(null);
    // Other colours are seen from where one looked; another layout is seen as a whole.
    if (!same || points.isMoving) this.camera = new AtlasCamera(points.ranges());
    this.hovered = null;
    for (const name of ["keys", "queries"]) this.parts.labels[name].hidden = !points.marks;
    this.parts.told.textContent = labelText(points.header.method);
    this.parts.touch.setAttribute("aria-label",
      `${labelText(points.header.title)}: ${points.count} splats. Drag to move, wheel to zoom, Escape to let go.`);
    this.listen();
    this.heed(this.wish);
  }

  // The theme may have changed.
  dress() {
    const { root, legend } = this.parts;
    this.theme = themeOf(root);
    for (const name of ["muted", "line"]) root.style.setProperty(`--${name}`, this.theme[name]);
    for (const name of ["key", "query"]) root.style.setProperty(`--${name}`, this.theme[name]);
    this.paint = new Paint(this.points.header, this.points.arrays.values, this.theme);
    fillLegend(legend, this.points, this.paint);
    this.arrange(true);
  }

  // A wish that does not know our last report is stale.
  heed(wish) {
    this.wish = wish ?? {};
    if (!this.points) return;
    const { row = null, heard = 0, height, standsOut = null } = this.wish;
    if (height && height !== this.height) {
      this.height = height;
      this.arrange(true);
    }
    this.points.dim(standsOut);
    if (heard >= this.number) {
      this.number = heard;
      this.setChosen(row !== null && row < this.points.count ? row : null);
    }
    this.parts.readout.textContent = this.readout();
    this.rest();
    this.draw();
  }

  readout() {
    const summary = summaryOf(this.points);
    return this.chosen === null
      ? `${summary}. Point at a splat to read it, click to choose it.`
      : `${nameOf(this.points, this.chosen)} is chosen; Esc lets it go. ${summary}.`;
  }

  // ---- drawing ----------------------------------------------------------------------------

  arrange(always = false) {
    const { root, touch, canvas } = this.parts;
    const width = Math.floor(touch.clientWidth), ratio = Math.min(2, window.devicePixelRatio || 1);
    if (!this.theme || width < 1) return;
    const height = Math.round(root.matches(":fullscreen")
      ? Math.max(LEAST_MAP, window.innerHeight - FULL_SCREEN_REST)
      : Math.min(this.height, Math.max(LEAST_MAP, width * 0.9)));
    this.ratio = ratio;
    const arranged = `${width} ${height} ${ratio}`;
    if (!always && arranged === this.arranged) return;
    this.arranged = arranged;
    touch.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d", { alpha: false });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.camera.resize(width, height);
    this.painter = new Painter(context, this.points, this.camera, this.theme, this.paint);
    this.frameNow();
  }

  draw() { this.frame ??= requestAnimationFrame(() => this.frameNow()); }

  shown() {
    const { links, keys, queries } = this.parts.switches;
    return { links: links.checked, keys: keys.checked, queries: queries.checked, chosen: this.chosen, hovered: this.hovered };
  }

  frameNow() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.painter) return;
    const { points, camera } = this, { root, buttons, touch } = this.parts;
    if (points.isMoving) points.move(performance.now());
    if (this.isDragged && !points.isMoving) return this.slide();
    this.painter.draw(this.shown());
    if (points.isMoving) return this.draw();
    root.dataset.view = [camera.toX(0), camera.toY(0), camera.scale].join(",");
    root.dataset.ready = "true";
    buttons.zoomOut.disabled = camera.isWhole;
    touch.style.touchAction = camera.isWhole ? "pan-y" : "none";
  }

  slide() {
    if (this.still?.draw(this.painter.context)) return;
    this.still = new Still(this);
    this.still.draw(this.painter.context);
  }

  // Released: what was a picture is drawn again, so that it can be pointed at.
  rest() {
    this.still = null;
    if (!this.isDragged) return;
    this.isDragged = false;
    this.draw();
  }

  // ---- pointing and choosing --------------------------------------------------------------

  hover(point) {
    const { tooltip, touch, switches } = this.parts;
    if (!this.painter?.px) return;
    const row = point ? splatAt(this.painter, point) : null;
    const mark = point && row === null
      ? markAt(this.painter, point, [switches.keys.checked, switches.queries.checked]) : null;
    touch.classList.toggle("on-splat", row !== null);
    tooltip.hidden = row === null && mark === null;
    if (!tooltip.hidden) {
      fillTooltip(tooltip, row !== null ? splatLines(this.points, row) : markLines(this.points, mark));
      placeTooltip(tooltip, touch, point);
    }
    if (row === this.hovered) return;
    this.hovered = row;
    this.draw();
  }

  // A click rounds its place; what was pointed at is meant.
  click(point) {
    const row = this.hovered ?? splatAt(this.painter, point);
    if (row !== null) this.choose(row);
  }

  choose(row) {
    if (row === this.chosen) return;
    this.setChosen(row);
    this.parts.readout.textContent = this.readout();
    this.number += 1;
    this.report({ row, number: this.number });
  }

  setChosen(row) {
    this.chosen = row;
    this.parts.root.dataset.selected = row === null ? "" : this.points.ids[row];
    this.draw();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (key === "Escape") this.choose(null);
    else if (event.target !== this.parts.touch) return;
    else if (key === "+" || key === "=") this.zoomAtMiddle(1.5);
    else if (key === "-" || key === "_") this.zoomAtMiddle(1 / 1.5);
    else if (key === "0") this.showWhole();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- moving the map ---------------------------------------------------------------------

  zoom(factor, point) {
    this.rest();
    this.camera.zoomBy(factor, point);
    this.viewed();
  }

  zoomAtMiddle(factor) { this.zoom(factor, { x: this.camera.width / 2, y: this.camera.height / 2 }); }

  drag(dx, dy) {
    this.isDragged = true;
    this.camera.move(dx, dy);
    this.viewed();
  }

  showWhole() {
    this.camera.reset();
    this.viewed();
  }

  viewed() {
    this.parts.tooltip.hidden = true;
    this.draw();
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.parts.root.requestFullscreen?.().catch(() => {});
  }
}
