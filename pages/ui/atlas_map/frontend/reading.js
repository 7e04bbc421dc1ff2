// What the map says about splats and marks, in words.

const LEVELS = ["Document", "Section", "Phrase"], MOST_TOLD = 7, LONGEST = 60;

function valueText({ names, percent }, value) {
  if (names.length) return names[value] ?? "–";
  if (!percent && Number.isInteger(value)) return value.toLocaleString("en");
  return percent && Number.isFinite(value) ? `${numberText(value * 100)} %` : numberText(value);
}

function shortText(text) {
  const shown = labelText(text);
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}

function nameOf({ header, level, ids, arrays }, row) {
  const head = header.heads.length > 1 ? ` · ${labelText(header.heads[arrays.head[row]])}` : "";
  return `${LEVELS[level[row]]} #${ids[row]}${head}`;
}

function splatLines(points, row) {
  const { header, arrays, count, parent } = points, { told } = header;
  const shown = told.map((one, at) => [one, arrays.values[at * count + row]])
    .filter(([one, value], at) => at === header.colours.told || (one.title !== "Level" && Number.isFinite(value)));
  const lines = [[nameOf(points, row), "", "token"]];
  if (header.words[row]) lines.push(["holds", `\u2068${shortText(header.words[row])}\u2069`]);
  for (const [one, value] of shown.slice(0, MOST_TOLD)) lines.push([one.title, valueText(one, value)]);
  if (parent[row] >= 0) lines.push(["parent", `#${points.ids[parent[row]]}`]);
  return lines;
}

function markLines(points, at) {
  const { marks, header } = points, token = marks.token[at], isQuery = marks.isQuery[at] === 1;
  const lines = [[isQuery ? "Query" : "Key", `“\u2068${shortText(header.tokens[token] ?? "")}\u2069” #${token}`, "token"]];
  if (header.heads.length > 1) lines.push(["head", labelText(header.heads[marks.head[at]])]);
  if (!isQuery) lines.push(["held by", `#${points.ids[marks.splat[at]]}`]);
  return lines;
}

function summaryOf(points) {
  const shown = points.standsOut.reduce((sum, one) => sum + one, 0), all = countText(points.count, "splat");
  return shown === points.count ? all : `${shown.toLocaleString("en")} of ${all} stand out`;
}
