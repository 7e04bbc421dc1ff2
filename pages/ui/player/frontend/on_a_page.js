// Streamlit calls this on mount and whenever data or theme change.

const players = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const container = (parentElement.host ?? parentElement).closest('[class*="st-key-player-"]');
  let mounted = players.get(parentElement);
  if (!mounted) {
    mounted = { tell: null, ending: new AbortController() };
    mounted.player = mount(parentElement, null, {
      initial: container?.playerWishes,
      report: (state) => mounted.tell(state),
    });
    container?.addEventListener("player-wishes", () => mounted.player.heed(container.playerWishes),
      { signal: mounted.ending.signal });
    players.set(parentElement, mounted);
  }
  mounted.tell = (state) => setTriggerValue("shown", state);
  if (data) mounted.player.show(data);
  return () => {
    players.delete(parentElement);
    mounted.ending.abort();
    mounted.player.end();
  };
}
