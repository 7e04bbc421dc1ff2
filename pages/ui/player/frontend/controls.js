// Buttons, boxes and the scrub bar, told to the player as what the visitor means by them.

function listenToControls(player, parts, signal) {
  const { play, view } = parts;
  const on = (control, kind, act) => control.addEventListener(kind, act, { signal });
  on(parts.bigPlay, "click", () => {
    player.clock.play();
    play.toggle.focus();
  });
  on(play.toggle, "click", () => player.clock.toggle());
  on(play.back, "click", () => player.clock.by(-1));
  on(play.forward, "click", () => player.clock.by(1));
  on(play.loop, "click", () => player.setLoop(!player.clock.loops));
  on(play.full, "click", () => player.toggleFullScreen());
  on(view.zoomIn, "click", () => player.zoomAtMiddle(1.5));
  on(view.zoomOut, "click", () => player.zoomAtMiddle(1 / 1.5));
  on(view.whole, "click", () => player.showWhole());
  on(parts.links, "change", () => player.draw());
  on(parts.speed, "change", () => { player.clock.speed = Number(parts.speed.value); });
  on(parts.scrub, "input", () => player.scrub(Number(parts.scrub.value), false));
  on(parts.scrub, "change", () => player.scrub(Number(parts.scrub.value), true));
  on(parts.clear, "click", () => player.choose(null));
  on(parts.find, "change", () => findSplat(player, parts.find));
}

function findSplat(player, find) {
  const splat = player.film.numberOf.get(Number(find.value));
  const isKnown = find.value === "" || splat !== undefined;
  if (isKnown) player.choose(splat ?? null);
  find.setCustomValidity(isKnown ? "" : "No splat has this id");
  find.reportValidity();
}
