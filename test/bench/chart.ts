import { aimOf, figureOf, type Row, scoreOf } from "./row.ts";

const WIDTH = 860;
const MARGIN = 16;
const ROW_HEIGHT = 44;
const BAR_HEIGHT = 12;
const HEAD_HEIGHT = 56;
/** For the figures, at the right. */
const FIGURES_WIDTH = 260;

/** For light pages and dark ones; nothing is filled behind it. */
const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .quiet { fill: #57606a; font-size: 12px; }
    .grid { stroke: #8c959f; stroke-opacity: 0.35; }
    .aim { stroke: #24292f; stroke-width: 1.5; }
    .met { fill: #2f81a8; }
    .missed { fill: #d4772e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .quiet { fill: #9da7b3; }
      .aim { stroke: #e6edf3; }
      .met { fill: #58a6c9; }
      .missed { fill: #e59a5a; }
    }
  `;

/** A bar for each row that has an aim, as long as it reaches its aim; each step of the grid is twice the one before. */
export function chartOf(rows: readonly Row[]): string {
  const bars = rows.flatMap((row) => {
    const score = scoreOf(row);
    return score === undefined ? [] : [{ row, score }];
  });
  const doublings = bars.map(({ score }) => Math.log2(score));
  const from = Math.floor(Math.min(-1, ...doublings));
  const to = Math.ceil(Math.max(1, ...doublings));
  const step = (WIDTH - 2 * MARGIN - FIGURES_WIDTH) / (to - from);
  const at = (doubling: number) => MARGIN + (doubling - from) * step;
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT + MARGIN;
  const met = bars.filter(({ row }) => row.met).length;

  const marks = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const scale = marks.map((doubling) => {
    const anchor = doubling === from ? "start" : "middle";
    const label = doubling === 0 ? "the aim" : `× ${2 ** doubling}`;
    return `<text class="quiet" x="${round(at(doubling))}" y="${HEAD_HEIGHT - 8}" text-anchor="${anchor}">${label}</text>`;
  });
  const lines = bars.flatMap(({ row, score }, index) => {
    const top = HEAD_HEIGHT + index * ROW_HEIGHT;
    const length = at(Math.log2(score)) - MARGIN;
    const figures = `${figureOf(row)}, aim ${aimOf(row)}${row.met ? "" : ": missed"}`;
    return [
      `<text x="${MARGIN}" y="${top + 14}">${inXml(`${row.row}  ${row.what}`)}</text>`,
      ...marks.map((doubling) => {
        const x = round(at(doubling));
        return `<line class="${doubling === 0 ? "aim" : "grid"}" x1="${x}" x2="${x}" y1="${top + 19}" y2="${top + 37}"/>`;
      }),
      `<rect class="${row.met ? "met" : "missed"}" x="${MARGIN}" y="${top + 22}" width="${round(length)}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text class="quiet" x="${WIDTH - MARGIN}" y="${top + 32}" text-anchor="end">${inXml(figures)}</text>`,
    ];
  });
  const title = `${met} of ${bars.length} rows meet their aim`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">`,
    `  <title id="title">${title}</title>`,
    `  <style>${STYLE}</style>`,
    `  <text x="${MARGIN}" y="20">${title}. Longer is better.</text>`,
    ...[...scale, ...lines].map((line) => `  ${line}`),
    "</svg>",
  ].join("\n")}\n`;
}

function round(value: number): string {
  return value.toFixed(1);
}

function inXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
