// The words for levels and for kinds of events, and their shapes in a box of 16 by 16: the
// same in the legend, in the list and on the map. Shapes alone already tell them apart.

const LEVELS = [
  { word: "Document", path: "M3 3H13V13H3Z" },
  { word: "Section", path: "M8 1.5 14.5 8 8 14.5 1.5 8Z" },
  { word: "Phrase", path: "M8 3.5A4.5 4.5 0 1 0 8 12.5 4.5 4.5 0 1 0 8 3.5Z" },
];

// What its evidence is: hsa/adaptation has a file for each kind.
const KINDS = {
  birth: {
    word: "Birth", many: "births", evidence: "distance of the keys",
    path: "M8 2A6 6 0 1 0 8 14 6 6 0 1 0 8 2ZM8 5V11M5 8H11",
  },
  mitosis: {
    word: "Mitosis", many: "mitoses", evidence: "error and keys, to the mean",
    path: "M2 8 13 3M2 8 13 13M9 2.6 13 3 11.2 6.4M11.2 9.6 13 13 9 13.4",
  },
  merge: {
    word: "Merge", many: "merges", evidence: "cost of joining",
    path: "M2 3 8.6 6.8M2 13 8.6 9.2M12 5 15 8 12 11 9 8Z",
  },
  death: { word: "Death", many: "deaths", evidence: "prior share", path: "M3 3 13 13M13 3 3 13" },
  drift: { word: "Drift", many: "drifts", evidence: "pull of its keys", path: "M1 8H10M13 5.5A2.5 2.5 0 1 0 13 10.5 2.5 2.5 0 1 0 13 5.5Z" },
};
const ROLLED_BACK = "M8 2.5A5.5 5.5 0 1 0 8 13.5 5.5 5.5 0 1 0 8 2.5Z";

// Drawn, because a font may lack them.
const ICONS = {
  play: "M4 2.5V13.5L13.5 8Z",
  pause: "M4 3V13H6.4V3ZM9.6 3V13H12V3Z",
  back: "M10.5 3.5V12.5L5.5 8ZM4 3.5V12.5",
  forward: "M5.5 3.5V12.5L10.5 8ZM12 3.5V12.5",
  loop: "M13 8A5 5 0 1 1 11.2 4.2M11.6 1.2V4.5H8.3",
  full: "M2.5 6V2.5H6M10 2.5H13.5V6M13.5 10V13.5H10M6 13.5H2.5V10",
  plus: "M8 3V13M3 8H13",
  minus: "M3 8H13",
  clear: "M3.5 3.5 12.5 12.5M12.5 3.5 3.5 12.5",
};

function kindOf(name) {
  return KINDS[name] ?? { word: labelText(name), many: labelText(name), evidence: "evidence", path: KINDS.drift.path };
}
