// Streamlit calls this on mount and whenever data or theme change.

const maps = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const container = (parentElement.host ?? parentElement).closest('[class*="st-key-splat-map-"]');
  let mounted = maps.get(parentElement);
  if (!mounted) {
    mounted = { tell: null, ending: new AbortController() };
    mounted.map = new AtlasMap(parentElement, {
      initial: container?.atlasWishes,
      report: (event) => mounted.tell(event),
    });
    container?.addEventListener("atlas-wishes", () => mounted.map.heed(container.atlasWishes),
      { signal: mounted.ending.signal });
    maps.set(parentElement, mounted);
  }
  mounted.tell = (event) => setTriggerValue("chosen", event);
  if (data) mounted.map.show(data);
  return () => {
    maps.delete(parentElement);
    mounted.ending.abort();
    mounted.map.end();
  };
}
