import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import { ClavisError } from "./clavis-error.ts";
import type { Reason } from "./reason.ts";
import { hide } from "./secrets.ts";
import { type StatusCode, statusCodeOf } from "./status-code.ts";

/** The domain of reasons that are ours; a proxy on the way may have its own. */
const DOMAIN = "clavis.dev";

/** The header with the service's id of the call. */
const CALL_ID_HEADER = "clavis-call-id";

/** For statuses that come without a reason of ours. */
const reasonOfStatus: Partial<Record<StatusCode, Reason>> = {
  UNAVAILABLE: "UNREACHABLE",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
};

/** A failed call, as the transport reports it. `secrets` are texts of the request that must not come back in the error. */
export function errorFromConnect(error: ConnectError, secrets: readonly string[] = []): ClavisError {
  const callId = error.metadata.get(CALL_ID_HEADER) ?? undefined;
  const find: FindDetail = (schema) => error.findDetails(schema)[0];
  return errorFrom({ code: error.code, message: error.rawMessage, callId, find }, secrets);
}

/** The failure of one item of a batch. */
export function errorFromStatus(status: Status, secrets: readonly string[] = []): ClavisError {
  const find: FindDetail = (schema) => {
    const detail = status.details.find(
      ({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf("/") + 1) === schema.typeName,
    );
    return detail && parsed(schema, detail.value);
  };
  return errorFrom({ code: status.code, message: status.message, callId: undefined, find }, secrets);
}

type FindDetail = <Schema extends DescMessage>(schema: Schema) => MessageShape<Schema> | undefined;

interface Answer {
  readonly code: number;
  readonly message: string;
  readonly callId: string | undefined;
  readonly find: FindDetail;
}

function errorFrom({ code, message, callId, find }: Answer, secrets: readonly string[]): ClavisError {
  const status = statusCodeOf(code);
  const info = find(ErrorInfoSchema);
  const ours = info?.domain === DOMAIN && info.reason !== "" ? info : undefined;
  const retryDelay = find(RetryInfoSchema)?.retryDelay;
  const retryAfterMs = retryDelay && Math.max(0, durationMs(retryDelay));
  const clean = (text: string) => hide(text, secrets);
  return new ClavisError({
    reason: ours?.reason ?? reasonOfStatus[status] ?? "UNKNOWN",
    code: status,
    message: clean(message) || status,
    facts: Object.fromEntries(Object.entries(ours?.metadata ?? {}).map(([name, fact]) => [name, clean(fact)])),
    violations: (find(BadRequestSchema)?.fieldViolations ?? []).map(({ field, description }) => {
      return { field: clean(field), description: clean(description) };
    }),
    retryAfterMs,
    callId,
    retryable: status === "UNAVAILABLE" || status === "DEADLINE_EXCEEDED" || retryAfterMs !== undefined,
  });
}

/** A detail that cannot be read is as good as none: the error that it came with matters more. */
function parsed<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}
