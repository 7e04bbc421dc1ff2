// Which cell a point on the stage means.

const SMALL_CELL = 4;

function placeAt(layout, { x, y }) {
  const index = layout.panels.findIndex((place) =>
    x >= place.x && x < place.x + place.width && y >= place.y && y < place.y + place.height);
  return index < 0 ? null : index;
}

function cellSize(layout, view) {
  const [place] = layout.panels;
  return { width: place.width / view.spanColumns, height: place.height / view.spanRows };
}

// Too small to be pointed at one by one, and there is room to zoom in.
function areSmall(layout, view) {
  const { width, height } = cellSize(layout, view);
  return Math.min(width, height) < SMALL_CELL && !view.isClosest;
}

// The cell under the point; where cells are too small, the strongest of those around it.
function cellAt(header, layout, view, point) {
  const index = placeAt(layout, point);
  if (index === null) return null;
  const place = layout.panels[index], { width, height } = cellSize(layout, view);
  const key = Math.min(view.columns - 1, Math.floor(view.left + (point.x - place.x) / width));
  const query = Math.min(view.rows - 1, Math.floor(view.top + (point.y - place.y) / height));
  if (!areSmall(layout, view)) return { query, key };
  const block = 2 ** Math.ceil(Math.log2(SMALL_CELL / Math.min(width, height)));
  const [strongQuery, strongKey] =
    strongestIn(header.panels[index], query - query % block, key - key % block, block);
  return { query: strongQuery, key: strongKey, block };
}
