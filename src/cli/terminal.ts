import { once } from "node:events";
import type { ReadStream, WriteStream } from "node:tty";
import { styleText } from "node:util";

/** What commands have of the process around them. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Secrets come in here. */
  readonly stdin: ReadStream;
  /** What was asked for goes out here, created secrets included. */
  readonly stdout: WriteStream;
  /** What is said about it: errors, hints, progress. Never a secret. */
  readonly stderr: WriteStream;
}

/** Writes `text` and waits while the reader is slower, so that a long list stays a stream. */
export async function write(stream: WriteStream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, "drain");
}

/** How a text looks where there are colours. */
export type Tone = "good" | "bad" | "wary" | "quiet" | "strong";

const formats = { good: "green", bad: "red", wary: "yellow", quiet: "dim", strong: "bold" } as const;

/** Colours texts for `stream`: none unless it is a terminal, and none with NO_COLOR (https://no-color.org). */
export function createPaint(stream: WriteStream): (tone: Tone, text: string) => string {
  return (tone, text) => styleText(formats[tone], text, { stream });
}
