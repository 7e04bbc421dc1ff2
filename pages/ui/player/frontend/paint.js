// The map: links, splats, what is happening to them, and what is chosen.

const DISC_SHARE = 0.11, LEAST_RADIUS = 2.2, DIMMED = 0.28;
// What lies under others is seen through.
const FILLED = [0.16, 0.3, 0.9];

// Discs take a ninth of the map at the start, whatever the shares add up to.
function radiusScale(film, camera) {
  const { share, stands } = film.stateAt(0);
  let sum = 0;
  for (let splat = 0; splat < film.splats; splat++) if (stands[splat]) sum += share[splat];
  return Math.sqrt(DISC_SHARE * camera.width * camera.height / (Math.PI * (sum || 1)));
}

class Painter {
  constructor(context, film, camera, theme) {
    Object.assign(this, { context, film, camera, theme });
    this.scale = radiusScale(film, camera);
    this.most = Math.min(camera.width, camera.height) * 0.09;
  }

  // Zooming spreads splats faster than it enlarges them: crowds come apart.
  radius(root) {
    const grown = Math.min(3, this.camera.zoom ** 0.45);
    return Math.max(LEAST_RADIUS, Math.min(this.most, root * this.scale)) * grown;
  }

  // `last` is the transition that ended where this one began: its marks fade.
  paint({ transition, last, showLinks, chosen, kin, lit, hovered }) {
    const { context, camera, theme } = this;
    this.transition = transition;
    context.globalAlpha = 1;
    context.fillStyle = theme.background;
    context.fillRect(0, 0, camera.width, camera.height);
    context.lineCap = "round";
    if (showLinks) this.links(kin);
    if (chosen !== null) this.trail(chosen);
    const marks = new Marks(this);
    this.named = [];
    if (last) marks.under(last, clamp(1 - transition.share * 2.5));
    marks.under(transition, 1);
    this.splats(kin);
    if (chosen !== null) this.chosen(chosen);
    if (last) marks.over(last, clamp(1 - transition.share * 2.5));
    marks.over(transition, 1);
    for (const splat of lit) this.halo(splat, 2);
    if (hovered !== null && hovered !== chosen) this.halo(hovered, 1.5);
  }

  at(splat) {
    const { x, y } = this.transition;
    return [this.camera.toX(x[splat]), this.camera.toY(y[splat])];
  }

  links(kin) {
    const { context, transition } = this;
    context.strokeStyle = this.theme.text;
    context.lineWidth = 1;
    context.globalAlpha = (this.theme.dark ? 0.17 : 0.13) * (kin ? 0.5 : 1);
    for (const splat of transition.seen) {
      const parent = transition.parentOf(splat);
      if (parent < 0 || transition.alpha[splat] < 0.5 || !(transition.alpha[parent] >= 0.5)) continue;
      context.beginPath();
      context.moveTo(...this.at(splat));
      context.lineTo(...this.at(parent));
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  splats(kin) {
    const { context, transition, film, theme, camera } = this, { alpha } = transition;
    for (const splat of transition.seen) {
      if (alpha[splat] <= 0) continue;
      const [x, y] = this.at(splat), radius = this.radius(transition.r[splat]);
      if (x < -radius || y < -radius || x > camera.width + radius || y > camera.height + radius) continue;
      const level = film.level[splat], shown = alpha[splat] * (kin && !kin.has(splat) ? DIMMED : 1);
      shapePath(context, level, x, y, radius);
      context.fillStyle = theme.levels[level];
      context.globalAlpha = shown * FILLED[level];
      context.fill();
      if (radius < 3.5) continue;
      context.globalAlpha = shown;
      context.strokeStyle = level === 2 ? theme.background : theme.levels[level];
      context.lineWidth = level === 2 ? 1 : 1.5;
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  halo(splat, width) {
    const { context, transition, film } = this;
    if (!(transition.alpha[splat] > 0.05)) return;
    const [x, y] = this.at(splat);
    shapePath(context, film.level[splat], x, y, this.radius(transition.r[splat]) + 3);
    context.globalAlpha = 1;
    context.strokeStyle = this.theme.background;
    context.lineWidth = width + 3;
    context.stroke();
    context.strokeStyle = this.theme.text;
    context.lineWidth = width;
    context.stroke();
  }

  // Where the chosen splat has been, and whither it will go.
  trail(splat) {
    const { context, film, camera, theme } = this;
    context.strokeStyle = theme.primary;
    context.lineWidth = 1.5;
    context.globalAlpha = 0.55;
    context.beginPath();
    for (let frame = film.firstFrame[splat]; frame < film.firstFrame[splat + 1]; frame++) {
      context.lineTo(camera.toX(film.frameX[frame]), camera.toY(film.frameY[frame]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  // One that does not stand now is shown dashed, where it was last or will be first.
  chosen(splat) {
    const { context, film, transition, camera, theme } = this;
    const stands = transition.alpha[splat] > 0;
    const state = film.stateAt(Math.min(Math.max(transition.step, film.born[splat]), film.died[splat] - 1));
    const [x, y] = stands ? this.at(splat) : [camera.toX(state.x[splat]), camera.toY(state.y[splat])];
    const radius = this.radius(stands ? transition.r[splat] : Math.sqrt(state.share[splat])) + 4;
    context.setLineDash(stands ? [] : [3, 4]);
    shapePath(context, film.level[splat], x, y, radius);
    context.strokeStyle = theme.background;
    context.lineWidth = 5;
    context.stroke();
    context.strokeStyle = theme.primary;
    context.lineWidth = 2.5;
    context.stroke();
    context.setLineDash([]);
    const note = stands ? "" : transition.step < film.born[splat] ? " (not yet born)" : " (no longer stands)";
    this.name(`#${film.ids[splat]}${note}`, x, y - radius - 6, theme.text);
  }

  // Left out where it would lie on one that is there already, or belong to what is out of sight.
  name(text, x, y, colour) {
    const { context, theme, camera } = this;
    if (x < 0 || y < -20 || x > camera.width || y > camera.height) return;
    context.font = `600 12px ${theme.font}`;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    const half = context.measureText(text).width / 2 + 4;
    const inside = Math.min(camera.width - half, Math.max(half, x)), below = Math.max(14, y);
    const isNear = ([otherX, otherY, otherHalf]) =>
      Math.abs(otherX - inside) < half + otherHalf && Math.abs(otherY - below) < 14;
    if (this.named.some(isNear)) return;
    this.named.push([inside, below, half]);
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = theme.background;
    context.strokeText(text, inside, below);
    context.fillStyle = colour;
    context.fillText(text, inside, below);
  }
}

function shapePath(context, level, x, y, radius) {
  context.beginPath();
  if (level === 2) return context.arc(x, y, radius, 0, 2 * Math.PI);
  if (level === 0) {
    const half = radius * 0.89; // A square of the disc's area.
    return context.rect(x - half, y - half, 2 * half, 2 * half);
  }
  const reach = radius * 1.25; // A diamond of the disc's area.
  context.moveTo(x, y - reach);
  context.lineTo(x + reach, y);
  context.lineTo(x, y + reach);
  context.lineTo(x - reach, y);
  context.closePath();
}
