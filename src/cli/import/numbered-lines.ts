/** A line of the input. */
export interface NumberedLine {
  /** 1 for the first. */
  readonly number: number;
  /** Without its end; undefined if it is longer than any line can mean to be. */
  readonly text: string | undefined;
}

/** A key with all that its contract allows has some 60,000 characters. */
const LENGTH_MAX = 128 * 1024;

/** The lines of UTF-8 text, one after the other. However long the text or a line of it, little of it is held at once. */
export async function* numberedLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<NumberedLine> {
  const decoder = new TextDecoder();
  let number = 0;
  let pending = "";

  const hold = (piece: string) => {
    if (pending.length <= LENGTH_MAX) pending += piece;
  };
  const release = (): NumberedLine => {
    const text = pending.length > LENGTH_MAX ? undefined : pending.replace(/\r$/, "");
    pending = "";
    number++;
    return { number, text };
  };

  for await (const chunk of chunks) {
    const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    hold(first);
    for (const piece of others) {
      yield release();
      hold(piece);
    }
  }
  hold(decoder.decode());
  if (pending !== "") yield release();
}
