// Which splat a point on the map means.

const HIT_EDGE = 5;

// Where several lie, the smallest; then the nearest.
function splatAt(painter, point) {
  const { transition } = painter;
  let best = null, least = Infinity;
  for (const splat of transition.seen) {
    if (transition.alpha[splat] < 0.3) continue;
    const [x, y] = painter.at(splat), radius = painter.radius(transition.r[splat]);
    const distance = Math.hypot(x - point.x, y - point.y);
    const score = Math.max(0, distance - radius) * 100 + radius + distance / 100;
    if (distance < radius + HIT_EDGE && score < least) [best, least] = [splat, score];
  }
  return best;
}
