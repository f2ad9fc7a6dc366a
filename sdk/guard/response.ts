import type { Refusal } from "./refusal.ts";

/** What a request that is turned away gets, for any framework to send. */
export interface GuardResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON (RFC 9457). */
  readonly body: string;
}

/** How a guard asks for keys. */
export interface Challenge {
  /** The header that keys come in. */
  readonly header: string;
  /** What is guarded, in words for people. */
  readonly realm: string;
}

/** When to come back if the service did not say, in seconds. */
const RETRY_AFTER_SECONDS = 1;

/** Characters of a scope (RFC 6749, section 3.3): others would end the quoted text that it stands in. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

interface Parts {
  readonly status: number;
  /** The phrase of the status, as RFC 9457 wants it for `about:blank`. */
  readonly title: string;
  readonly detail: string;
  /** The error code of RFC 6750, section 3.1, where it has one. */
  readonly error?: string;
  /** Whether the answer says how to authenticate. */
  readonly challenged?: boolean;
  readonly missing?: readonly string[];
  readonly retryAfterSeconds?: number;
}

/** The response to a request that is turned away for `refusal`, as RFC 6750, section 3, and RFC 9457 have it. */
export function responseFor(refusal: Refusal, challenge: Challenge): GuardResponse {
  const { status, title, detail, error, challenged, missing, retryAfterSeconds } = partsOf(refusal, challenge);
  const problem = {
    type: "about:blank",
    title,
    status,
    detail,
    ...(error && { error }),
    ...(missing && { missing_permissions: missing }),
  };
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(challenged && { "www-authenticate": challengeText(challenge, error, missing) }),
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    },
    body: JSON.stringify(problem),
  };
}

function partsOf(refusal: Refusal, { header }: Challenge): Parts {
  switch (refusal.kind) {
    case "missing":
      return { ...unauthorized, detail: `an API key is needed, in the ${header} header` };
    case "unusable":
      return { status: 400, title: "Bad Request", challenged: true, error: "invalid_request", detail: refusal.problem };
    case "invalid_key":
      return { ...unauthorized, error: "invalid_token", detail: "the API key is not valid" };
    case "insufficient_permissions": {
      const { missing } = refusal;
      const detail = `the API key lacks permissions: ${missing.join(", ")}`;
      return { ...forbidden, challenged: true, error: "insufficient_scope", detail, missing };
    }
    case "address_denied":
      return { ...forbidden, detail: "the API key may not be used from this address" };
    case "denied":
      return { ...forbidden, detail: "the API key may not be used for this" };
    case "rate_limited":
      return { ...tooMany, detail: "too many requests with this API key" };
    case "credits_exhausted":
      return { ...tooMany, detail: "the credits of this API key are used up" };
    case "undecided": {
      const retryAfterSeconds = Math.max(RETRY_AFTER_SECONDS, Math.ceil((refusal.retryAfterMs ?? 0) / 1000));
      const detail = "the API key could not be checked; try again";
      return { status: 503, title: "Service Unavailable", detail, retryAfterSeconds };
    }
  }
}

const unauthorized = { status: 401, title: "Unauthorized", challenged: true };
const forbidden = { status: 403, title: "Forbidden" };
const tooMany = { status: 429, title: "Too Many Requests" };

/** Bearer, or for a header of one's own, for which no scheme is registered, one that names it. */
function challengeText(
  { header, realm }: Challenge,
  error: string | undefined,
  missing: readonly string[] = [],
): string {
  const bearer = header.toLowerCase() === "authorization";
  const scope = missing.filter((permission) => SCOPE.test(permission)).join(" ");
  const parameters = [
    `realm="${realm}"`,
    ...(bearer ? [] : [`header="${header}"`]),
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(scope === "" ? [] : [`scope="${scope}"`]),
  ];
  return `${bearer ? "Bearer" : "ApiKey"} ${parameters.join(", ")}`;
}
