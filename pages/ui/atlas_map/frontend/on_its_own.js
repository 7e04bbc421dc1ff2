// A file of its own: the map lies in the page, and nobody is told of what is chosen.

const blob = Uint8Array.from(atob(document.getElementById("blob").textContent), (c) => c.charCodeAt(0));
const map = new AtlasMap(document.getElementById("shown"), { initial: { height: 720 } });
map.show(blob);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.show(blob));
