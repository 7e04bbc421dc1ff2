// Pointer and wheel on the map, told to the player as what the visitor means by them.

const DRAG_STARTS = 4, WHEEL_REST_MS = 250;

function listenToPointer(player, stage, signal) {
  const down = new Map();
  let start = null, dragged = false;
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, at(event));
    start = at(event);
    dragged = down.size > 1;
  }, { signal });
  stage.addEventListener("pointermove", (event) => {
    const now = at(event), before = down.get(event.pointerId);
    if (!before) return player.hover(now);
    if (!dragged && Math.hypot(now.x - start.x, now.y - start.y) < DRAG_STARTS) return;
    if (!dragged) stage.setPointerCapture(event.pointerId);
    dragged = true;
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    if (!other) return player.drag(now.x - before.x, now.y - before.y);
    const distance = (point) => Math.max(10, Math.hypot(point.x - other.x, point.y - other.y));
    player.zoom(distance(now) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }, { signal });
  stage.addEventListener("pointerup", (event) => down.delete(event.pointerId), { signal });
  stage.addEventListener("click", (event) => {
    if (!dragged) player.click(at(event));
    dragged = false;
  }, { signal });
  stage.addEventListener("pointercancel", (event) => down.delete(event.pointerId), { signal });
  stage.addEventListener("pointerleave", () => { if (down.size === 0) player.hover(null); }, { signal });
  stage.addEventListener("dblclick", () => player.showWhole(), { signal });
}

// A page scrolled over the map goes on scrolling; a wheel that starts on it zooms.
function listenToWheel(player, stage, signal) {
  let scrolled = 0;
  window.addEventListener("wheel", (event) => {
    if (!event.composedPath().includes(stage)) scrolled = event.timeStamp;
  }, { signal, passive: true, capture: true });
  stage.addEventListener("wheel", (event) => {
    const outwards = event.deltaY > 0 && player.camera.isWhole;
    if (!event.ctrlKey && (outwards || event.timeStamp - scrolled < WHEEL_REST_MS)) {
      scrolled = event.timeStamp;
      return;
    }
    const box = stage.getBoundingClientRect();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    const factor = Math.exp(-Math.max(-240, Math.min(240, pixels)) * (event.ctrlKey ? 0.01 : 0.002));
    player.zoom(factor, { x: event.clientX - box.left, y: event.clientY - box.top });
    event.preventDefault();
  }, { signal, passive: false });
}
