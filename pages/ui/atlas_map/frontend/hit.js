// What a point on the map means.

const HIT_EDGE = 5, MARK_REACH = 4;

// Where several splats lie, the smallest; then the nearest. Dimmed ones cannot be pointed at.
function splatAt(painter, { x, y }) {
  const { points } = painter;
  let best = null, least = Infinity;
  for (let row = 0; row < points.count; row++) {
    if (!points.standsOut[row]) continue;
    const distance = Math.hypot(painter.px[row] - x, painter.py[row] - y), radius = painter.radius(row);
    const score = Math.max(0, distance - radius) * 100 + radius + distance / 100;
    if (distance < radius + HIT_EDGE && score < least) [best, least] = [row, score];
  }
  return best;
}

// The number of the mark under the point, of those that are shown.
function markAt(painter, { x, y }, shows) {
  const { points: { marks }, camera } = painter;
  let best = null, least = MARK_REACH;
  for (let at = 0; at < (marks?.count ?? 0); at++) {
    if (!shows[marks.isQuery[at]]) continue;
    const distance = Math.hypot(camera.toX(marks.x[at]) - x, camera.toY(marks.y[at]) - y);
    if (distance < least) [best, least] = [at, distance];
  }
  return best;
}
