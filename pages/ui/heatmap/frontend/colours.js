// Colours of the theme and of the codes. Ramps are interpolated in OKLab, so that equal steps
// look equal; both begin at the page's background. Lightness alone already orders them, and
// blue against orange-red is told apart with every common colour blindness.

const RAMPS = {
  light: {
    sequential: ["#d3ecd6", "#86cbb6", "#3a9ea5", "#1f6a8c", "#26386b", "#1d1138"],
    negative: ["#c3dcf0", "#7fb2dd", "#3f7fc0", "#1f4f93", "#10295c"],
    positive: ["#fbd9c4", "#f2a27c", "#db6444", "#ab2b2b", "#650d1f"],
    belowZero: ["#f3c6e2", "#d12f9b", "#7d0f59"],
  },
  dark: {
    sequential: ["#1d2a52", "#1f5a7d", "#2f8f9b", "#6cc3a6", "#c3e8b0", "#fbfbd6"],
    negative: ["#16345f", "#22609f", "#4790d6", "#8cc1f0", "#d8ecfc"],
    positive: ["#57211f", "#96362a", "#d55f3f", "#f5a17a", "#fde0cd"],
    belowZero: ["#4d1f3f", "#d9499f", "#ffc2e6"],
  },
};

function rgbOf(colour, fallback) {
  const context = rgbOf.context ??= document.createElement("canvas")
    .getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = fallback;
  if (colour) context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return alpha < 255 && colour !== fallback ? rgbOf(fallback, fallback) : [red, green, blue];
}

function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const background = rgbOf(read("background-color"), "#ffffff");
  const [red, green, blue] = background;
  const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  return {
    dark,
    background: cssOf(background),
    text: cssOf(rgbOf(read("text-color"), dark ? "#fafafa" : "#31333f")),
    muted: dark ? "#a9adb8" : "#5d616d",
    line: dark ? "#4a4e5a" : "#c9ccd4",
    hatch: dark ? "#31343d" : "#e3e5ea",
    primary: cssOf(rgbOf(read("primary-color"), "#ff4b4b")),
    font: read("font", "sans-serif"),
    ramps: RAMPS[dark ? "dark" : "light"],
  };
}

function cssOf([red, green, blue]) {
  return `rgb(${Math.round(red)}, ${Math.round(green)}, ${Math.round(blue)})`;
}

// 256 colours as the 32-bit words of an ImageData; blank is transparent.
function coloursOf(panel, theme) {
  const { sequential, negative, positive, belowZero } = theme.ramps;
  const rampFrom = (stops) => ramp([theme.background, ...stops]);
  const up = rampFrom(panel.kind === "diverging" ? positive : sequential);
  const down = rampFrom(panel.kind === "diverging" ? negative : belowZero);
  const words = new Uint32Array(256);
  for (let code = 1; code < 256; code++) {
    const position = positionOf(panel, code);
    const rgb = position < 0 ? down(-position) : up(position);
    words[code] = (255 << 24 | rgb[2] << 16 | rgb[1] << 8 | rgb[0]) >>> 0;
  }
  return words;
}

function ramp(stops) {
  const points = stops.map((stop) => oklabOf(rgbOf(stop, "#808080")));
  return (position) => {
    const along = Math.min(1, position) * (points.length - 1);
    const from = Math.min(points.length - 2, Math.floor(along)), share = along - from;
    return rgbOfOklab(points[from].map((value, c) => value + share * (points[from + 1][c] - value)));
  };
}

// OKLab after B. Ottosson, "A perceptual color space for image processing" (2020).
function oklabOf(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const v = value / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function rgbOfOklab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((v) => {
    const value = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });
}
