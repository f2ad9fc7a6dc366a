import { isCancel, password } from "@clack/prompts";
import { CommandFailure, usageFailure } from "./command-failure.ts";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** More than any secret has; what is longer is some other file. */
const LENGTH_MAX = 8192;

/**
 * A secret from standard input, never from an argument: typed without an echo at a terminal, or piped in, blanks around
 * it left out.
 */
export async function readSecret({ stdin, stderr }: Terminal): Promise<string> {
  const text = stdin.isTTY ? await ask({ stdin, stderr }) : await readAll(stdin);
  const secret = text.trim();
  if (secret === "") throw usageFailure("a secret is expected on standard input");
  return secret;
}

async function ask({ stdin, stderr }: Pick<Terminal, "stdin" | "stderr">): Promise<string> {
  const answer = await password({ message: "Secret (not shown):", mask: "", input: stdin, output: stderr });
  if (isCancel(answer)) throw new CommandFailure("canceled", EXIT.failure);
  return answer ?? "";
}

async function readAll(stdin: Terminal["stdin"]): Promise<string> {
  let text = "";
  for await (const chunk of stdin.setEncoding("utf8")) {
    text += chunk;
    if (text.length > LENGTH_MAX) throw usageFailure("what comes on standard input is too long for a secret");
  }
  return text;
}
