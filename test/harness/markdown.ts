/** A fenced block of code in a Markdown text. */
export interface CodeBlock {
  /** The words after the fence: `sh run`. */
  readonly info: string;
  readonly code: string;
  /** Of the fence, from 1 on. */
  readonly line: number;
}

/** The fenced blocks of a text, in order (CommonMark, section 4.5, without indentation). */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { info: string; lines: string[]; line: number } | undefined;
  markdown.split("\n").forEach((text, index) => {
    if (open === undefined) {
      if (text.startsWith("```")) open = { info: text.slice(3).trim(), lines: [], line: index + 1 };
    } else if (text === "```") {
      blocks.push({ info: open.info, code: `${open.lines.join("\n")}\n`, line: open.line });
      open = undefined;
    } else {
      open.lines.push(text);
    }
  });
  if (open !== undefined) throw new Error(`the block that begins in line ${open.line} never ends`);
  return blocks;
}
