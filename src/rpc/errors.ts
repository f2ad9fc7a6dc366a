import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { DomainError, Failure, FailureReason, Violation } from "../errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { timeToText } from "./time-proto.ts";

/**
 * gRPC has the details in a trailer, in base64, and Node sends no block of headers above 64 KiB: a thousand violations were
 * no answer at all. Whoever puts right what is named learns of the rest from the next call.
 */
const BAD_REQUEST_BYTES_MAX = 40 * 1024;

/** Tags and lengths of a violation and its two fields, at most. */
const VIOLATION_OVERHEAD_BYTES = 9;

/** The message is for people, and a log's line. */
const VIOLATIONS_LISTED_MAX = 20;

/** Where the reasons come from, as ErrorInfo wants to know. */
export const ERROR_DOMAIN = "clavis.dev";

/** The one place where a reason becomes a status. */
const answers: { [Reason in FailureReason]: Answer<Extract<Failure, { reason: Reason }>> } = {
  INVALID_REQUEST: {
    code: Code.InvalidArgument,
    message: ({ violations }) => listed(violations),
    violations: ({ violations }) => violations,
  },
  PAGE_TOKEN_INVALID: {
    code: Code.InvalidArgument,
    message: () => "the page token is not of this query",
    violations: () => [{ field: "page_token", description: "is not of this query" }],
  },
  PERMISSION_NOT_GRANTABLE: {
    code: Code.InvalidArgument,
    message: ({ permissions }) => `the keyspace does not grant ${permissions.join(", ")}`,
    facts: ({ permissions }) => ({ permissions: permissions.join(",") }),
    violations: ({ fields }) => fields.map((field) => ({ field, description: "goes beyond what the keyspace grants" })),
  },
  EXPIRY_OUTSIDE_POLICY: {
    code: Code.InvalidArgument,
    message: ({ latest }) =>
      latest === null
        ? "the expiry must be in the future"
        : `the expiry must be in the future, and no later than ${timeToText(latest)}`,
    facts: ({ latest }) => (latest === null ? {} : { latest: timeToText(latest) }),
    violations: ({ fields }) => fields.map((field) => ({ field, description: "is outside the keyspace's policy" })),
  },
  CREDENTIAL_REJECTED: { code: Code.Unauthenticated, message: () => "no valid credential" },
  PERMISSION_MISSING: {
    code: Code.PermissionDenied,
    message: ({ permission }) => `needs the permission ${permission}`,
    facts: ({ permission }) => ({ permission }),
  },
  GRANT_EXCEEDS_CALLER: {
    code: Code.PermissionDenied,
    message: ({ excess }) => `nobody gives what they do not hold: ${excess.join(", ")}`,
    facts: ({ excess }) => ({ excess: excess.join(",") }),
  },
  TENANT_NOT_FOUND: {
    code: Code.NotFound,
    message: () => "no such tenant",
    facts: ({ tenantId }) => ({ tenant_id: tenantId }),
  },
  KEYSPACE_NOT_FOUND: {
    code: Code.NotFound,
    message: () => "no such keyspace",
    facts: ({ keyspaceId }) => ({ keyspace_id: keyspaceId }),
  },
  KEY_NOT_FOUND: { code: Code.NotFound, message: () => "no such key", facts: ({ keyId }) => ({ key_id: keyId }) },
  REQUEST_ID_REUSED: { code: Code.AlreadyExists, message: () => "the request_id was used for a different request" },
  DIGEST_ALREADY_EXISTS: {
    code: Code.AlreadyExists,
    message: ({ violations }) => `${violations.length} of the digests are known already`,
    violations: ({ violations }) => violations,
  },
  ETAG_MISMATCH: { code: Code.Aborted, message: () => "somebody else was faster; read it again" },
  KEY_STATE_CONFLICT: {
    code: Code.FailedPrecondition,
    message: ({ state }) => `not while the key is ${state}`,
    facts: ({ keyId, state }) => ({ key_id: keyId, state }),
  },
  KEYSPACE_NOT_EMPTY: {
    code: Code.FailedPrecondition,
    message: ({ liveKeys }) => `the keyspace has ${liveKeys} live keys`,
    facts: ({ keyspaceId, liveKeys }) => ({ keyspace_id: keyspaceId, live_keys: String(liveKeys) }),
  },
  KEYSPACE_RESERVED: {
    code: Code.FailedPrecondition,
    message: () => "not with the keyspace of management keys",
    facts: ({ keyspaceId }) => ({ keyspace_id: keyspaceId }),
  },
  LAST_MANAGEMENT_KEY: {
    code: Code.FailedPrecondition,
    message: () => "it would leave the tenant without a management key; say force if that is meant",
    facts: ({ keyId }) => ({ key_id: keyId }),
  },
  STORE_UNAVAILABLE: {
    code: Code.Unavailable,
    message: () => "try again shortly",
    retryAfterMs: ({ retryAfterMs }) => retryAfterMs,
  },
  ANSWER_LOST: {
    code: Code.FailedPrecondition,
    message: () => "this was done already, but its answer is not kept any more",
  },
  TOO_MANY_UNKNOWN_SECRETS: {
    code: Code.ResourceExhausted,
    message: () => "too many secrets that nobody knows; those that are known to this replica are still decided on",
    retryAfterMs: ({ retryAfterMs }) => retryAfterMs,
  },
};

