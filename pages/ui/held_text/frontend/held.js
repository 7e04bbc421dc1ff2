// Tokens as text nodes: whatever a token holds, it is never read as markup.

function element(parent, name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function share(value) {
  const percent = 100 * value;
  if (percent === 0) return "0%";
  return `${Math.abs(percent) < 0.001 ? percent.toExponential(1) : percent.toPrecision(3)}%`;
}

function told([at, receivedStandard, receivedHsa, givenStandard, givenHsa]) {
  return (
    `Token ${at} receives ${share(receivedStandard)} of all attention of this head ` +
    `(HSA ${share(receivedHsa)}). As a query it gives ${share(givenStandard)} of its own row ` +
    `to this splat's keys (HSA ${share(givenHsa)}).`
  );
}

export default function ({ data, parentElement }) {
  parentElement.querySelector(".held-text")?.remove();
  const root = element(parentElement, "div", "held-text");
  element(root, "div", "legend",
    "Marked: this splat's tokens, darker the more standard attention they receive.");
  const box = element(root, "div", "stretches");
  const readout = element(root, "div", "readout", "Point at a marked token to read its numbers.");
  const held = new Map(data.held.map((numbers) => [numbers[0], numbers]));
  const most = Math.max(1e-30, ...data.held.map((numbers) => numbers[1]));
  for (const stretch of data.stretches) {
    const line = element(box, "div", "stretch");
    line.dir = "auto";
    element(line, "span", "place", String(stretch.first));
    if (stretch.first > 0) element(line, "span", "beside", "… ");
    stretch.tokens.forEach((token, offset) => {
      const at = stretch.first + offset;
      const numbers = held.get(at);
      const span = element(line, "span", numbers ? "held" : "beside", token);
      if (!numbers) return;
      span.style.setProperty("--strength", Math.sqrt(Math.max(0, numbers[1] / most)));
      span.dataset.at = at;
      span.tabIndex = 0;
    });
    const more = stretch.first + stretch.tokens.length < data.tokens;
    if (more && !stretch.tokens.at(-1).endsWith("\n")) element(line, "span", "beside", " …");
  }
  const tell = (event) => {
    const at = event.target.dataset?.at;
    if (at !== undefined) readout.textContent = told(held.get(Number(at)));
  };
  for (const kind of ["pointerover", "focusin", "click"]) box.addEventListener(kind, tell);
  root.dataset.ready = "true";
  return () => root.remove();
}
