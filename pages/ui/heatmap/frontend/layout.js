// Where everything stands, in CSS pixels.

const TITLE = 22, NOTE = 16, GAP = 22, ROW_GAP = 20, EDGE = 8;
const BAR = { above: 10, thick: 9, below: 17 };
const AXIS_NAME = 15, LEAST_SIDE = 220;

// Panels stand in one row when each keeps a readable side, otherwise below each other.
// Query labels are drawn once a row, left of its first panel.
function layoutOf(header, margins, width, height) {
  const { rows, columns } = header.panels[0].levels[0];
  const count = header.panels.length;
  const ratio = Math.min(1.6, Math.max(0.3, rows / columns));
  const noteHeight = header.panels.some((panel) => panel.note) ? NOTE : 0;
  const above = TITLE + noteHeight;
  const below = margins.bottom + AXIS_NAME + BAR.above + BAR.thick + BAR.below;
  const room = (perRow) => (width - margins.left - EDGE - GAP * (perRow - 1)) / perRow;
  let perRow = count;
  while (perRow > 1 && room(perRow) < LEAST_SIDE) perRow--;
  const widest = Math.max(60, height - above - below) / ratio;
  const side = Math.floor(Math.max(40, Math.min(room(perRow), Math.max(widest, LEAST_SIDE))));
  const tall = Math.floor(side * ratio);
  const used = margins.left + side * perRow + GAP * (perRow - 1) + EDGE;
  const indent = Math.max(0, Math.floor((width - used) / 2));
  const rowHeight = above + tall + below;
  const panels = header.panels.map((_, index) => {
    const column = index % perRow, row = Math.floor(index / perRow);
    return {
      x: indent + margins.left + column * (side + GAP),
      y: row * (rowHeight + ROW_GAP) + above,
      width: side,
      height: tall,
      first: column === 0,
    };
  });
  const tiers = Math.ceil(count / perRow);
  return { panels, above, noteHeight, margins, width, height: tiers * (rowHeight + ROW_GAP) - ROW_GAP };
}
