// The chosen splat's line of descent: lanes on the left, and beside each event why it happened.

const KIN_ROW = 62, LANE = 12, MOST_LANES = 12;

class DescentPanel {
  constructor({ kinGraph, clear, find }, { choose, open }) {
    Object.assign(this, { host: kinGraph, clear, find, choose, open });
    this.rows = [];
  }

  // Returns the kin, which the map shows too.
  show(film, splat, step) {
    this.film = film;
    this.clear.disabled = splat === null;
    this.host.scrollTop = 0;
    this.find.value = splat === null ? "" : film.ids[splat];
    if (splat === null) {
      this.rows = [];
      this.host.replaceChildren(element("p", { class: "empty" },
        "Click a splat on the map, or type its id: what it came from, what became of it, and why."));
      return null;
    }
    const { kin, cut } = kinOf(film, splat);
    const { rows, width } = lanesOf(chronicleOf(film, kin), kin);
    const lanes = Math.min(MOST_LANES, width), wide = lanes * LANE + 8;
    const list = element("ol", {}, ...rows.map((row, at) => this.row(row, at, wide, splat)));
    this.rows = [...list.children].map((row, at) => ({ row, step: rows[at].entry.step }));
    const parts = [list];
    if (cut) parts.push(element("p", { class: "empty" }, `A long line: the nearest ${MOST_KIN} each way are shown.`));
    this.host.replaceChildren(...parts);
    this.tell(step);
    return kin;
  }

  // What is yet to come is paler.
  tell(step) {
    for (const entry of this.rows) entry.row.classList.toggle("later", entry.step > step);
  }

  row({ entry, above, below, through, node }, at, wide, chosen) {
    const graph = svgElement("svg", {
      class: "lanes", width: wide, height: KIN_ROW, viewBox: `0 0 ${wide} ${KIN_ROW}`, "aria-hidden": "true",
    });
    const x = (lane) => 9 + Math.min(lane, MOST_LANES - 1) * LANE, middle = 16;
    const line = (d, splat) => graph.append(svgElement("path", { d, class: splat === chosen ? "own" : "other" }));
    for (const { splat, lane } of through) line(`M${x(lane)} 0V${KIN_ROW}`, splat);
    for (const { splat, lane } of above) line(`M${x(lane)} 0C${x(lane)} 10 ${x(node)} 6 ${x(node)} ${middle}`, splat);
    for (const { splat, lane } of below) {
      line(`M${x(node)} ${middle}C${x(node)} ${middle + 16} ${x(lane)} ${middle + 10} ${x(lane)} ${middle + 26}V${KIN_ROW}`, splat);
    }
    const kind = entry.type === "event" || entry.type === "run" ? entry.happening.kind : "stands";
    graph.append(svgElement("circle", { cx: x(node), cy: middle, r: 5, class: `node kin-${entry.type} ${kind}` }));
    return element("li", { class: `kin-${entry.type}` }, graph, this.words(entry, chosen));
  }

  words(entry, chosen) {
    const step = button(`step ${entry.step}`, `Go to step ${entry.step}`, { class: "at" });
    step.addEventListener("click", () => this.open(entry.step, entry.happening ?? null));
    const head = element("div", { class: "what" }), ids = (splats) => this.ids(splats, chosen);
    if (entry.type === "start") {
      head.append(...ids([entry.splat]), entry.step ? " first stands" : " stands from the start", step);
      return element("div", { class: "words" }, head);
    }
    if (entry.type === "end") {
      head.append(...ids([entry.splat]), " stands at the end", step);
      return element("div", { class: "words" }, head);
    }
    const { happening } = entry, { before, after } = happening;
    const word = element("b", { class: happening.kind }, kindOf(happening.kind).word), of = element("span", { class: "ids" });
    if (entry.type === "run") {
      of.append(...ids([entry.splat]), entry.times > 1 ? ` × ${entry.times} since step ${entry.first}` : "");
    } else if (before.length && after.length) of.append(...ids(before), " → ", ...ids(after));
    else of.append(...ids(before.length ? before : after));
    head.append(word, of, step);
    const last = entry.type === "run" && entry.times > 1 ? "last: " : "";
    const reasons = [last + evidenceText(happening), `${objectiveText(happening)} · ${verdictText(happening)}`];
    return element("div", { class: "words", title: happeningText(this.film, happening) }, head,
      ...reasons.map((text) => element("div", { class: "why" }, text)));
  }

  ids(splats, chosen) {
    return splats.flatMap((splat, at) => {
      const name = `#${this.film.ids[splat]}`;
      const one = button(name, `Choose splat ${name}`, { class: splat === chosen ? "id own" : "id" });
      one.addEventListener("click", () => this.choose(splat));
      return at ? [" + ", one] : [one];
    });
  }
}
