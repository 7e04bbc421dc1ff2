// Tokens as text. They are untrusted: only ever fillText and textContent.

const VISIBLE = { "\n": "↵", "\r": "↵", "\t": "⇥", " ": "␣" };

// Control characters, and those that would turn the direction of the text after them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function labelText(token) {
  const shown = token.replace(UNSEEN, (c) => VISIBLE[c] ?? "�");
  return shown.trim() === "" ? shown.replaceAll(" ", VISIBLE[" "]) || "∅" : shown.trim();
}

function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = Array.from(text.slice(0, 200));
  let low = 0, high = letters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const fits = context.measureText(letters.slice(0, middle).join("") + "…").width <= width;
    if (fits) low = middle; else high = middle - 1;
  }
  return letters.slice(0, low).join("") + "…";
}

function widestLabel(context, tokens, most) {
  let widest = 0;
  for (const token of tokens) {
    widest = Math.max(widest, context.measureText(labelText(token).slice(0, 40)).width);
    if (widest >= most) return most;
  }
  return widest;
}

// A round distance between position ticks, at least `least` cells.
function tickStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return Math.max(1, [1, 2, 5, 10].find((m) => m * power >= least) * power);
}
