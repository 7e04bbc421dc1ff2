// What the figure says about a cell, in words.

function isMasked(header, query, key) {
  return header.causal && key > query + header.keys.length - header.queries.length;
}

// A hidden first key has no colour, yet it may be asked about.
function canChoose(header, query, key) {
  if (query < 0 || key < 0 || query >= header.queries.length || key >= header.keys.length) return false;
  if (isMasked(header, query, key)) return false;
  if (header.hide_first_key && key === 0) return true;
  return header.panels.some((panel) => codeAt(panel, query, key) !== BLANK);
}

function valueAt(header, panel, query, key) {
  if (isMasked(header, query, key)) return "masked";
  if (header.hide_first_key && key === 0) return "hidden";
  const code = codeAt(panel, query, key);
  return code === BLANK ? "not computed" : valueText(panel, code);
}

function tokenText(tokens, at) {
  const text = labelText(tokens[at]);
  const isolated = `\u2068${text.length > 40 ? `${text.slice(0, 40)}…` : text}\u2069`;
  return `“${isolated}” #${at}`;
}

function tooltipLines(header, { query, key, block }) {
  const lines = [
    ["query", tokenText(header.queries, query), "token"],
    ["key", tokenText(header.keys, key), "token"],
    ...header.panels.map((panel) => [panel.title, valueAt(header, panel, query, key)]),
  ];
  if (block > 1) lines.push(["", `strongest of the ${block} × ${block} cells here`, "aside"]);
  return lines;
}

function readoutOf(header, [query, key]) {
  const values = header.panels.map((panel) => `${panel.title} ${valueAt(header, panel, query, key)}`);
  return `Query ${tokenText(header.queries, query)} → key ${tokenText(header.keys, key)}: ${values.join(" · ")}`;
}
