// Nothing to see: hands what Python wishes (chosen splat, which stand out, height) to the canvas
// in the same container, whose map therefore need not be sent again.

export default function ({ data, parentElement }) {
  const host = parentElement.host ?? parentElement;
  const container = host.closest('[class*="st-key-splat-map-"]');
  if (!container) return;
  container.atlasWishes = data;
  container.dispatchEvent(new CustomEvent("atlas-wishes"));
}
