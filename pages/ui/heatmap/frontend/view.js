// Which cells are in sight: the corner (key, query) in cells, and how many times enlarged.
// One view serves all panels, so they zoom and pan together.

const FEWEST_CELLS = 4;

// The shorter side of an oblong matrix stops at a few cells while the longer one still zooms.
function span(cells, zoom) {
  return Math.max(Math.min(FEWEST_CELLS, cells), cells / zoom);
}

class View {
  constructor(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.left = 0;
    this.top = 0;
  }

  get mostZoom() { return Math.max(1, this.rows / FEWEST_CELLS, this.columns / FEWEST_CELLS); }
  get isWhole() { return this.zoom <= 1.0001; }
  get isClosest() { return this.zoom >= this.mostZoom * 0.9999; }
  get spanColumns() { return span(this.columns, this.zoom); }
  get spanRows() { return span(this.rows, this.zoom); }

  // Enlarge so that the point at share (x, y) of the panel stays where it is.
  zoomBy(factor, x, y) {
    const column = this.left + x * this.spanColumns, row = this.top + y * this.spanRows;
    this.zoom = Math.min(this.mostZoom, Math.max(1, this.zoom * factor));
    this.moveTo(column - x * this.spanColumns, row - y * this.spanRows);
  }

  moveTo(left, top) {
    this.left = Math.min(this.columns - this.spanColumns, Math.max(0, left));
    this.top = Math.min(this.rows - this.spanRows, Math.max(0, top));
  }

  // The least move that brings a cell, and a little around it, into sight.
  reveal([query, key]) {
    const into = (start, span, at) => {
      const margin = Math.min(2, (span - 1) / 2);
      return Math.min(at - margin, Math.max(at + 1 + margin - span, start));
    };
    this.moveTo(into(this.left, this.spanColumns, key), into(this.top, this.spanRows, query));
  }
}
