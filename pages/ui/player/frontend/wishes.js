// Nothing to see: hands what Python wishes (chosen splat, step, height) to the canvas in the
// same container, whose film therefore need not be sent again.

export default function ({ data, parentElement }) {
  const host = parentElement.host ?? parentElement;
  const container = host.closest('[class*="st-key-player-"]');
  if (!container) return;
  container.playerWishes = data;
  container.dispatchEvent(new CustomEvent("player-wishes"));
}
