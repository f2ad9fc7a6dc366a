import { hash } from "node:crypto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { tenantIdOf } from "../access/principal.ts";
import type { Change, ChangeRequest, ChangeService } from "../changes/change-service.ts";
import { SECOND_MS } from "../time.ts";
import { callOf } from "./call-context.ts";
import { durationFromProto, timeToProto } from "./time-proto.ts";

interface Method<Input extends DescMessage, Output extends DescMessage> {
  readonly name: string;
  readonly parent: { readonly typeName: string };
  readonly input: Input;
  readonly output: Output;
}

/** Answers requests that change something: in one transaction, and exactly once per `request_id`. */
export interface ChangeRunner {
  /** `work` makes the change and the answer. In the caller's own tenant, unless another is named. */
  run<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    req: MessageShape<Input>,
    ctx: HandlerContext,
    work: (change: Change) => Promise<MessageInitShape<Output>>,
    tenantId?: string,
  ): Promise<MessageShape<Output>>;
  /** The same for what takes rights away: waits for as long as the request allows, and tells from when on it holds everywhere. */
  take<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    req: MessageShape<Input> & Waiting,
    ctx: HandlerContext,
    work: (change: Change) => Promise<MessageInitShape<Output>>,
    tenantId?: string,
  ): Promise<MessageShape<Output> & { effectiveTime: Timestamp }>;
}

interface Waiting {
  readonly maxWait?: Duration | undefined;
}

/** As the contract says. */
const MAX_WAIT_DEFAULT_MS = 2 * SECOND_MS;

export function createChangeRunner(changes: ChangeService): ChangeRunner {
  return {
    run(method, req, ctx, work, tenantId) {
      const call = callOf(ctx);
      const tenant = tenantId ?? tenantIdOf(call.principal);
      return changes.run(call, tenant, changeRequest(method, req), async (change) =>
        create(method.output, await work(change)),
      );
    },

    async take(method, req, ctx, work, tenantId) {
      const call = callOf(ctx);
      const tenant = tenantId ?? tenantIdOf(call.principal);
      const maxWaitMs = req.maxWait === undefined ? MAX_WAIT_DEFAULT_MS : durationFromProto(req.maxWait);
      const { answer, effectiveTime } = await changes.take(
        call,
        tenant,
        changeRequest(method, req),
        maxWaitMs,
        async (change) => create(method.output, await work(change)),
      );
      return { ...answer, effectiveTime: timeToProto(effectiveTime) };
    },
  };
}

/** How a request is recognised when it comes again, and how its answer is kept; undefined without a `request_id`. */
function changeRequest<Input extends DescMessage, Output extends DescMessage>(
  method: Method<Input, Output>,
  req: MessageShape<Input>,
): ChangeRequest<MessageShape<Output>> | undefined {
  const { requestId = "" } = req as { requestId?: string };
  if (requestId === "") return undefined;
  return {
    requestId: requestId.toLowerCase(),
    fingerprint: fingerprintOf(method, req),
    encode: (answer) => toBinary(method.output, answer),
    decode: (bytes) => fromBinary(method.output, bytes),
  };
}

/** The same for each encoding of the same request, whatever the order of the names in its maps. */
function fingerprintOf(method: Method<DescMessage, DescMessage>, req: MessageShape<DescMessage>): string {
  const { requestId: _, ...rest } = toJson(method.input, req) as Record<string, unknown>;
  return hash("sha256", `${method.parent.typeName}/${method.name} ${JSON.stringify(rest, sorted)}`, "hex");
}

function sorted(_name: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
