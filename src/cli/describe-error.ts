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
  const advice = advices[reason]?.(connection);
  return [
    `${reason}: ${headline}`,
    ...violations.map(({ field, description }) => `  ${field === "" ? "" : `${field}: `}${description}`),
    ...Object.entries(facts).map(([name, fact]) => `  ${name}: ${fact}`),
    ...(callId === undefined ? [] : [`  call id: ${callId}`]),
    ...(advice === undefined ? [] : [advice]),
  ].join("\n");
}

const advices: Readonly<Record<string, (connection: Connection) => string>> = {
  UNREACHABLE: ({ url }) => `Is the service running at ${url}? Another address goes into --url or CLAVIS_URL.`,
  CREDENTIAL_REJECTED: ({ source }) => `The credential came from ${source}.`,
  LAST_MANAGEMENT_KEY: () => "Say --force if that is meant.",
};
