// Keys that mean the film, wherever in the player the focus is; controls keep their own.

function listenToKeys(player, root, signal) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const on = event.target, writes = on.matches("select, input[type=number]");
    if (event.key === "Escape") player.escape();
    else if (writes) return;
    else if (event.key === " " && !on.matches("button, input[type=checkbox]")) player.clock.toggle();
    else if (event.key === "ArrowLeft") player.clock.by(-1);
    else if (event.key === "ArrowRight") player.clock.by(1);
    else if (event.key === "Home") player.scrub(0, true);
    else if (event.key === "End") player.scrub(player.clock.last, true);
    else if (on !== player.parts.touch) return;
    else if (event.key === "+" || event.key === "=") player.zoomAtMiddle(1.5);
    else if (event.key === "-" || event.key === "_") player.zoomAtMiddle(1 / 1.5);
    else if (event.key === "0") player.showWhole();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
}
