import type { ClavisError } from "@clavis/sdk";

export interface Connection {
  readonly url: string;
  /** Where the credential came from. */
  readonly source: string;
}

/** What happened, and what to do about it, line by line: the reason, the facts, each field that is wrong, the call. */
export function describeError(error: ClavisError, connection: Connection): string {
  const { reason, message, violations, facts, callId } = error;
  // That message is made of the violations, which follow one by one.
  const headline = reason === "INVALID_REQUEST" && violations.length > 0 ? "the request is not right" : message;
  const advice = advices[reason]?.(connection, message);
  return [
    `${reason}: ${headline}`,
    ...violations.map(({ field, description }) => `  ${field === "" ? "" : `${field}: `}${description}`),
    ...Object.entries(facts).map(([name, fact]) => `  ${name}: ${fact}`),
    ...(callId === undefined ? [] : [`  call id: ${callId}`]),
    ...(advice === undefined ? [] : [advice]),
  ].join("\n");
}

const advices: Readonly<Record<string, (connection: Connection, message: string) => string>> = {
  UNREACHABLE: ({ url }, message) =>
    otherScheme(url, message) ?? `Is the service running at ${url}? Another address goes into --url or CLAVIS_URL.`,
  CREDENTIAL_REJECTED: ({ source }) => `The credential came from ${source}.`,
  LAST_MANAGEMENT_KEY: () => "Say --force if that is meant.",
};

/** A connection that was there and ended: as HTTP/2 tells it, or, if that comes first, the system. */
const ENDED = /error code CANCEL|ECONNRESET|EPIPE/;

/**
 * What to try where one side seems to speak TLS and the other does not. A port with TLS ends a connection without it as soon
 * as it has read from it, as a service does that is killed meanwhile: hence the "if".
 */
function otherScheme(url: string, message: string): string | undefined {
  const { protocol, host } = new URL(url);
  if (protocol === "http:" && ENDED.test(message)) {
    return `The connection was ended. If the service speaks TLS there, its address for --url or CLAVIS_URL is https://${host}.`;
  }
  if (protocol === "https:" && message.includes("ERR_SSL_WRONG_VERSION_NUMBER")) {
    return `No TLS is spoken there: perhaps the address for --url or CLAVIS_URL is http://${host}.`;
  }
  return undefined;
}
