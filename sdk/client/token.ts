import { ClavisError } from "../errors/clavis-error.ts";

/** The credential of the client's calls: a management key's secret, or a function that gives it anew for each attempt. */
export type Token = string | (() => string | Promise<string>);

/** What a header can carry unchanged (RFC 9110, section 5.5), without the blank that would end the credential. */
const TOKEN = /^[\x21-\x7e]+$/;

/** Whether `text` can be a token. */
export function isToken(text: unknown): text is string {
  return typeof text === "string" && TOKEN.test(text);
}

/**
 * The token as it is now.
 *
 * @throws ClavisError `TOKEN_UNAVAILABLE`. Names what the function threw and keeps no more of it, since that may well
 * contain the token
 */
export async function currentToken(token: Token): Promise<string> {
  if (typeof token === "string") return token;
  let current: unknown;
  try {
    current = await token();
  } catch (error) {
    throw unavailable(`the token function threw ${error instanceof Error ? error.name : typeof error}`, true);
  }
  if (!isToken(current)) throw unavailable("the token function gave no token", false);
  return current;
}

function unavailable(message: string, retryable: boolean): ClavisError {
  return new ClavisError({ reason: "TOKEN_UNAVAILABLE", code: "UNAUTHENTICATED", message, retryable });
}
