import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { ConnectError, ConnectRouter } from "@connectrpc/connect";
import { DomainError } from "../errors.ts";
import {
  type BatchVerifyResult,
  BatchVerifyResultSchema,
  VerifyService as Desc,
  VerifyRequestSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.ts";
import type { Metrics } from "../metrics.ts";
import type { VerifyAnswer, VerifyService } from "../verify/verify-service.ts";
import { callOf } from "./call-context.ts";
import { toConnectError } from "./errors.ts";
import type { RequestCheck } from "./request-check.ts";
import { verifyFromProto, verifyToProto } from "./verify-proto.ts";

interface Parts {
  readonly verify: VerifyService;
  readonly check: RequestCheck;
  readonly metrics: Metrics;
}

/** Bytes of the largest request: one secret, 64 permissions and a query; and 256 times that. */
const VERIFY_BYTES_MAX = 32 * 1024;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Answers `clavis.v1.VerifyService`. Requests arrive authenticated and valid, but for the items of a batch. */
export function routeVerifyService(router: ConnectRouter, { verify, check, metrics }: Parts): void {
  const { method } = Desc;
  router.rpc(method.verify, async (req, ctx) => show(await verify.verify(callOf(ctx), verifyFromProto(req))), {
    readMaxBytes: VERIFY_BYTES_MAX,
  });
  router.rpc(
    method.batchVerify,
    async (req, ctx) => {
      // Each item is checked on its own, so that a bad one does not spoil the rest.
      const problems = req.requests.map((item) => check(VerifyRequestSchema, item));
      const sound = req.requests.filter((_, index) => problems[index] === undefined);
      const answers = (await verify.verifyBatch(callOf(ctx), sound.map(verifyFromProto))).values();
      return {
        results: problems.map((problem) =>
          resultToProto(problem ?? (answers.next().value as VerifyAnswer | DomainError)),
        ),
      };
    },
    { readMaxBytes: BATCH_BYTES_MAX },
  );

  function show(answer: VerifyAnswer) {
    metrics.verdict(answer.outcome);
    return verifyToProto(answer);
  }

  function resultToProto(answer: VerifyAnswer | DomainError): BatchVerifyResult {
    const result =
      answer instanceof DomainError
        ? ({ case: "error", value: statusOf(toConnectError(answer)) } as const)
        : ({ case: "response", value: show(answer) } as const);
    return create(BatchVerifyResultSchema, { result });
  }
}

function statusOf(error: ConnectError): Status {
  const details = error.details.flatMap((one) =>
    "desc" in one ? [anyPack(one.desc, create(one.desc, one.value))] : [],
  );
  return create(StatusSchema, { code: error.code, message: error.rawMessage, details });
}
