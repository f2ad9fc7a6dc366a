import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  type BadRequest_FieldViolation as FieldViolation,
  RetryInfoSchema,
} from "../../sdk/gen/google/rpc/error_details_pb.ts";

/** An error as it came over the wire, without the SDK's reading of it. */
export interface WireError {
  readonly code: keyof typeof Code;
  readonly reason: string;
  readonly domain: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  /** The types of its details, in their order. */
  readonly detailTypes: readonly string[];
  readonly retrySeconds: number | undefined;
  readonly callId: string | null;
  readonly message: string;
}

/** The error that a call with a generated client fails with. Throws if it does not fail. */
export async function errorOf(call: Promise<unknown>): Promise<WireError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  if (error === undefined) throw new Error("the call was expected to fail");
  const [info] = error.findDetails(ErrorInfoSchema);
  const retryDelay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: Code[error.code] as keyof typeof Code,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    facts: info?.metadata ?? {},
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations),
    detailTypes: error.details.map((detail) => ("type" in detail ? detail.type : detail.desc.typeName)),
    retrySeconds: retryDelay && Number(retryDelay.seconds) + retryDelay.nanos / 1e9,
    callId: error.metadata.get("clavis-call-id"),
    message: error.rawMessage,
  };
}
