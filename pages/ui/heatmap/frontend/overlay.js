// Crosshair of the pointer and frame of the chosen cell, on a canvas of their own so that
// moving the pointer does not draw the matrices again.

function paintOverlay(context, layout, view, theme, hovered, chosen) {
  context.clearRect(0, 0, layout.width, layout.height);
  for (const place of layout.panels) {
    context.save();
    context.beginPath();
    context.rect(place.x - 3, place.y - 3, place.width + 6, place.height + 6);
    context.clip();
    if (chosen) frame(context, place, view, chosen, theme, true);
    if (hovered) frame(context, place, view, hovered, theme, false);
    context.restore();
  }
}

function frame(context, place, view, { query, key, side = 1 }, theme, chosen) {
  const cellWidth = place.width / view.spanColumns, cellHeight = place.height / view.spanRows;
  const x = place.x + (key - view.left) * cellWidth, y = place.y + (query - view.top) * cellHeight;
  const wide = Math.max(cellWidth * side, 3), tall = Math.max(cellHeight * side, 3);
  context.globalAlpha = chosen ? 0.9 : 0.55;
  context.fillStyle = chosen ? theme.primary : theme.text;
  for (const [left, top, width, height] of [
    [place.x, y + tall / 2 - 0.5, Math.max(0, x - place.x - 1), 1],
    [x + wide + 1, y + tall / 2 - 0.5, Math.max(0, place.x + place.width - x - wide - 1), 1],
    [x + wide / 2 - 0.5, place.y, 1, Math.max(0, y - place.y - 1)],
    [x + wide / 2 - 0.5, y + tall + 1, 1, Math.max(0, place.y + place.height - y - tall - 1)],
  ]) context.fillRect(left, top, width, height);
  context.globalAlpha = 1;
  // Dark within light, or the reverse, is seen on every colour below.
  context.lineWidth = chosen ? 4 : 3;
  context.strokeStyle = theme.background;
  context.strokeRect(x - 1, y - 1, wide + 2, tall + 2);
  context.lineWidth = chosen ? 2 : 1;
  context.strokeStyle = chosen ? theme.primary : theme.text;
  context.strokeRect(x - 1, y - 1, wide + 2, tall + 2);
}
