import type { DescMessage, DescMethodUnary, Message, MessageShape } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { ClavisError } from "../errors/clavis-error.ts";
import { errorFromConnect } from "../errors/from-wire.ts";
import { secretsIn } from "../errors/secrets.ts";
import { type CallScope, openCallScope } from "./call-scope.ts";
import { type Input, messageFrom } from "./input.ts";
import type { Link } from "./link.ts";
import { type CallPolicy, policyOf } from "./policy.ts";
import { retryDelayMs } from "./retry.ts";
import { createRetryBudget } from "./retry-budget.ts";
import type { Runtime } from "./runtime.ts";
import { currentToken, type Token } from "./token.ts";

/** What every call takes besides its request. */
export interface CallOptions {
  /** Ends the call: it rejects with the reason `CANCELED`. What the service has begun, it may finish. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call may take in milliseconds, all attempts included. Default: the client's `timeoutMs`, or
   * `verifyTimeoutMs`, and the request's `maxWait` if it has one.
   */
  readonly timeoutMs?: number | undefined;
}

/** Calls `method` with the message that `input` describes. Rejects with a `ClavisError`, whatever goes wrong. */
export type Call = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: Input<MessageShape<I>>,
  options?: CallOptions,
) => Promise<MessageShape<O>>;

/** What calls are made of. */
export interface CallParts {
  readonly link: Link;
  readonly token: Token;
  /** In milliseconds. */
  readonly timeouts: Readonly<Record<CallPolicy["timeout"], number>>;
  /** How often a call is tried at most; 1 for no retries. */
  readonly attemptsMax: number;
  /** Aborted when the client closes. */
  readonly closing: AbortSignal;
  readonly runtime: Runtime;
}

/** The one function that every method of the client goes through: deadline, token, attempts, errors. */
export function createCall({ link, token, timeouts, attemptsMax, closing, runtime }: CallParts): Call {
  const budget = createRetryBudget();
  const unbegun = new WeakSet<ClavisError>();

  return async (method, input, options = {}) => {
    const policy = policyOf(method);
    const request = messageFrom(method.input, input);
    if (policy.requestId) ensureRequestId(request, runtime);

    const timeoutMs = options.timeoutMs ?? timeouts[policy.timeout] + maxWaitMs(request);
    using scope = openCallScope({ timeoutMs, signal: options.signal, closing }, runtime);

    for (let attempt = 1; ; attempt++) {
      try {
        const message = await attemptOnce(method, request, scope);
        budget.succeeded();
        return message;
      } catch (error) {
        const delayMs = delayAfter(error, attempt, policy, scope);
        if (delayMs === undefined) throw error;
        await runtime.wait(delayMs, scope.signal);
      }
    }
  };

  async function attemptOnce<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    scope: CallScope,
  ): Promise<MessageShape<O>> {
    scope.signal.throwIfAborted();
    const bearer = await scope.race(currentToken(token));
    // The service is told how long it has, so that it does not work on for nobody.
    const timeoutMs = Math.max(1, Math.ceil(scope.remainingMs()));
    const header = { authorization: `Bearer ${bearer}` };
    try {
      return (await link.transport.unary(method, scope.signal, timeoutMs, header, request)).message;
    } catch (thrown) {
      // Why the call had to end, if it had to, says more than what the transport made of it.
      scope.signal.throwIfAborted();
      const error = ConnectError.from(thrown);
      if (!link.isBroken(error)) throw errorFromConnect(error, [bearer, ...secretsIn(method.input, request)]);
      const failure = unreachable(error);
      if (link.isUnbegun(error)) unbegun.add(failure);
      throw failure;
    }
  }

  function delayAfter(error: unknown, attempt: number, policy: CallPolicy, scope: CallScope): number | undefined {
    if (!(error instanceof ClavisError) || error.code !== "UNAVAILABLE") return undefined;
    // A replica that leaves in good order refuses many at once, and has done nothing for them: no reason to hold back.
    const free = attempt === 1 && unbegun.has(error);
    if (!free && !budget.failed()) return undefined;
    const { repeatable } = policy;
    const remainingMs = scope.remainingMs();
    return retryDelayMs({ attempt, attemptsMax, repeatable, error, remainingMs, random: runtime.random });
  }
}

/** Every attempt sends the same id, so that the change is made once however many arrive. */
function ensureRequestId(request: Message & { requestId?: string }, { uuid }: Runtime): void {
  if (!request.requestId) request.requestId = uuid();
}

/** How long the service may take on purpose, until a change holds everywhere. */
function maxWaitMs({ maxWait }: Message & { maxWait?: Duration | undefined }): number {
  return maxWait === undefined ? 0 : Math.max(0, durationMs(maxWait));
}

/** The cause's own code says more than its text, and neither has been near the request. */
function unreachable({ rawMessage, cause }: ConnectError): ClavisError {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  return new ClavisError({
    reason: "UNREACHABLE",
    code: "UNAVAILABLE",
    message: `no connection to the service: ${code ?? rawMessage}`,
    retryable: true,
  });
}
