// What the player says about events and splats, in words.

const MOST_IDS = 4;

function idsText(film, splats) {
  if (splats.length > MOST_IDS) return `${splats.length} splats`;
  return splats.map((splat) => `#${film.ids[splat]}`).join(", ");
}

function changeText(film, { kind, before, after }) {
  const [from, to] = [idsText(film, before), idsText(film, after)];
  if (kind === "drift") return from || to;
  if (!before.length) return to || "a new splat";
  return after.length ? `${from} → ${to}` : from;
}

function evidenceText({ kind, evidence, threshold }) {
  const what = `${kindOf(kind).evidence} ${numberText(evidence)}`;
  // A drift follows its keys whatever the number is.
  if (kind === "drift" || !Number.isFinite(threshold)) return what;
  const sign = evidence > threshold ? ">" : evidence < threshold ? "<" : "=";
  return `${what} ${sign} threshold ${numberText(threshold)}`;
}

function objectiveText({ errorBefore, errorAfter }) {
  if (!Number.isFinite(errorBefore) && !Number.isFinite(errorAfter)) return "objective not measured";
  return `objective ${preciseText(errorBefore)} → ${preciseText(errorAfter)}`;
}

// Objectives before and after an event differ in their last digits.
function preciseText(value) {
  const size = Math.abs(value);
  return Number.isFinite(value) && size >= 1e-3 && size < 1e5
    ? String(Number(value.toPrecision(4))).replace("-", "−") : numberText(value);
}

function verdictText({ accepted }) { return accepted ? "accepted" : "rolled back"; }

function happeningText(film, happening) {
  const level = LEVELS[happening.level].word;
  return `Step ${happening.step}: ${kindOf(happening.kind).word}, ${level}, ` +
    `${changeText(film, happening)}; ${evidenceText(happening)}; ${objectiveText(happening)}; ` +
    verdictText(happening);
}

function tooltipLines(film, splat, step) {
  const { share, parent } = film.stateAt(step);
  const age = step - film.born[splat];
  const lines = [
    [LEVELS[film.level[splat]].word, `#${film.ids[splat]}`, "token"],
    ["share", `${numberText(share[splat] * 100)} %`],
    ["age", `${countText(age, "step")} (since step ${film.born[splat]})`],
  ];
  if (parent[splat] >= 0) lines.push(["parent", `#${film.ids[parent[splat]]}`]);
  return lines;
}

// How many events of each kind, accepted first; kinds in the order of the legend.
function countsOf(happenings) {
  const kinds = [...new Set([...Object.keys(KINDS), ...happenings.map(({ kind }) => kind)])];
  return kinds.map((kind) => {
    const ours = happenings.filter((happening) => happening.kind === kind);
    const accepted = ours.filter((happening) => happening.accepted).length;
    return { kind, accepted, rolledBack: ours.length - accepted };
  }).filter(({ accepted, rolledBack }) => accepted + rolledBack > 0);
}

function stepText(film, step) { return `Step ${step} of ${film.steps - 1}: ${labelText(film.names[step])}`; }
