import { create } from "@bufbuild/protobuf";
import { ClavisError, invalidRequest } from "../errors/clavis-error.ts";
import { errorFromStatus } from "../errors/from-wire.ts";
import {
  type BatchVerifyResult,
  Outcome,
  type PermissionQuery as PermissionQueryMessage,
  PermissionQuerySchema,
  type VerifyRequest,
  type VerifyResponse,
  VerifyResponseSchema,
  VerifyService,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { checkQuery, type PermissionQuery, shapeOf } from "../rules/index.ts";
import type { Call, CallOptions } from "./call.ts";
import type { Input, Requires } from "./input.ts";

/** A secret, the keyspace that it must belong to, and what its holder wants to do. */
export type VerifyInput = Omit<Requires<Input<VerifyRequest>, "secret" | "keyspaceId">, "query"> & {
  /** A condition on permissions besides `permissions`, such as `{ anyOf: [{ permission: "a" }, { permission: "b" }] }`. */
  query?: PermissionQuery | undefined;
};

/** Whether secrets may be used. */
export interface Verifier {
  /**
   * Decides on one secret. Whatever is wrong with the key is an `outcome` of the answer; an error means that it could not
   * be told. A text that cannot be a secret is answered with `MALFORMED` here and goes nowhere.
   */
  verify(request: VerifyInput, options?: CallOptions): Promise<VerifyResponse>;
  /** Decides on up to 256 secrets with one call. The answers come in the same order, an error for each that has none. */
  batchVerify(requests: readonly VerifyInput[], options?: CallOptions): Promise<(VerifyResponse | ClavisError)[]>;
}

/** The verifier, by way of `call`. */
export function createVerifier(call: Call): Verifier {
  const { method } = VerifyService;
  return {
    async verify(request, options) {
      return isMalformed(request) ? malformed() : call(method.verify, inputFor(request), options);
    },
    async batchVerify(requests, options) {
      const sent = requests.filter((request) => !isMalformed(request));
      if (sent.length === 0) return requests.map(malformed);

      const { results } = await call(method.batchVerify, { requests: sent.map(inputFor) }, options);
      let next = 0;
      return requests.map((request) => (isMalformed(request) ? malformed() : answerOf(results[next++], request)));
    },
  };
}

function isMalformed({ secret }: VerifyInput): boolean {
  return shapeOf(secret) === "malformed";
}

function malformed(): VerifyResponse {
  return create(VerifyResponseSchema, { outcome: Outcome.MALFORMED, message: "this cannot be a secret" });
}

function inputFor({ query, ...request }: VerifyInput): Input<VerifyRequest> {
  if (query === undefined) return request;
  const fault = checkQuery(query);
  if (fault === undefined) return { ...request, query: queryToProto(query) };
  throw invalidRequest([{ field: fault.path === "" ? "query" : `query.${fault.path}`, description: fault.problem }]);
}

function queryToProto(query: PermissionQuery): PermissionQueryMessage {
  if ("permission" in query) {
    return create(PermissionQuerySchema, { condition: { case: "permission", value: query.permission } });
  }
  const [name, branches] = "allOf" in query ? (["allOf", query.allOf] as const) : (["anyOf", query.anyOf] as const);
  return create(PermissionQuerySchema, { condition: { case: name, value: { queries: branches.map(queryToProto) } } });
}

function answerOf(item: BatchVerifyResult | undefined, { secret }: VerifyInput): VerifyResponse | ClavisError {
  switch (item?.result.case) {
    case "response":
      return item.result.value;
    case "error":
      return errorFromStatus(item.result.value, [secret]);
    case undefined:
      return new ClavisError({
        reason: "UNKNOWN",
        code: "INTERNAL",
        message: "the service left this item unanswered",
        retryable: true,
      });
  }
}
