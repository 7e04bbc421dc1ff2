// Streamlit calls this on mount and whenever data or theme change.

const figures = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let figure = figures.get(parentElement);
  if (!figure) {
    figure = new Figure(parentElement);
    figures.set(parentElement, figure);
  }
  figure.tell = (event) => setTriggerValue("cell", event);
  if (data) figure.show(data);
  return () => {
    figures.delete(parentElement);
    figure.end();
  };
}
