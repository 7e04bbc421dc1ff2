// A file of its own: the film lies in the page, and nobody is told of what is chosen.

const film = Uint8Array.from(atob(document.getElementById("blob").textContent), (c) => c.charCodeAt(0));
const player = mount(document.getElementById("shown"), film);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => player.show(film));
