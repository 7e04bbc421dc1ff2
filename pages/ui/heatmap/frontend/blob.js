// The figure's bytes (see blob.py) and what an 8-bit code means (see quantisation.py).

const BLANK = 0, ZERO = 1, FIRST_BELOW = 2, STEPS_BELOW = 30, FIRST_STEP = 33, STEPS = 222;
const MIDDLE = 128, HALF_STEPS = 127, LOG_DECADES = 4;

function headerOf(blob) {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const end = 4 + view.getUint32(0, true);
  return [JSON.parse(new TextDecoder().decode(blob.subarray(4, end))), end];
}

async function readBlob(blob) {
  const [header, bodyStart] = headerOf(blob);
  const inflated = new Blob([blob.subarray(bodyStart)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const body = new Uint8Array(await new Response(inflated).arrayBuffer());
  for (const panel of header.panels) {
    for (const level of panel.levels) {
      level.codes = body.subarray(level.offset, level.offset + level.rows * level.columns);
    }
  }
  return header;
}

function magnitudeAt(panel, position) {
  if (panel.scale === "gamma") return panel.largest * position * position;
  if (panel.scale === "log") return panel.largest * 10 ** (LOG_DECADES * (position - 1));
  return panel.largest * position;
}

// Position of a code along the colour bar, with its sign.
function positionOf(panel, code) {
  if (panel.kind === "diverging") return (code - MIDDLE) / HALF_STEPS;
  if (code < FIRST_BELOW) return 0;
  return code < FIRST_STEP ? -(code - FIRST_BELOW) / STEPS_BELOW : (code - FIRST_STEP) / STEPS;
}

function codeAt(panel, query, key) {
  const level = panel.levels[0];
  return level.codes[query * level.columns + key];
}

function valueText(panel, code) {
  if (code === (panel.kind === "diverging" ? MIDDLE : ZERO)) {
    return panel.floor ? `under ${numberText(panel.floor)}` : panel.kind === "diverging" ? "≈ 0" : "0";
  }
  const position = positionOf(panel, code);
  const below = position < 0 || (panel.kind === "sequential" && code < FIRST_STEP);
  const sign = below ? "−" : panel.kind === "diverging" ? "+" : "";
  if (below && position === 0 && !panel.floor) return "just below 0";
  return `≈ ${sign}${numberText(magnitudeAt(panel, Math.abs(position)))}`;
}

function numberText(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e5) {
    const [digits, power] = value.toExponential(1).split("e");
    return `${digits.replace(/\.0$/, "")}e${Number(power)}`.replace("-", "−");
  }
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

// The most telling code of a square block of cells, and where it is.
function strongestIn(panel, query, key, side) {
  const { rows, columns, codes } = panel.levels[0];
  let best = -1, at = [query, key];
  for (let i = query; i < Math.min(rows, query + side); i++) {
    for (let j = key; j < Math.min(columns, key + side); j++) {
      const code = codes[i * columns + j];
      const strength = code === BLANK ? -0.5 : Math.abs(positionOf(panel, code));
      if (strength > best) { best = strength; at = [i, j]; }
    }
  }
  return at;
}
