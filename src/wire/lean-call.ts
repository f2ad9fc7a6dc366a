import { randomUUID } from "node:crypto";
import type { ConnectError } from "@connectrpc/connect";
import type { Authenticated, Authenticator } from "../access/authenticator.ts";
import type { Principal } from "../access/principal.ts";
import type { Call } from "../call.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { REQUEST_TIMEOUT_MS } from "../http/server-settings.ts";
import { admissionTo, bearerOf, userAgentOf } from "../rpc/admission.ts";
import type { CallObserver } from "../rpc/call-observer.ts";
import { callerGone, deadlineExceeded } from "../rpc/interceptors.ts";
import type { RequestCheck } from "../rpc/request-check.ts";
import type { VerifyAnswers } from "../rpc/verify-service.ts";
import { type Soon, soonThen } from "../soon.ts";
import { type AnswerFormat, createAnswerFormats } from "./answer-format.ts";
import type { Exchange } from "./exchange.ts";
import { FRAME_HEAD_BYTES, unframe } from "./grpc-frame.ts";
import type { LeanRequest, MethodName } from "./lean-request.ts";
import { type Arrived, readBody } from "./read-body.ts";

export interface LeanCallParts {
  readonly authenticator: Authenticator;
  readonly answers: VerifyAnswers;
  readonly check: RequestCheck;
  readonly observer: CallObserver;
}

/** What the headers say of who calls. */
export interface Presented {
  readonly authorization: string | undefined;
  readonly userAgent: string | undefined;
  /** The address that the call came from; empty if that is not known. */
  readonly address: string;
}

/** Sees one call through. What it cannot read goes to `toStock`, which then has to answer. */
export type ServeLeanCall = (
  lean: LeanRequest,
  presented: Presented,
  exchange: Exchange,
  toStock: (arrived: Arrived) => void,
) => void;

export function createLeanCalls({ authenticator, answers, check, observer }: LeanCallParts): ServeLeanCall {
  const formats = createAnswerFormats();
  const methods: Record<MethodName, Method> = {
    verify: {
      ...named("verify"),
      open(bytes, format) {
        const req = format.readVerify(bytes);
        return {
          problem: () => check(VerifyService.method.verify.input, req),
          answer: (call) => soonThen(answers.verify(call, req), (answer) => format.writeVerify(answer)),
        };
      },
    },
    batchVerify: {
      ...named("batchVerify"),
      open(bytes, format) {
        const req = format.readBatch(bytes);
        return {
          problem: () => check(VerifyService.method.batchVerify.input, req),
          answer: (call) => soonThen(answers.batchVerify(call, req), (batch) => format.writeBatch(batch)),
        };
      },
    },
  };

  return (lean, presented, exchange, toStock) => {
    const { timeoutMs, bytesMax, protocol, encoding } = lean;
    const method = methods[lean.method];
    let isLate = timeoutMs !== undefined && timeoutMs <= 0;
    // While there is something to wait for.
    let end: ((error: ConnectError) => void) | undefined;
    const deadline = timeoutMs === undefined || isLate ? undefined : setTimeout(expire, timeoutMs);
    const reading = setTimeout(() => exchange.breakOff(), REQUEST_TIMEOUT_MS);

    function expire(): void {
      isLate = true;
      end?.(deadlineExceeded());
    }

    exchange.onClose(() => {
      clearTimeout(deadline);
      clearTimeout(reading);
      end?.(callerGone());
    });
    readBody(exchange.source, bytesMax + (protocol === "grpc" ? FRAME_HEAD_BYTES : 0), (arrived) => {
      clearTimeout(reading);
      const opened = arrived.whole ? open(arrived.chunks) : undefined;
      if (opened === undefined) {
        clearTimeout(deadline);
        toStock(arrived);
      } else answer(opened);
    });

    function open(chunks: readonly Buffer[]): Opened | undefined {
      const [first, second] = chunks;
      const body = first !== undefined && second === undefined ? first : Buffer.concat(chunks);
      const message = protocol === "grpc" ? unframe(body) : body;
      try {
        return message && method.open(message, formats[encoding]);
      } catch {
        // Whatever it is, the stock handler finds it too, and has the words for it.
        return undefined;
      }
    }

    function answer(opened: Opened): void {
      const callId = randomUUID();
      const observed = observer.begin(callId, method.name);
      let principal: Principal | undefined;
      let abort: AbortController | undefined;

      function fail(error: unknown): void {
        if (end === undefined) return;
        end = undefined;
        exchange.fail(observed.fail(error, principal));
      }
      end = (error) => {
        abort?.abort(error);
        fail(error);
      };
      if (isLate) {
        end(deadlineExceeded());
        return;
      }
      attempt();

      /** At once where all that is needed is in memory. */
      function attempt(): void {
        try {
          const message = decided();
          if (message instanceof Promise) message.then(succeed, fail).catch(() => exchange.breakOff());
          else if (message !== undefined) succeed(message);
        } catch {
          exchange.breakOff();
        }
      }

      function decided(): Soon<Uint8Array> | undefined {
        try {
          return decide();
        } catch (error) {
          fail(error);
          return undefined;
        }
      }

      function succeed(message: Uint8Array): void {
        if (end === undefined) return;
        end = undefined;
        observed.succeed(principal);
        exchange.succeed(callId, message);
      }

      function decide(): Soon<Uint8Array> {
        const { authorization, address } = presented;
        const credential = { secret: bearerOf(authorization), address };
        return soonThen(method.admit(authenticator, credential), answerTo);
      }

      function answerTo(admitted: Authenticated): Soon<Uint8Array> {
        principal = admitted.principal;
        const problem = opened.problem();
        if (problem !== undefined) throw problem;
        const call: Call = {
          id: callId,
          ...admitted,
          address: presented.address,
          userAgent: userAgentOf(presented.userAgent),
          // Hardly anything asks for it, and it costs more than the rest of the call's facts.
          get signal() {
            abort ??= new AbortController();
            return abort.signal;
          },
        };
        return opened.answer(call);
      }
    }
  };
}

interface Method {
  /** As the contract calls it. */
  readonly name: string;
  readonly admit: NonNullable<ReturnType<typeof admissionTo>>;
  /** Reads a request. Throws if it cannot be read. */
  open(bytes: Uint8Array, format: AnswerFormat): Opened;
}

/** A request that could be read. */
interface Opened {
  /** Why it breaks the contract. */
  problem(): ReturnType<RequestCheck>;
  answer(call: Call): Soon<Uint8Array>;
}

function named(name: MethodName): Pick<Method, "name" | "admit"> {
  const method = VerifyService.method[name];
  const admit = admissionTo(method);
  if (admit === undefined) throw new Error(`nobody is held to who they are at ${method.name}`);
  return { name: `${VerifyService.typeName}/${method.name}`, admit };
}
