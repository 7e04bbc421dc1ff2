// What the colours and the shapes mean.

const SHAPES = ["■", "◆", "●"];

function fillLegend(legend, points, paint) {
  const { told } = paint, title = element("b");
  title.textContent = labelText(told.title);
  const shapes = element("span", { class: "shapes" });
  shapes.textContent = LEVELS.map((level, at) => `${SHAPES[at]} ${level}`).join("   ");
  // Levels have their shapes as swatches.
  if (told.names.every((name) => LEVELS.includes(name)) && paint.isCategory) shapes.textContent = "";
  legend.replaceChildren(title, ...(paint.isCategory ? swatches(paint) : scale(paint)), shapes);
  if (paint.of.includes(paint.unknown)) shapes.before(swatch(paint.colours[paint.unknown], unknownWord(paint)));
}

function unknownWord({ told, isCategory }) {
  return isCategory ? "other or none" : told.log ? "none, or zero" : "none";
}

function swatch(colour, word) {
  const shape = SHAPES[LEVELS.indexOf(word)], box = element(shape ? "b" : "i");
  const name = element("span"), entry = element("span", { class: "swatch" }, box, name);
  if (shape) box.textContent = shape;
  box.style[shape ? "color" : "background"] = colour;
  name.textContent = labelText(word);
  return entry;
}

function swatches({ told, stops }) {
  return told.names.slice(0, stops.length).map((name, at) => swatch(stops[at], name));
}

function scale(paint) {
  const { told, stops, least, most } = paint;
  if (!Number.isFinite(least)) return [];
  const low = element("span"), high = element("span"), bar = element("i", { class: "bar" });
  low.textContent = valueText(told, least);
  high.textContent = valueText(told, most) + (told.log ? " (log scale)" : "");
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return [low, bar, high];
}
