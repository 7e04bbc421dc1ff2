// The player: the film, where it is, and what is chosen in it.

const LEAST_MAP = 260, FULL_SCREEN_REST = 380;

class Player {
  constructor(parent, { initial, report }) {
    this.parts = playerElements();
    this.report = new Report(report);
    this.height = initial.height ?? 480;
    this.wish = initial;
    this.chosen = this.hovered = this.kin = null;
    this.lit = [];
    parent.append(this.parts.root);
    this.ending = new AbortController();
    const { signal } = this.ending, { root } = this.parts;
    this.resizing = new ResizeObserver(() => this.arrange());
    this.resizing.observe(root);
    window.addEventListener("resize", () => this.arrange(), { signal });
    document.fonts?.ready.then(() => { if (!signal.aborted) this.arrange(true); });
  }

  // Once there is a film.
  listen() {
    this.listen = () => {};
    const { signal } = this.ending, { parts } = this;
    listenToPointer(this, parts.touch, signal);
    listenToWheel(this, parts.touch, signal);
    listenToKeys(this, parts.root, signal);
    listenToControls(this, parts, signal);
  }

  end() {
    this.ending.abort();
    this.resizing.disconnect();
    this.clock?.end();
    this.report.end();
    cancelAnimationFrame(this.frame);
    this.parts.root.remove();
  }

  // ---- what is shown ----------------------------------------------------------------------

  // Only the latest film counts: another may arrive while one is being unpacked.
  async show(bytes) {
    const [{ digest }] = headerOf(bytes);
    if (this.wanted !== digest) {
      this.wanted = digest;
      this.parts.root.dataset.ready = "false";
      const film = new Film(await readBlob(bytes));
      if (this.wanted !== digest || this.ending.signal.aborted) return;
      this.adopt(film);
    }
    if (this.film?.digest === this.wanted) this.dress();
  }

  adopt(film) {
    const { parts } = this;
    this.clock?.end();
    if (this.film) this.report.forget();
    this.film = film;
    this.transitions = new Map();
    this.camera = new Camera(film.ranges);
    this.clock = new Clock(film.steps, { moved: () => this.moved(), rested: () => this.tell() });
    this.clock.speed = Number(parts.speed.value);
    this.clock.loops = parts.play.loop.getAttribute("aria-pressed") === "true";
    this.lit = [];
    this.hovered = this.stepTold = null;
    this.list ??= new EventList(parts, (happening) => this.open(happening.step, happening));
    this.descent ??= new DescentPanel(parts, {
      choose: (splat) => this.choose(splat),
      open: (step, happening) => this.open(step, happening),
    });
    this.curves = new CurvePanels(parts.curves, film, (step, ends) => this.scrub(step, ends));
    tellFilm(parts, film);
    this.list.adopt(film);
    this.setChosen(null);
    this.listen();
    this.heed(this.wish);
  }

  // The theme may have changed.
  dress() {
    this.theme = themeOf(this.parts.root);
    nameColours(this.parts.root, this.theme);
    this.arrange(true);
  }

  heed(wish) {
    this.wish = wish;
    if (!this.film) return;
    if (wish.height && wish.height !== this.height) {
      this.height = wish.height;
      this.arrange(true);
    }
    const { selected, step } = this.report.newIn(wish);
    if (selected !== undefined) this.setChosen(this.film.numberOf.get(selected) ?? null);
    if (step !== undefined) this.clock.jump(step);
  }

  // ---- drawing ----------------------------------------------------------------------------

  arrange(always = false) {
    const { root, touch, map, track, ticks } = this.parts;
    const width = Math.floor(touch.clientWidth), ratio = Math.min(2, window.devicePixelRatio || 1);
    if (!this.theme || width < 1) return;
    const height = Math.round(root.matches(":fullscreen")
      ? Math.max(LEAST_MAP, window.innerHeight - FULL_SCREEN_REST)
      : Math.min(this.height, Math.max(LEAST_MAP, width * 0.85)));
    const arranged = `${root.clientWidth} ${width} ${height} ${ratio}`;
    if (!always && arranged === this.arranged) return;
    this.arranged = arranged;
    touch.style.height = `${height}px`;
    map.width = Math.round(width * ratio);
    map.height = Math.round(height * ratio);
    const context = map.getContext("2d", { alpha: false });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.camera.resize(width, height);
    this.painter = new Painter(context, this.film, this.camera, this.theme);
    this.curves.arrange(this.theme, ratio);
    paintTrack(ticks, this.film, this.theme, track.clientWidth, ratio);
    this.list.render();
    this.moved();
    this.paint();
  }

