import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { ConnectError, ConnectRouter } from "@connectrpc/connect";
import type { Call } from "../call.ts";
import { DomainError } from "../errors.ts";
import {
  type BatchVerifyRequest,
  BatchVerifyResultSchema,
  VerifyService as Desc,
  type VerifyRequest,
  VerifyRequestSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.ts";
import type { Metrics } from "../metrics.ts";
import { type Soon, soonThen } from "../soon.ts";
import type { VerifyAnswer, VerifyService } from "../verify/verify-service.ts";
import { callOf } from "./call-context.ts";
import { toConnectError } from "./errors.ts";
import { BATCH_BYTES_MAX, VERIFY_BYTES_MAX } from "./limits.ts";
import type { RequestCheck } from "./request-check.ts";
import { verifyFromProto, verifyToProto } from "./verify-proto.ts";

/** What is answered to requests of the contract, whichever way they come. Authenticated and valid, but for the items of a batch. */
export interface VerifyAnswers {
  verify(call: Call, req: VerifyRequest): Soon<VerifyAnswer>;
  /** In the order asked for: each a verdict, or why there is none. */
  batchVerify(call: Call, req: BatchVerifyRequest): Soon<readonly BatchAnswer[]>;
}

export type BatchAnswer = { readonly answer: VerifyAnswer } | { readonly error: Status };

/** Counts each verdict. */
export function createVerifyAnswers(parts: {
  verify: VerifyService;
  check: RequestCheck;
  metrics: Pick<Metrics, "verdict">;
}): VerifyAnswers {
  const { verify, check, metrics } = parts;
  return {
    verify(call, req) {
      return soonThen(verify.verify(call, verifyFromProto(req)), counted);
    },

    batchVerify(call, { requests }) {
      // Each item is checked on its own, so that a bad one does not spoil the rest.
      const problems = requests.map((item) => check(VerifyRequestSchema, item));
      const sound = requests.filter((_, index) => problems[index] === undefined);
      return soonThen(verify.verifyBatch(call, sound.map(verifyFromProto)), (settled) => {
        const answers = settled.values();
        return problems.map((problem) => batchAnswer(problem ?? (answers.next().value as VerifyAnswer | DomainError)));
      });
    },
  };

  function counted(answer: VerifyAnswer): VerifyAnswer {
    metrics.verdict(answer.outcome);
    return answer;
  }

  function batchAnswer(answer: VerifyAnswer | DomainError): BatchAnswer {
    if (answer instanceof DomainError) return { error: statusOf(toConnectError(answer)) };
    return { answer: counted(answer) };
  }
}

/** Answers `clavis.v1.VerifyService`. */
export function routeVerifyService(router: ConnectRouter, answers: VerifyAnswers): void {
  const { method } = Desc;
  router.rpc(method.verify, async (req, ctx) => verifyToProto(await answers.verify(callOf(ctx), req)), {
    readMaxBytes: VERIFY_BYTES_MAX,
  });
  router.rpc(
    method.batchVerify,
    async (req, ctx) => ({ results: (await answers.batchVerify(callOf(ctx), req)).map(resultToProto) }),
    { readMaxBytes: BATCH_BYTES_MAX },
  );
}

function resultToProto(one: BatchAnswer) {
  const result =
    "error" in one
      ? ({ case: "error", value: one.error } as const)
      : ({ case: "response", value: verifyToProto(one.answer) } as const);
  return create(BatchVerifyResultSchema, { result });
}

function statusOf(error: ConnectError): Status {
  const details = error.details.flatMap((one) =>
    "desc" in one ? [anyPack(one.desc, create(one.desc, one.value))] : [],
  );
  return create(StatusSchema, { code: error.code, message: error.rawMessage, details });
}
