// What the player says of the step, beside the map and on its controls.

function tellStep(parts, film, step) {
  const { root, count, name, tally, play, scrub } = parts;
  root.dataset.step = step;
  scrub.value = step;
  scrub.setAttribute("aria-valuetext", stepText(film, step));
  count.textContent = `Step ${step} of ${film.steps - 1}`;
  name.textContent = name.title = labelText(film.names[step]);
  const counts = countsOf(film.happeningsAt(step));
  tally.replaceChildren(...counts.map(({ kind, accepted, rolledBack }) => {
    const { path, word, many } = kindOf(kind), back = rolledBack ? `, ${rolledBack} rolled back` : "";
    const text = `${accepted} ${accepted === 1 ? word.toLowerCase() : many}`;
    return element("span", { class: "chip" }, glyph(path, kind), text + back);
  }));
  const none = step ? "nothing changed" : "before the first change";
  if (!counts.length) tally.append(element("span", { class: "chip quiet" }, none));
  play.back.disabled = step === 0;
  play.forward.disabled = step === film.steps - 1;
}

function tellPlaying({ root, play, reading }, playing) {
  root.dataset.playing = playing;
  play.toggle.replaceChildren(icon(playing ? "pause" : "play"));
  play.toggle.title = playing ? "Pause" : "Play";
  play.toggle.setAttribute("aria-label", play.toggle.title);
  // Whoever listens is told of the step at which the film rests, not of all on the way.
  reading.setAttribute("aria-live", playing ? "off" : "polite");
}

function tellFilm({ touch, bigPlay, scrub }, film) {
  scrub.max = film.steps - 1;
  const changes = film.happenings.filter(({ accepted, kind }) => accepted && kind !== "drift").length;
  bigPlay.hidden = film.steps < 2;
  bigPlay.replaceChildren(
    element("span", { class: "triangle" }, icon("play")),
    element("span", {}, element("b", {}, "Play the film"),
      element("small", {}, `${countText(film.steps, "step")} · ${countText(changes, "accepted change")}`)));
  touch.setAttribute("aria-label",
    `${labelText(film.title)}: map of ${countText(film.splats, "splat")}. Space plays, arrow keys step, ` +
    "plus and minus zoom, zero shows everything, Escape clears the selection. " +
    "A splat can also be chosen by its id.");
}
