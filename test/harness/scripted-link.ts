import { create, type DescMessage, type Message, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import type { Link } from "../../sdk/client/link.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../sdk/gen/google/rpc/error_details_pb.ts";

/** A call as it went out. */
export interface SentCall {
  readonly method: string;
  readonly request: Message;
  readonly authorization: string | null;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What becomes of one attempt: a response's fields, an error, or whatever the function does. */
export type Step = object | Error | ((call: SentCall) => object | Promise<object>);

const NO_CONNECTION = "connect ECONNREFUSED";

/** A link without a network that answers by the script, one step for each attempt. */
export interface ScriptedLink extends Link {
  readonly sent: SentCall[];
  readonly closed: boolean;
}

export function createScriptedLink(...script: Step[]): ScriptedLink {
  const sent: SentCall[] = [];
  let closed = false;

  const transport: Transport = {
    async unary(method, signal, timeoutMs, header, input) {
      const authorization = new Headers(header).get("authorization");
      const call = { method: method.name, request: create(method.input, input), authorization, timeoutMs, signal };
      const step = script[sent.length];
      sent.push(call);
      if (step === undefined) throw new Error(`attempt ${sent.length} is not in the script`);
      if (step instanceof Error) throw step;
      const answer = typeof step === "function" ? await step(call) : step;
      return response(method, create(method.output, answer as MessageInitShape<typeof method.output>));
    },
    stream() {
      throw new Error("no stream in the script");
    },
  };
  return {
    transport,
    isBroken: ({ rawMessage }) => rawMessage === NO_CONNECTION,
    isUnbegun: () => false,
    close() {
      closed = true;
    },
    sent,
    get closed() {
      return closed;
    },
  };
}

/** A step that never answers, until the call is given up. */
export function silence({ signal }: SentCall): Promise<object> {
  return new Promise((_, reject) => {
    const end = () => reject(new ConnectError("aborted", Code.Canceled));
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
  });
}

/** An error as the service sends it. */
export function serviceError(
  code: Code,
  reason: string,
  { message = "as scripted", metadata = {}, retryAfterMs }: ServiceErrorParts = {},
): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain: "clavis.dev", metadata } };
  const retry =
    retryAfterMs === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryAfterMs) } }];
  return new ConnectError(message, code, { "clavis-call-id": "call_1" }, [info, ...retry]);
}

interface ServiceErrorParts {
  message?: string;
  metadata?: Record<string, string>;
  retryAfterMs?: number;
}

/** What a link says when there is no connection. */
export function noConnection(): ConnectError {
  return new ConnectError(NO_CONNECTION, Code.Unavailable);
}

function response<I extends DescMessage, O extends DescMessage>(
  method: UnaryResponse<I, O>["method"],
  message: MessageShape<O>,
): UnaryResponse<I, O> {
  return { stream: false, service: method.parent, method, message, header: new Headers(), trailer: new Headers() };
}
