import { progress } from "@clack/prompts";
import type { Terminal } from "../terminal.ts";

/** Tells people how far an import has come. */
export interface ImportProgress {
  /** So many lines are done, and so many bytes of the input are read. */
  advance(lines: number, bytes: number): void;
  /** Leaves the terminal free for what else is to be said. */
  stop(): void;
}

/** Without a terminal: a line that often. */
const LINES_A_NOTE = 10_000;

/** A bar that fills up on a terminal, as long as the size of the input is known; otherwise a line now and then. */
export function startImportProgress({ stderr }: Terminal, size: number | undefined): ImportProgress {
  return stderr.isTTY && stderr.columns > 0 && size !== undefined ? startBar(stderr, size) : startNotes(stderr);
}

function startBar(stderr: Terminal["stderr"], size: number): ImportProgress {
  const bar = progress({ max: Math.max(1, size), output: stderr });
  let shown = 0;
  let done = 0;
  bar.start("Importing");
  return {
    advance(lines, bytes) {
      done += lines;
      bar.advance(bytes - shown, `${done.toLocaleString("en")} lines`);
      shown = bytes;
    },
    stop: () => bar.stop(`${done.toLocaleString("en")} lines read`),
  };
}

function startNotes(stderr: Terminal["stderr"]): ImportProgress {
  let done = 0;
  return {
    advance(lines) {
      const before = Math.floor(done / LINES_A_NOTE);
      done += lines;
      if (Math.floor(done / LINES_A_NOTE) > before) stderr.write(`${done.toLocaleString("en")} lines read\n`);
    },
    stop() {},
  };
}
