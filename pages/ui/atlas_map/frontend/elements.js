// The map's elements. Text arrives by textContent alone.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function mapElements() {
  const button = (label, name) => element("button", { type: "button", "aria-label": name, title: name }, label);
  const buttons = {
    zoomIn: button("+", "Zoom in"), zoomOut: button("−", "Zoom out"), whole: button("Fit", "Show the whole map"),
    png: button("PNG", "Save the map as a PNG image"), svg: button("SVG", "Save the map as an SVG image"),
    full: button("Full screen", "Full screen"),
  };
  const switches = {}, labels = {};
  for (const [name, word, on] of [["links", "Parent links", true], ["keys", "Keys", true], ["queries", "Queries", false]]) {
    switches[name] = element("input", on ? { type: "checkbox", checked: "" } : { type: "checkbox" });
    labels[name] = element("label", { class: "switch" }, switches[name], word);
  }
  const tools = element("div", { class: "tools", role: "toolbar", "aria-label": "Map tools" },
    ...Object.values(labels), element("span", { class: "gap" }), ...Object.values(buttons));
  const canvas = element("canvas", { class: "map", "aria-hidden": "true" });
  const tooltip = element("div", { class: "tooltip", role: "presentation", hidden: "" });
  const touch = element("div", { class: "touch", tabindex: "0", role: "application" }, canvas, tooltip);
  const legend = element("div", { class: "legend" }), told = element("div", { class: "told" });
  const readout = element("div", { class: "readout", "aria-live": "polite" });
  const root = element("div", { class: "atlas", role: "group", "data-ready": "false", "data-selected": "" },
    tools, touch, element("div", { class: "below" }, legend, told), readout);
  return { root, buttons, switches, labels, canvas, tooltip, touch, legend, told, readout };
}

// "label  value" pairs as plain text, never as markup.
function fillTooltip(tooltip, lines) {
  tooltip.replaceChildren(...lines.map(([label, value, kind = ""]) => {
    const name = element("span", { class: `name ${kind}` }), text = element("span", { class: `value ${kind}` });
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
