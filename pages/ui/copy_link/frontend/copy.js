// The address of the page to the clipboard; where that is refused, to be selected by hand.

function element(parent, name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function told(root, data, said, address, setTriggerValue) {
  root.querySelector(".said")?.remove();
  const panel = element(root, "div", "said");
  panel.setAttribute("role", "status");
  element(panel, "p", "", said);
  if (address) {
    const field = element(panel, "input", "address");
    field.readOnly = true;
    field.setAttribute("aria-label", "The address of this page");
    field.value = address;
    field.focus();
    field.select();
  }
  for (const caveat of data.caveats) element(panel, "p", "caveat", caveat);
  const row = element(panel, "div", "row");
  if (data.bundle) {
    const bundle = element(row, "button", "small", "A bundle holds it: make one on Compare");
    bundle.onclick = () => setTriggerValue("bundle", true);
  }
  const close = element(row, "button", "small", "Close");
  close.onclick = () => panel.remove();
  return panel;
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".copy-link");
  if (!root) {
    root = element(parentElement, "div", "copy-link");
    element(root, "button", "copy", "Copy link");
  }
  const button = root.querySelector(".copy");
  button.title = "Copy the address of what is shown here";
  // What was said of another address says nothing of this one.
  if (root.dataset.address !== window.location.href) root.querySelector(".said")?.remove();
  button.onclick = async () => {
    const address = window.location.href;
    root.dataset.address = address;
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      told(root, data, "The browser keeps its clipboard to itself. Copy the address:", address,
        setTriggerValue);
      return;
    }
    const panel = told(root, data, "Copied.", "", setTriggerValue);
    if (!data.caveats.length) setTimeout(() => panel.remove(), 2500);
  };
  root.dataset.ready = "true";
}
