// The figure's elements: toolbar, stage with two canvases, tooltip, lines of text.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function figureElements() {
  const button = (label, name) => element("button", { type: "button", "aria-label": name, title: name }, label);
  const buttons = {
    zoomIn: button("+", "Zoom in"),
    zoomOut: button("−", "Zoom out"),
    reset: button("Reset", "Show the whole matrix"),
    unlock: button("Unlock", "Release the chosen cell"),
    png: button("PNG", "Save the panels as a PNG image"),
    full: button("Full screen", "Full screen"),
  };
  const hint = element("span", { class: "hint" });
  const base = element("canvas", { class: "base", "aria-hidden": "true" });
  const over = element("canvas", { class: "over", "aria-hidden": "true" });
  const tooltip = element("div", { class: "tooltip", role: "presentation", hidden: "" });
  const stage = element("div", { class: "stage", tabindex: "0", role: "application" }, base, over, tooltip);
  const readout = element("div", { class: "readout", "aria-live": "polite" });
  const caption = element("div", { class: "caption" });
  const tools = element("div", { class: "tools", role: "toolbar", "aria-label": "Heatmap tools" },
    ...Object.values(buttons), hint);
  const root = element("div", { class: "figure", role: "group", "data-ready": "false", "data-selected": "" },
    tools, stage, readout, caption);
  return { root, buttons, hint, base, over, tooltip, stage, readout, caption };
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
function placeTooltip(tooltip, stage, x, y) {
  tooltip.hidden = false;
  const { offsetWidth: wide, offsetHeight: tall } = tooltip;
  const left = x + 18 + wide > stage.clientWidth ? x - 18 - wide : x + 18;
  const top = y + 18 + tall > stage.clientHeight ? y - 18 - tall : y + 18;
  tooltip.style.left = `${Math.max(0, Math.min(left, stage.clientWidth - wide))}px`;
  tooltip.style.top = `${Math.max(0, top)}px`;
}
