import { randomUUID } from "node:crypto";
import type { ConnectError } from "@connectrpc/connect";
import type { Authenticated, Authenticator } from "../access/authenticator.ts";
import type { Principal } from "../access/principal.ts";
import type { Rights } from "../access/rights.ts";
import type { Call } from "../call.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { REQUEST_TIMEOUT_MS } from "../http/server-settings.ts";
import { admissionTo, bearerOf, userAgentOf } from "../rpc/admission.ts";
import type { CallObserver, ObservedCall } from "../rpc/call-observer.ts";
import { callerGone, deadlineExceeded } from "../rpc/interceptors.ts";
import type { RequestCheck } from "../rpc/request-check.ts";
import type { VerifyAnswers } from "../rpc/verify-service.ts";
import { type Soon, soonThen } from "../soon.ts";
import { type AnswerFormat, createAnswerFormats } from "./answer-format.ts";
import type { Exchange } from "./exchange.ts";
import { FRAME_HEAD_BYTES, unframe } from "./grpc-frame.ts";
import type { Encoding, LeanRequest, MethodName } from "./lean-request.ts";
import { type Arrived, readBody } from "./read-body.ts";
import { type SpanWatch, watchSpans } from "./span-watch.ts";

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
  const parts: CallParts = {
    authenticator,
    observer,
    formats: createAnswerFormats(),
    methods: {
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
    },
    reading: watchSpans<LeanCall>(REQUEST_TIMEOUT_MS, (call) => call.exchange.breakOff()),
  };
  return (lean, presented, exchange, toStock) => new LeanCall(parts, lean, presented, exchange).begin(toStock);
}

interface CallParts {
  readonly authenticator: Authenticator;
  readonly observer: CallObserver;
  readonly formats: Record<Encoding, AnswerFormat>;
  readonly methods: Record<MethodName, Method>;
  /** Calls of which not all has arrived. */
  readonly reading: SpanWatch<LeanCall>;
}

/**
 * A call, from its headers to its answer. A class and not a closure for each thing that it can do: it is all that is made for each
 * call, and what was made besides took longer to collect again than the call took.
 */
class LeanCall implements ObservedCall {
  readonly exchange: Exchange;
  callId = "";
  startSeconds = 0;
  readonly #parts: CallParts;
  readonly #lean: LeanRequest;
  readonly #method: Method;
  readonly #presented: Presented;
  /** Where it is among those that are being read. */
  #place: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isLate = false;
  /** Between when all of it has been read and its end, whichever that is. */
  #isOpen = false;
  #admitted: AdmittedCall | undefined;

  constructor(parts: CallParts, lean: LeanRequest, presented: Presented, exchange: Exchange) {
    this.#parts = parts;
    this.#lean = lean;
    this.#method = parts.methods[lean.method];
    this.#presented = presented;
    this.exchange = exchange;
  }

  get method(): string {
    return this.#method.name;
  }

  begin(toStock: (arrived: Arrived) => void): void {
    const { timeoutMs, bytesMax, protocol } = this.#lean;
    this.#isLate = timeoutMs !== undefined && timeoutMs <= 0;
    if (timeoutMs !== undefined && !this.#isLate) this.#deadline = setTimeout(() => this.#expire(), timeoutMs);
    this.#place = this.#parts.reading.begin(this);
    this.exchange.onClose(() => this.#close());
    readBody(this.exchange.source, bytesMax + (protocol === "grpc" ? FRAME_HEAD_BYTES : 0), (arrived) => {
      this.#stopReading();
      const opened = arrived.whole ? this.#read(arrived.chunks) : undefined;
      if (opened === undefined) {
        clearTimeout(this.#deadline);
        toStock(arrived);
      } else this.#answer(opened);
    });
  }

  #stopReading(): void {
    if (this.#place === undefined) return;
    this.#parts.reading.end(this.#place);
    this.#place = undefined;
  }

  #close(): void {
    clearTimeout(this.#deadline);
    this.#stopReading();
    if (this.#isOpen) this.#end(callerGone());
  }

  #expire(): void {
    this.#isLate = true;
    if (this.#isOpen) this.#end(deadlineExceeded());
  }

  #read(chunks: readonly Buffer[]): Opened | undefined {
    const { protocol, encoding } = this.#lean;
    const [first, second] = chunks;
    const body = first !== undefined && second === undefined ? first : Buffer.concat(chunks);
    const message = protocol === "grpc" ? unframe(body) : body;
    try {
      return message && this.#method.open(message, this.#parts.formats[encoding]);
    } catch {
      // Whatever it is, the stock handler finds it too, and has the words for it.
      return undefined;
    }
  }

  /** At once where all that is needed is in memory. */
  #answer(opened: Opened): void {
    this.callId = randomUUID();
    this.startSeconds = this.#parts.observer.now();
    this.#isOpen = true;
    if (this.#isLate) {
      this.#end(deadlineExceeded());
      return;
    }
    try {
      const message = this.#decided(opened);
      if (message instanceof Promise) this.#await(message);
      else if (message !== undefined) this.#succeed(message);
    } catch {
      this.exchange.breakOff();
    }
  }

  #await(message: Promise<Uint8Array>): void {
    message
      .then(
        (bytes) => this.#succeed(bytes),
        (error: unknown) => this.#fail(error),
      )
      .catch(() => this.exchange.breakOff());
  }

  #decided(opened: Opened): Soon<Uint8Array> | undefined {
    try {
      const { authorization, address } = this.#presented;
      const credential = { secret: bearerOf(authorization), address };
      const admitted = this.#method.admit(this.#parts.authenticator, credential);
      return soonThen(admitted, (caller) => this.#answerTo(caller, opened));
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #answerTo(caller: Authenticated, opened: Opened): Soon<Uint8Array> {
    this.#admitted = new AdmittedCall(this.callId, caller, this.#presented);
    const problem = opened.problem();
    if (problem !== undefined) throw problem;
    return opened.answer(this.#admitted);
  }

  #succeed(message: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.observer.succeed(this, this.#admitted?.principal);
    this.exchange.succeed(this.callId, message);
  }

  /** Whatever is still under way. */
  #end(error: ConnectError): void {
    this.#admitted?.abort(error);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.exchange.fail(this.#parts.observer.fail(this, error, this.#admitted?.principal));
  }
}

/** The facts of a call whose caller is known. */
class AdmittedCall implements Call {
  readonly id: string;
  readonly principal: Principal;
  readonly rights: Rights;
  readonly address: string;
  readonly userAgent: string;
  #controller: AbortController | undefined;

  constructor(id: string, { principal, rights }: Authenticated, { address, userAgent }: Presented) {
    this.id = id;
    this.principal = principal;
    this.rights = rights;
    this.address = address;
    this.userAgent = userAgentOf(userAgent);
  }

  /** Hardly anything asks for it, and it costs more than the rest of the call's facts. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: ConnectError): void {
    this.#controller?.abort(reason);
  }
}

interface Method {
  /** As the contract calls it. */
  readonly name: string;
  readonly admit: NonNullable<ReturnType<typeof admissionTo>>;
  /** Reads a request. Throws if it cannot be read. */
  open(bytes: Buffer, format: AnswerFormat): Opened;
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
