import { type Clavis, ClavisError, createClavis } from "@clavis/sdk";
import { CommandFailure, usageFailure } from "./command-failure.ts";
import { type Credential, findCredential, type Role } from "./credential.ts";
import { describeError } from "./describe-error.ts";
import { createOutput, type Format, type Output } from "./output.ts";
import type { Terminal } from "./terminal.ts";

/** The options of every command that calls the service. */
export interface SessionOptions {
  readonly url?: string;
  readonly keyFile?: string;
  readonly output: Format;
}

/** What such a command has at hand. */
export interface Session {
  readonly clavis: Clavis;
  readonly output: Output;
}

type Use = (session: Session) => Promise<void>;

export const URL_DEFAULT = "http://127.0.0.1:8420";

/** Runs `use` with a client that holds the credential of `role`. */
export async function withSession(terminal: Terminal, role: Role, options: SessionOptions, use: Use): Promise<void> {
  await withCredential(terminal, findCredential(role, options.keyFile, terminal.env), options, use);
}

/**
 * Runs `use` with a client that holds `credential`.
 *
 * @throws CommandFailure telling people of whatever the client rejects with
 */
export async function withCredential(
  terminal: Terminal,
  { token, source }: Credential,
  options: Omit<SessionOptions, "keyFile">,
  use: Use,
): Promise<void> {
  const url = options.url ?? (terminal.env.CLAVIS_URL || URL_DEFAULT);
  await using clavis = openClient(url, token, source);
  try {
    await use({ clavis, output: createOutput(terminal, options.output) });
  } catch (error) {
    if (error instanceof ClavisError) throw new CommandFailure(describeError(error, { url, source }));
    throw error;
  }
}

function openClient(baseUrl: string, token: string, source: string): Clavis {
  try {
    return createClavis({ baseUrl, token });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw usageFailure(`${error.message} (the URL is ${printableUrl(baseUrl)}, the token came from ${source})`);
  }
}

/** Without the user and password that somebody may have put there. */
function printableUrl(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "no URL";
}
