// The player's elements: what stands still. Text arrives by textContent alone.

const SPEEDS = [0.5, 1, 2, 4, 8];
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function glyph(path, kind) {
  return svgElement("svg", { viewBox: "0 0 16 16", class: `glyph ${kind}`, "aria-hidden": "true" },
    svgElement("path", { d: path }));
}

function icon(name) { return glyph(ICONS[name], `icon ${name}`); }

function button(label, name, attributes = {}) {
  return element("button", { type: "button", "aria-label": name, title: name, ...attributes }, label);
}

function playerElements() {
  const parts = { ...nowElements(), ...stageElements(), ...transportElements(), ...sideElements() };
  parts.legend = legendElement();
  parts.curves = element("div", { class: "curves", role: "group", "aria-label": "Curves" });
  const film = element("div", { class: "film" }, parts.reading, parts.stage, parts.legend, parts.transport);
  const body = element("div", { class: "body" }, film, parts.side, parts.curves);
  parts.root = element("div", { class: "player", role: "group", "data-ready": "false" }, body);
  return parts;
}

function nowElements() {
  const count = element("span", { class: "count" }), name = element("span", { class: "name", dir: "auto" });
  const tally = element("div", { class: "tally" });
  const reading = element("div", { class: "reading", "aria-live": "polite" }, element("div", { class: "step" }, count, name), tally);
  return { reading, count, name, tally };
}

function stageElements() {
  const map = element("canvas", { class: "map", "aria-hidden": "true" });
  const tooltip = element("div", { class: "tooltip", role: "presentation", hidden: "" });
  const bigPlay = button("", "Play the film", { class: "big-play" });
  const view = {
    zoomIn: button(icon("plus"), "Zoom in"),
    zoomOut: button(icon("minus"), "Zoom out"),
    whole: button("Fit", "Show the whole map"),
  };
  const links = element("input", { type: "checkbox", checked: "" });
  const linksLabel = element("label", { class: "switch" }, links, "Parent links");
  const tools = element("div", { class: "tools" }, linksLabel, ...Object.values(view));
  const touch = element("div", { class: "touch", tabindex: "0", role: "application" }, map, tooltip);
  const stage = element("div", { class: "stage" }, touch, tools, bigPlay);
  return { stage, touch, map, tooltip, bigPlay, view, links };
}

function transportElements() {
  const play = {
    back: button(icon("back"), "One step back"),
    toggle: button(icon("play"), "Play", { class: "toggle" }),
    forward: button(icon("forward"), "One step forward"),
    loop: button(icon("loop"), "Play in a loop", { "aria-pressed": "false" }),
    full: button(icon("full"), "Full screen"),
  };
  const speed = element("select", { "aria-label": "Speed, steps a second", title: "Speed, steps a second" },
    ...SPEEDS.map((times) => element("option", { value: times }, `${times}×`)));
  speed.value = "1";
  const ticks = element("canvas", { class: "ticks", "aria-hidden": "true" });
  const scrub = element("input", { type: "range", min: "0", step: "1", value: "0", "aria-label": "Step" });
  const track = element("div", { class: "track" }, ticks, scrub);
  const buttons = element("div", { class: "buttons", role: "toolbar", "aria-label": "Playing" },
    play.back, play.toggle, play.forward, speed, play.loop, play.full);
  const transport = element("div", { class: "transport" }, buttons, track);
  return { transport, play, speed, ticks, scrub, track };
}

function sideElements() {
  const find = element("input", {
    type: "number", placeholder: "id", "aria-label": "Choose a splat by its id", title: "Choose a splat by its id",
  });
  const clear = button(icon("clear"), "Clear the selection", { disabled: "" });
  const kinGraph = element("div", { class: "kin" });
  const descent = element("section", { class: "descent", "aria-label": "Line of descent" },
    element("header", {}, element("h3", {}, "Line of descent"), element("label", { class: "find" }, "#", find), clear),
    kinGraph);
  const kinds = element("select", { "aria-label": "Kind of event" });
  const acceptedOnly = element("input", { type: "checkbox" });
  const total = element("span", { class: "total", "aria-live": "polite" });
  const rows = element("div", { class: "rows" });
  const list = element("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Events" }, rows);
  const events = element("section", { class: "events", "aria-label": "Events" },
    element("header", {}, element("h3", {}, "Events"), total, kinds,
      element("label", { class: "switch" }, acceptedOnly, "accepted only")),
    list);
  const side = element("div", { class: "side" }, element("div", { class: "panels" }, descent, events));
  return { side, descent, find, clear, kinGraph, events, kinds, acceptedOnly, total, list, rows };
}

function legendElement() {
  const entry = (path, kind, word) => element("li", {}, glyph(path, kind), word);
  return element("ul", { class: "legend", "aria-label": "Shapes and colours" },
    ...LEVELS.map(({ word, path }, level) => entry(path, `level-${level}`, word)),
    ...Object.entries(KINDS).map(([kind, { word, path }]) => entry(path, kind, word)),
    entry(ROLLED_BACK, "rolled-back", "Rolled back"),
    element("li", { class: "aside" }, "area: prior share · track: accepted above the line, rolled back below"));
}

// "label  value" pairs as plain text, never as markup.
function fillTooltip(tooltip, lines) {
  tooltip.replaceChildren(...lines.map(([label, value, kind = ""]) => {
    const name = element("span", { class: "name" }), text = element("span", { class: `value ${kind}` });
    name.textContent = label;
    text.textContent = value;
    return element("div", {}, name, text);
  }));
}

// Beside the pointer, and inside the stage where it can be.
function placeTooltip(tooltip, stage, { x, y }) {
  tooltip.hidden = false;
  const { offsetWidth: wide, offsetHeight: tall } = tooltip;
  const left = x + 16 + wide > stage.clientWidth ? x - 16 - wide : x + 16;
  const top = y + 16 + tall > stage.clientHeight ? y - 16 - tall : y + 16;
  tooltip.style.left = `${Math.max(0, Math.min(left, stage.clientWidth - wide))}px`;
  tooltip.style.top = `${Math.max(0, top)}px`;
}
