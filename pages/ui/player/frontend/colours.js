// Colours of the theme, of levels and of kinds. Blue, vermilion, green and magenta are told
// apart with every common colour blindness, and each kind also has its own shape.

const PALETTES = {
  light: {
    levels: ["#c27a00", "#0f8a83", "#71809c"],
    birth: "#1f8a3b", mitosis: "#0067c5", merge: "#a8329a", death: "#cf3a16", drift: "#7a8190",
    curves: ["#0067c5", "#c9501c", "#1f8a3b", "#8a4bb8", "#8c6d00", "#5d616d"],
    muted: "#5d616d", line: "#c9ccd4",
  },
  dark: {
    levels: ["#f2ab3c", "#3fc4b6", "#8e9bb8"],
    birth: "#5fd07c", mitosis: "#5cb2ff", merge: "#e88adf", death: "#ff8261", drift: "#a3a9b6",
    curves: ["#5cb2ff", "#ff9c6e", "#5fd07c", "#c79bf2", "#e0c050", "#a9adb8"],
    muted: "#a9adb8", line: "#4a4e5a",
  },
};

// Without colour too, one curve of a panel is told from the next.
const DASHES = [[], [6, 3], [2, 2.5], [9, 3, 2, 3], [1, 4], [12, 4]];

// Read from the style that the element really has, so that any way to write a colour will do.
function themeOf(root) {
  const style = getComputedStyle(root);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const isDark = lightness(style.backgroundColor) < 0.5;
  const palette = PALETTES[isDark ? "dark" : "light"];
  return {
    ...palette,
    dark: isDark,
    background: style.backgroundColor,
    text: style.color,
    primary: read("primary-color") || "#ff4b4b",
    font: read("font") || "sans-serif",
    colourOf: (kind) => palette[kind] ?? palette.drift,
  };
}

function lightness(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return alpha ? (0.299 * red + 0.587 * green + 0.114 * blue) / 255 : 1;
}

// For what is styled rather than painted: legend, list and line of descent.
function nameColours(root, theme) {
  theme.levels.forEach((colour, level) => root.style.setProperty(`--level-${level}`, colour));
  for (const kind of Object.keys(KINDS)) root.style.setProperty(`--${kind}`, theme.colourOf(kind));
  root.style.setProperty("--muted", theme.muted);
  root.style.setProperty("--line", theme.line);
}
