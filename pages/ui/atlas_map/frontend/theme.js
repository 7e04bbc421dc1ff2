// Colours of the page, and of the attribute that Python chose to show.

const STEPS_OF_COLOUR = 64;

// Read from the style that the element really has, so that any way to write a colour will do.
function themeOf(root) {
  const style = getComputedStyle(root);
  const dark = lightness(style.backgroundColor) < 0.5;
  return {
    dark,
    background: style.backgroundColor,
    text: style.color,
    muted: dark ? "#a9adb8" : "#5d616d",
    line: dark ? "#4a4e5a" : "#c9ccd4",
    unknown: dark ? "#5a5f6b" : "#b9bec8",
    key: dark ? "#ff9c6e" : "#c9501c",
    query: dark ? "#5cb2ff" : "#0067c5",
    primary: style.getPropertyValue("--st-primary-color").trim() || "#ff4b4b",
    font: style.getPropertyValue("--st-font").trim() || "sans-serif",
  };
}

function lightness(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return alpha ? (0.299 * red + 0.587 * green + 0.114 * blue) / 255 : 1;
}

// A number for every splat's colour and the colours by number; the last one is for the unknown.
class Paint {
  constructor(header, values, theme) {
    const { told, light, dark } = header.colours, stops = theme.dark ? dark : light;
    this.told = header.told[told];
    this.stops = stops;
    const own = values.subarray(told * header.words.length, (told + 1) * header.words.length);
    this.isCategory = this.told.names.length > 0;
    this.colours = this.isCategory ? [...stops] : shades(stops);
    this.colours.push(theme.unknown);
    this.unknown = this.colours.length - 1;
    if (!this.isCategory) this.measure(own);
    this.of = Uint8Array.from(own, (value) => this.numberOf(value));
  }

  // Of a quantity that follows the logarithm only what is above zero has a place.
  measure(own) {
    const known = own.filter((value) => Number.isFinite(value) && (!this.told.log || value > 0));
    this.least = known.length ? known.reduce((a, b) => Math.min(a, b)) : NaN;
    this.most = known.length ? known.reduce((a, b) => Math.max(a, b)) : NaN;
  }

  numberOf(value) {
    if (!Number.isFinite(value)) return this.unknown;
    if (this.isCategory) return value < this.stops.length ? value : this.unknown;
    if (this.told.log && value <= 0) return this.unknown;
    const place = this.told.log
      ? Math.log(value / this.least) / (Math.log(this.most / this.least) || 1)
      : (value - this.least) / (this.most - this.least || 1);
    return Math.round(Math.min(1, Math.max(0, place)) * (STEPS_OF_COLOUR - 1));
  }
}

function shades(stops) {
  const context = document.createElement("canvas").getContext("2d");
  const gradient = context.createLinearGradient(0, 0, STEPS_OF_COLOUR, 0);
  stops.forEach((stop, at) => gradient.addColorStop(at / Math.max(1, stops.length - 1), stop));
  context.fillStyle = gradient;
  context.fillRect(0, 0, STEPS_OF_COLOUR, 1);
  const { data } = context.getImageData(0, 0, STEPS_OF_COLOUR, 1);
  return Array.from({ length: STEPS_OF_COLOUR }, (_, at) =>
    `rgb(${data[4 * at]} ${data[4 * at + 1]} ${data[4 * at + 2]})`);
}
