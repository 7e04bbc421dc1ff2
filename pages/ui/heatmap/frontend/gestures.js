// Pointer, wheel and keys, told to the figure as what the visitor means by them.

const DRAG_STARTS = 4, WHEEL_REST_MS = 250;
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function listenToPointer(figure, stage, signal) {
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
    if (!before) return figure.hover(now);
    if (!dragged && Math.hypot(now.x - start.x, now.y - start.y) < DRAG_STARTS) return;
    if (!dragged) stage.setPointerCapture(event.pointerId);
    dragged = true;
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    if (!other) return figure.drag(start, now.x - before.x, now.y - before.y);
    const distance = (point) => Math.max(10, Math.hypot(point.x - other.x, point.y - other.y));
    figure.zoom(distance(now) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }, { signal });
  // A click rounds its position and only a click counts itself: take the place from the pointer.
  let released = null;
  stage.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    released = at(event);
  }, { signal });
  stage.addEventListener("click", (event) => {
    if (!dragged && released) figure.click(released, event.detail);
    dragged = false;
  }, { signal });
  stage.addEventListener("pointercancel", (event) => down.delete(event.pointerId), { signal });
  stage.addEventListener("pointerleave", () => { if (down.size === 0) figure.leave(); }, { signal });
  stage.addEventListener("dblclick", () => figure.doubleClick(), { signal });
}

// A page scrolled over the figure goes on scrolling; a wheel that starts on it zooms.
function listenToWheel(figure, stage, signal) {
  let scrolled = 0;
  window.addEventListener("wheel", (event) => {
    if (!event.composedPath().includes(stage)) scrolled = event.timeStamp;
  }, { signal, passive: true, capture: true });
  stage.addEventListener("wheel", (event) => {
    const outwards = event.deltaY > 0 && figure.view.isWhole;
    if (!event.ctrlKey && (outwards || event.timeStamp - scrolled < WHEEL_REST_MS)) {
      scrolled = event.timeStamp;
      return;
    }
    const box = stage.getBoundingClientRect();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    const factor = Math.exp(-Math.max(-240, Math.min(240, pixels)) * (event.ctrlKey ? 0.01 : 0.002));
    const point = { x: event.clientX - box.left, y: event.clientY - box.top };
    if (figure.zoom(factor, point)) event.preventDefault();
  }, { signal, passive: false });
}

function listenToKeys(figure, stage, signal) {
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const reach = event.shiftKey ? 10 : 1, arrow = ARROWS[event.key];
    if (arrow) figure.step(arrow[0] * reach, arrow[1] * reach);
    else if (event.key === "+" || event.key === "=") figure.zoomAtCell(1.5);
    else if (event.key === "-" || event.key === "_") figure.zoomAtCell(1 / 1.5);
    else if (event.key === "0") figure.reset();
    else if (event.key === "Enter" || event.key === " ") figure.chooseHovered();
    else if (event.key === "Escape") figure.choose(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
}

function listenToButtons(figure, buttons, signal) {
  const on = (button, act) => button.addEventListener("click", act, { signal });
  on(buttons.zoomIn, () => figure.zoomAtCell(1.5));
  on(buttons.zoomOut, () => figure.zoomAtCell(1 / 1.5));
  on(buttons.reset, () => figure.reset());
  on(buttons.unlock, () => figure.choose(null));
  on(buttons.png, () => figure.savePng());
  on(buttons.full, () => figure.toggleFullScreen());
}
