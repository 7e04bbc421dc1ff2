// The events as a list of any length: only rows in sight are elements.

const EVENT_ROW = 66;

class EventList {
  constructor({ list, rows, kinds, acceptedOnly, total }, open) {
    Object.assign(this, { list, rows, kinds, acceptedOnly, total, open });
    this.shown = [];
    this.made = new Map();
    this.active = -1;
    this.step = -1;
    list.addEventListener("scroll", () => this.render());
    list.addEventListener("keydown", (event) => this.key(event));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-at]");
      if (row) this.choose(Number(row.dataset.at));
    });
    for (const control of [kinds, acceptedOnly]) control.addEventListener("change", () => this.filter());
  }

  adopt(film) {
    this.film = film;
    this.firstOf = new Map();
    const all = element("option", { value: "" }, "all kinds");
    this.kinds.replaceChildren(all, ...countsOf(film.happenings).map(({ kind }) =>
      element("option", { value: kind }, kindOf(kind).word)));
    this.filter();
  }

  filter() {
    const kind = this.kinds.value;
    this.shown = this.film.happenings.filter((happening) =>
      (!kind || happening.kind === kind) && (!this.acceptedOnly.checked || happening.accepted));
    this.active = -1;
    this.made.clear();
    this.rows.replaceChildren();
    this.rows.style.height = `${this.shown.length * EVENT_ROW}px`;
    this.total.textContent = this.shown.length.toLocaleString("en");
    if (!this.shown.length) this.rows.append(element("p", { class: "empty" }, this.emptyText));
    this.follow(this.step, true);
  }

  get emptyText() {
    return this.film.happenings.length ? "No event of this kind." : "Nothing changed in this film.";
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5 };
    if (event.key in moves) this.point(this.active < 0 ? this.nearest() : this.active + moves[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && this.active >= 0) this.choose(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  point(at) {
    if (!this.shown.length) return;
    this.active = Math.min(this.shown.length - 1, Math.max(0, at));
    const top = this.active * EVENT_ROW, { scrollTop, clientHeight } = this.list;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (top + EVENT_ROW > scrollTop + clientHeight) this.list.scrollTop = top + EVENT_ROW - clientHeight;
    this.render();
  }

  choose(at) {
    this.active = at;
    this.render();
    this.open(this.shown[at]);
  }

  nearest() { return Math.min(this.shown.length - 1, this.firstAt(this.step)); }

  // The first of the shown events that is not before the step.
  firstAt(step) {
    let low = 0, high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle].step < step) low = middle + 1; else high = middle;
    }
    return low;
  }

  // Scroll along with the film, unless someone is reading.
  follow(step, always = false) {
    this.step = step;
    if (always || !this.list.matches(":hover, :focus")) {
      const first = this.firstAt(step);
      const isHere = this.shown[first]?.step === step;
      if (isHere || always) this.list.scrollTop = Math.max(0, first * EVENT_ROW - (isHere ? 0 : EVENT_ROW));
    }
    this.render();
  }

  render() {
    if (!this.film) return;
    const { scrollTop, clientHeight } = this.list;
    const first = Math.max(0, Math.floor(scrollTop / EVENT_ROW) - 2);
    const last = Math.min(this.shown.length, Math.ceil((scrollTop + clientHeight) / EVENT_ROW) + 2);
    for (const [at, row] of this.made) {
      if (at >= first && at < last) continue;
      row.remove();
      this.made.delete(at);
    }
    for (let at = first; at < last; at++) {
      if (!this.made.has(at)) this.made.set(at, this.rows.appendChild(this.row(at)));
      const row = this.made.get(at);
      row.classList.toggle("now", this.shown[at].step === this.step);
      row.setAttribute("aria-selected", String(at === this.active));
    }
    const active = this.made.get(this.active);
    if (active) this.list.setAttribute("aria-activedescendant", active.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  row(at) {
    const happening = this.shown[at], kind = kindOf(happening.kind);
    const line = (className, ...children) => element("div", { class: className }, ...children);
    const row = element("div", {
      class: `event ${happening.accepted ? "accepted" : "refused"}`,
      role: "option", id: `event-${happening.number}`, "data-at": at, "data-event": happening.number,
      "aria-setsize": this.shown.length, "aria-posinset": at + 1,
      title: happeningText(this.film, happening),
    },
      line("what", glyph(kind.path, happening.kind), element("b", {}, kind.word),
        element("span", { class: "level" }, LEVELS[happening.level].word),
        element("span", { class: "ids" }, changeText(this.film, happening)),
        element("span", { class: "at" }, `step ${happening.step}`)),
      line("why", evidenceText(happening)),
      line("why", objectiveText(happening), element("span", { class: "verdict" }, verdictText(happening))));
    row.style.top = `${at * EVENT_ROW}px`;
    return row;
  }
}