  draw() { this.frame ??= requestAnimationFrame(() => this.paint()); }

  get isMoving() { return this.clock.playing || this.clock.goal !== null; }

  // While the film moves, the clock's own frame is the one to paint in.
  moved() {
    const { parts, clock } = this, { root } = parts, { step, playing } = clock;
    if (root.dataset.playing !== String(playing)) tellPlaying(parts, playing);
    if (playing || clock.at > 0) parts.bigPlay.hidden = true;
    if (step !== this.stepTold) {
      this.stepTold = step;
      tellStep(parts, this.film, step);
      this.curves.tell(step);
      this.list.follow(step);
      this.descent.tell(step);
    }
    root.dataset.resting = String(!this.isMoving);
    this.curves.moveTo(clock.at);
    if (clock.frame === null && this.isMoving) this.paint();
    else this.draw();
  }

  transition(step) {
    if (!this.transitions.has(step)) {
      if (this.transitions.size >= 4) this.transitions.delete(this.transitions.keys().next().value);
      this.transitions.set(step, new Transition(this.film, step));
    }
    return this.transitions.get(step);
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.painter) return;
    const { clock, parts, camera } = this, { step } = clock;
    const transition = this.transition(step);
    const last = step > 0 && clock.share < 1 ? this.transition(step - 1) : null;
    transition.moveTo(eased(clock.share));
    last?.moveTo(1);
    this.painter.paint({
      transition, last, showLinks: parts.links.checked,
      chosen: this.chosen, kin: this.kin, lit: this.lit, hovered: this.hovered,
    });
    if (this.isMoving) return;
    const { root, view, touch } = parts;
    root.dataset.view = [camera.toX(0), camera.toY(0), camera.scale].join(",");
    root.dataset.ready = "true";
    view.zoomOut.disabled = view.whole.disabled = camera.isWhole;
    touch.style.touchAction = camera.isWhole ? "pan-y" : "none";
  }

  // ---- playing ----------------------------------------------------------------------------

  scrub(step, ends) {
    this.lit = [];
    this.clock.jump(step);
    if (ends) this.tell();
  }

  // An event is seen as it happens.
  open(step, happening) {
    this.lit = happening ? [...happening.before, ...happening.after] : [];
    this.clock.glide(step, Math.max(0, step - 1));
  }

  setLoop(loops) {
    this.clock.loops = loops;
    this.parts.play.loop.setAttribute("aria-pressed", String(loops));
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.parts.root.requestFullscreen?.().catch(() => {});
  }

  // ---- pointing and choosing --------------------------------------------------------------

  hover(point) {
    const { tooltip, touch } = this.parts, { clock, film } = this;
    const hovered = point && !clock.playing ? splatAt(this.painter, point) : null;
    touch.classList.toggle("on-splat", hovered !== null);
    tooltip.hidden = hovered === null;
    if (hovered !== null) {
      // One that is just leaving is told as it was.
      const step = film.stands(hovered, clock.step) ? clock.step : Math.max(0, clock.step - 1);
      fillTooltip(tooltip, tooltipLines(film, hovered, step));
      placeTooltip(tooltip, touch, point);
    }
    if (hovered === this.hovered) return;
    this.hovered = hovered;
    this.draw();
  }

  click(point) {
    const splat = splatAt(this.painter, point);
    if (splat !== null) this.choose(splat);
  }

  choose(splat) {
    if (splat === this.chosen) return;
    this.setChosen(splat);
    this.tell(0);
  }

  setChosen(splat) {
    this.chosen = splat;
    this.parts.root.dataset.selected = splat === null ? "" : this.film.ids[splat];
    this.kin = this.descent.show(this.film, splat, this.clock.step);
    this.draw();
  }

  escape() {
    this.lit = [];
    this.choose(null);
    this.draw();
  }

  tell(restMs) {
    const idOf = (splat) => splat === null ? null : this.film.ids[splat];
    this.report.tell(() => ({ selected: idOf(this.chosen), step: this.clock.step }), restMs);
  }

  // ---- moving the map ---------------------------------------------------------------------

  zoom(factor, point) {
    this.camera.zoomBy(factor, point);
    this.viewed();
  }

  zoomAtMiddle(factor) { this.zoom(factor, { x: this.camera.width / 2, y: this.camera.height / 2 }); }

  drag(dx, dy) {
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
}
