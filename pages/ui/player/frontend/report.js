// What Python and the player know of each other.

const REPORT_REST_MS = 200;

class Report {
  constructor(send) {
    this.send = send;
    this.forget();
  }

  // Of a new film Python has heard nothing yet.
  forget() {
    this.known = { selected: null, step: 0 };
    this.number = 0;
  }

  end() { clearTimeout(this.waiting); }

  // A step passed through on the way to another is not told.
  tell(stateNow, restMs = REPORT_REST_MS) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const state = stateNow();
      if (state.selected === this.known.selected && state.step === this.known.step) return;
      this.known = state;
      this.number += 1;
      this.send({ ...state, number: this.number });
    }, restMs);
  }

  // What is new in a wish. One that does not know our last report is stale; one that says what
  // Python said before is no wish, and the film may have moved on since.
  newIn({ selected = null, step = 0, heard = 0 }) {
    if (heard < this.number) return {};
    const wanted = {};
    if (selected !== this.known.selected) wanted.selected = selected;
    if ((step ?? 0) !== this.known.step) wanted.step = step ?? 0;
    this.number = heard;
    this.known = { selected, step: step ?? 0 };
    return wanted;
  }
}
