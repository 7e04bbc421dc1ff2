// The panels as they are seen, with the chosen cell and the words on colours, as one image.

const PNG_SCALE = 2, PNG_CAPTION = 26;

function savePng({ painter, layout, view, header, chosen }) {
  const { width, height } = layout;
  const page = (tall) => {
    const context = element("canvas", { width: width * PNG_SCALE, height: tall * PNG_SCALE }).getContext("2d");
    context.scale(PNG_SCALE, PNG_SCALE);
    return context;
  };
  const context = page(height + PNG_CAPTION);
  context.fillStyle = painter.theme.background;
  context.fillRect(0, 0, width, height + PNG_CAPTION);
  painter.paint(context, layout, view);
  const over = page(height);
  paintOverlay(over, layout, view, painter.theme, null, chosen);
  context.drawImage(over.canvas, 0, 0, width, height);
  context.font = painter.font(12);
  context.fillStyle = painter.theme.muted;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(shortened(context, header.scaling, width - 20), 10, height + PNG_CAPTION / 2);
  context.canvas.toBlob((image) => {
    const link = element("a", { href: URL.createObjectURL(image), download: "attention.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
