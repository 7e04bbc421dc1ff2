// One way in, on a page and in a file of its own.

// `report` is told {selected, step, number} when a splat is chosen or the film comes to rest;
// `initial` holds {selected, step, height}.
function mount(root, bytes, { initial = {}, report = () => {} } = {}) {
  const player = new Player(root, { initial, report });
  if (bytes) player.show(bytes);
  return player;
}
