// Tokens as text nodes: whatever a token holds, it is never read as markup.

const FAINTEST = 1e-4; // nats; the colour grows with the logarithm from here to 1 nat

function strength(kl) {
  return Math.min(1, Math.max(0, 1 - Math.log10(Math.max(kl, 1e-12)) / Math.log10(FAINTEST)));
}

function element(parent, name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function number(value) {
  return value === 0 ? "0" : value < 0.001 ? value.toExponential(1) : value.toPrecision(3);
}

function told(data, at) {
  if (at === 0) return "Token 0 is the first: nothing predicts it.";
  const who = at < data.prompt ? "prompt" : "written under HSA";
  const top = data.match[at - 1]
    ? "both held the same token likeliest"
    : "the two held different tokens likeliest";
  return (
    `Token ${at} (${who}): KL ${number(data.kl[at - 1])} nats; ${top}; it cost ` +
    `${number(data.nats[at - 1])} nats under HSA, ${number(data.standard[at - 1])} under standard.`
  );
}

function legend(root) {
  const row = element(root, "div", "legend");
  element(row, "span", "", "KL of the prediction, nats:");
  for (const kl of [1e-4, 1e-3, 1e-2, 1e-1, 1]) {
    const chip = element(row, "span", "token", kl === 1 ? "1 or more" : String(kl));
    chip.style.setProperty("--strength", strength(kl));
  }
  element(row, "span", "token differs", "another token likeliest");
  element(row, "span", "token written", "written under HSA");
}

export default function ({ data, parentElement }) {
  parentElement.querySelector(".token-text")?.remove();
  const root = element(parentElement, "div", "token-text");
  legend(root);
  const text = element(root, "div", "text");
  text.dir = "auto";
  const readout = element(root, "div", "readout", "Point at a token to read its numbers.");
  data.tokens.forEach((token, at) => {
    const span = element(text, "span", "token", token);
    if (at > 0) {
      span.style.setProperty("--strength", strength(data.kl[at - 1]));
      if (!data.match[at - 1]) span.classList.add("differs");
    }
    if (at >= data.prompt) span.classList.add("written");
    span.dataset.at = at;
  });
  const tell = (event) => {
    const at = event.target.dataset?.at;
    if (at !== undefined) readout.textContent = told(data, Number(at));
  };
  text.addEventListener("pointerover", tell);
  text.addEventListener("click", tell);
  root.dataset.ready = "true";
  return () => root.remove();
}
