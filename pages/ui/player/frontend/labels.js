// Names and numbers as text. Names are untrusted: only ever fillText and textContent.

const VISIBLE = { "\n": "↵", "\r": "↵", "\t": "⇥" };

// Control characters, and those that would turn the direction of the text after them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function labelText(name) {
  return name.replace(UNSEEN, (c) => VISIBLE[c] ?? "�").trim() || "∅";
}

function numberText(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e5) {
    const [digits, power] = value.toExponential(1).split("e");
    return `${digits.replace(/\.0$/, "")}e${Number(power)}`.replaceAll("-", "−");
  }
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

function countText(count, word) {
  const plural = word.endsWith("s") || word.endsWith("h") ? `${word}es` : `${word}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? word : plural}`;
}

// A round distance between ticks, at least `least`.
function tickStep(least) {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((m) => m * power >= least * 0.999) * power;
}
