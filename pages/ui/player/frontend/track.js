// Tick marks above the scrub bar, where events were: accepted ones rise from the line, those
// that were rolled back hang from it.

const TRACK_HEIGHT = 34, TRACK_LINE = 24, THUMB = 16;

function paintTrack(canvas, film, theme, width, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(TRACK_HEIGHT * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const accepted = new Int32Array(film.steps), rolledBack = new Int32Array(film.steps);
  for (const happening of film.happenings) {
    // Drift is every step's: marks of it would say nothing.
    if (!happening.accepted) rolledBack[happening.step]++;
    else if (happening.kind !== "drift") accepted[happening.step]++;
  }
  const most = Math.max(1, ...accepted, ...rolledBack);
  const wide = Math.max(1, Math.min(4, (width - THUMB) / film.steps - 1));
  const bar = (counts, colour, room, upwards) => {
    context.fillStyle = colour;
    counts.forEach((count, step) => {
      if (!count) return;
      const tall = 2 + (room - 2) * Math.log1p(count) / Math.log1p(most);
      const x = trackX(film, width, step) - wide / 2;
      context.fillRect(x, upwards ? TRACK_LINE - tall : TRACK_LINE + 1, wide, tall);
    });
  };
  bar(accepted, theme.muted, TRACK_LINE - 1, true);
  bar(rolledBack, theme.line, TRACK_HEIGHT - TRACK_LINE - 1, false);
  context.fillStyle = theme.line;
  context.fillRect(THUMB / 2, TRACK_LINE, width - THUMB, 1);
}

// The thumb's middle does not reach the ends of its bar.
function trackX(film, width, step) { return THUMB / 2 + step / (film.steps - 1 || 1) * (width - THUMB); }
