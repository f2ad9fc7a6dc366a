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
import type { HandlerContext } from "@connectrpc/connect";
import { tenantIdOf } from "../access/principal.ts";
import type { Change, ChangeRequest, ChangeService } from "../changes/change-service.ts";
import { callOf } from "./call-context.ts";

interface Method<Input extends DescMessage, Output extends DescMessage> {
  readonly name: string;
  readonly parent: { readonly typeName: string };
  readonly input: Input;
  readonly output: Output;
}

/**
 * Answers a request that changes something: `work` makes the change and the answer, in one transaction and exactly once per
 * `request_id`. In the caller's own tenant, unless another is named.
 */
export type ChangeRunner = <Input extends DescMessage, Output extends DescMessage>(
  method: Method<Input, Output>,
  req: MessageShape<Input>,
  ctx: HandlerContext,
  work: (change: Change) => Promise<MessageInitShape<Output>>,
  tenantId?: string,
) => Promise<MessageShape<Output>>;

export function createChangeRunner(changes: ChangeService): ChangeRunner {
  return (method, req, ctx, work, tenantId) => {
    const call = callOf(ctx);
    const tenant = tenantId ?? tenantIdOf(call.principal);
    return changes.run(call, tenant, changeRequest(method, req), async (change) =>
      create(method.output, await work(change)),
    );
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