interface Answer<Of extends Failure> {
  readonly code: Code;
  message(failure: Of): string;
  /** ErrorInfo's metadata. */
  facts?(failure: Of): Readonly<Record<string, string>>;
  /** For BadRequest. */
  violations?(failure: Of): readonly Violation[];
  /** For RetryInfo. */
  retryAfterMs?(failure: Of): number;
}

/** What a failure looks like on the wire (https://google.aip.dev/193): a status, and its details, each type once. */
export function toConnectError(error: DomainError): ConnectError {
  const { failure } = error;
  const answer = answers[failure.reason] as Answer<Failure>;
  const info = { reason: failure.reason, domain: ERROR_DOMAIN, metadata: { ...answer.facts?.(failure) } };
  const details: Detail[] = [detail(ErrorInfoSchema, info)];
  const message = answer.message(failure);
  const violations = answer.violations?.(failure);
  if (violations !== undefined) {
    // What is listed of them in the message may stand in ErrorInfo as well.
    const fieldViolations = fitting(violations, BAD_REQUEST_BYTES_MAX - 2 * Buffer.byteLength(message));
    details.push(detail(BadRequestSchema, { fieldViolations }));
  }
  const retryAfterMs = answer.retryAfterMs?.(failure);
  if (retryAfterMs !== undefined) details.push(detail(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) }));
  return new ConnectError(message, answer.code, undefined, details, error);
}

function listed(violations: readonly Violation[]): string {
  const first = violations
    .slice(0, VIOLATIONS_LISTED_MAX)
    .map(({ field, description }) => (field === "" ? description : `${field}: ${description}`));
  const rest = violations.length - first.length;
  return [...first, ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
}

/** The first of them that take no more than `bytes`; one at least. */
function fitting(violations: readonly Violation[], bytes: number): Violation[] {
  let left = bytes;
  const beyond = violations.findIndex(({ field, description }) => {
    left -= Buffer.byteLength(field) + Buffer.byteLength(description) + VIOLATION_OVERHEAD_BYTES;
    return left < 0;
  });
  return violations.slice(0, beyond === -1 ? undefined : Math.max(1, beyond)).map((one) => ({ ...one }));
}

type Detail = { readonly desc: DescMessage; readonly value: MessageInitShape<DescMessage> };

function detail<Desc extends DescMessage>(desc: Desc, value: MessageInitShape<Desc>): Detail {
  return { desc, value: create(desc, value) };
}
