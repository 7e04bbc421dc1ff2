// One small panel for each `panel` of the curves: drawn once, then only its playhead moves.

const CURVE_HEIGHT = 128, CURVE_EDGE = { left: 46, right: 10, top: 8, bottom: 20 };

class CurvePanels {
  constructor(host, film, scrubTo) {
    this.host = host;
    this.film = film;
    const names = [...new Set(film.curves.map((curve) => curve.panel))];
    this.panels = names.map((name) => new CurvePanel(film, name, scrubTo));
    host.replaceChildren(...this.panels.map((panel) => panel.root));
  }

  arrange(theme, ratio) { for (const panel of this.panels) panel.arrange(theme, ratio); }
  moveTo(at) { for (const panel of this.panels) panel.moveTo(at); }
  tell(step) { for (const panel of this.panels) panel.tell(step); }
}

class CurvePanel {
  constructor(film, name, scrubTo) {
    this.film = film;
    this.curves = film.curves.filter((curve) => curve.panel === name);
    this.range = rangeOf(this.curves);
    this.values = this.curves.map(() => element("span", { class: "value" }));
    const legend = this.curves.map((curve, at) => element("li", {},
      svgElement("svg", { viewBox: "0 0 22 8", class: "dash", "aria-hidden": "true" },
        svgElement("path", { d: "M1 4H21", "stroke-dasharray": (DASHES[at % DASHES.length]).join(" ") })),
      element("span", { class: "name" }, labelText(curve.name)), this.values[at]));
    this.swatches = legend.map((entry) => entry.querySelector("path"));
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.playhead = element("div", { class: "playhead" });
    this.plot = element("div", { class: "plot", title: "Click or drag to go to a step" }, this.canvas, this.playhead);
    this.unit = this.curves[0].unit;
    this.root = element("figure", { class: "panel", "aria-label": `${labelText(name)}, ${labelText(this.unit)}` },
      element("figcaption", {}, element("span", { class: "name" }, labelText(name)),
        element("span", { class: "unit" }, this.unit ? labelText(this.unit) : "")),
      element("ul", {}, ...legend), this.plot);
    this.listen(scrubTo);
  }

  listen(scrubTo) {
    const to = (event, ends) => {
      const box = this.plot.getBoundingClientRect(), { left, right } = CURVE_EDGE;
      const share = (event.clientX - box.left - left) / (box.width - left - right);
      scrubTo(Math.round(clamp(share) * (this.film.steps - 1)), ends);
    };
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.plot.setPointerCapture(event.pointerId);
      to(event, false);
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (this.plot.hasPointerCapture(event.pointerId)) to(event, false);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.plot.addEventListener(end, (event) => {
        if (this.plot.hasPointerCapture(event.pointerId)) to(event, true);
      });
    }
  }

  arrange(theme, ratio) {
    const width = this.plot.clientWidth;
    if (width < 1) return;
    this.width = width;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(CURVE_HEIGHT * ratio);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, CURVE_HEIGHT);
    context.font = `11px ${theme.font}`;
    this.axes(context, theme);
    this.curves.forEach((curve, at) => {
      const colour = theme.curves[at % theme.curves.length];
      this.swatches[at].style.stroke = colour;
      context.strokeStyle = context.fillStyle = colour;
      context.setLineDash(DASHES[at % DASHES.length]);
      this.line(context, curve.values);
    });
    context.setLineDash([]);
  }

  x(step) {
    const { left, right } = CURVE_EDGE;
    return left + step / (this.film.steps - 1 || 1) * (this.width - left - right);
  }

  y(value) {
    const { top, bottom } = CURVE_EDGE, [least, most] = this.range;
    return CURVE_HEIGHT - bottom - (value - least) / (most - least) * (CURVE_HEIGHT - top - bottom);
  }

  axes(context, theme) {
    const [least, most] = this.range, step = tickStep((most - least) / 4);
    context.lineWidth = 1;
    context.strokeStyle = theme.line;
    context.fillStyle = theme.muted;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let at = Math.ceil(least / step - 1e-6); at * step <= most + step * 1e-6; at++) {
      const y = Math.round(this.y(at * step)) + 0.5;
      context.globalAlpha = 0.5;
      context.beginPath();
      context.moveTo(CURVE_EDGE.left, y);
      context.lineTo(this.width - CURVE_EDGE.right, y);
      context.stroke();
      context.globalAlpha = 1;
      context.fillText(numberText(Number((at * step).toPrecision(6))), CURVE_EDGE.left - 6, y);
    }
    const last = this.film.steps - 1, y = CURVE_HEIGHT - 8;
    context.textAlign = "left";
    context.fillText("0", CURVE_EDGE.left, y);
    context.textAlign = "center";
    context.fillText("step", (CURVE_EDGE.left + this.width - CURVE_EDGE.right) / 2, y);
    context.textAlign = "right";
    if (last > 0) context.fillText(String(last), this.width - CURVE_EDGE.right, y);
  }

  // A value that was not measured is a gap; one alone between gaps, a dot.
  line(context, values) {
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    context.beginPath();
    values.forEach((value, step) => {
      if (!Number.isFinite(value)) return;
      const x = this.x(step), y = this.y(value);
      if (Number.isFinite(values[step - 1])) context.lineTo(x, y);
      else if (Number.isFinite(values[step + 1])) context.moveTo(x, y);
      else context.fillRect(x - 2, y - 2, 4, 4);
    });
    context.stroke();
  }

  moveTo(at) {
    if (this.width) this.playhead.style.transform = `translateX(${this.x(at).toFixed(1)}px)`;
  }

  tell(step) {
    this.curves.forEach(({ values }, at) => { this.values[at].textContent = numberText(values[step]); });
  }
}

function rangeOf(curves) {
  let least = Infinity, most = -Infinity;
  for (const { values } of curves) {
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  if (least > most) return [0, 1];
  const room = (most - least) * 0.06 || Math.abs(most) * 0.1 || 1;
  return [least - room, most + room];
}
