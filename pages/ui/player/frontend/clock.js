// Where the film is: a number of steps, whole when it rests. It plays, glides to a step, or stands.

const GLIDE_MS = 650, LONGEST_FRAME_MS = 100, HELD_STEPS = 2;

class Clock {
  constructor(steps, { moved, rested }) {
    Object.assign(this, { last: steps - 1, at: 0, speed: 1, loops: false, playing: false, goal: null });
    Object.assign(this, { moved, rested });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  // The step whose events are being shown: the one that the film moves towards.
  get step() { return Math.ceil(this.at); }
  get share() { return this.at === 0 ? 1 : 1 - (this.step - this.at); }

  play() {
    if (this.playing || this.last === 0) return;
    if (this.at >= this.last) this.at = 0;
    this.goal = null;
    this.waited = 0;
    this.playing = true;
    this.moved();
    this.run();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.moved();
    this.rested();
  }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  // At once, as a scrub bar does.
  jump(step) {
    this.playing = false;
    this.goal = null;
    this.at = Math.min(this.last, Math.max(0, step));
    this.moved();
  }

  // In motion from `from`, so that one sees what happens at the step.
  glide(step, from = this.at) {
    const goal = Math.min(this.last, Math.max(0, step));
    if (this.still.matches || from === goal) {
      this.jump(goal);
      return this.rested();
    }
    this.playing = false;
    this.at = Math.max(0, from);
    this.goal = goal;
    this.pace = Math.max(1, Math.abs(goal - this.at)) / GLIDE_MS;
    this.moved();
    return this.run();
  }

  // A key held down is faster than one glide: it counts from the step that is being gone to.
  by(steps) { this.glide((this.goal ?? (steps > 0 ? Math.floor(this.at) : this.step)) + steps); }

  end() {
    this.playing = false;
    this.goal = null;
    cancelAnimationFrame(this.frame);
    this.frame = null;
  }

  run() {
    this.before = null;
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.frame = null;
    const passed = Math.min(LONGEST_FRAME_MS, now - (this.before ?? now));
    this.before = now;
    if (this.playing) this.advance(passed / 1000 * this.speed);
    else if (this.goal !== null) this.approach(passed * this.pace);
    else return;
    this.moved();
    if (this.playing || this.goal !== null) this.frame = requestAnimationFrame((then) => this.tick(then));
    else this.rested();
  }

  advance(steps) {
    if (this.still.matches) {
      // Whole steps, without movement between them.
      this.waited += steps;
      steps = Math.floor(this.waited);
      this.waited -= steps;
    }
    if (this.at < this.last) {
      this.at = Math.min(this.last, this.at + steps);
      this.held = 0;
    } else {
      // The last step is looked at before the film begins again.
      this.held += Math.max(steps, 1e-9);
      if (this.held > HELD_STEPS) this.at = 0;
    }
    this.playing = this.loops || this.at < this.last;
  }

  approach(steps) {
    const left = this.goal - this.at;
    if (Math.abs(left) > steps) this.at += Math.sign(left) * steps;
    else {
      this.at = this.goal;
      this.goal = null;
    }
  }
}
