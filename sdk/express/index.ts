import type { NextFunction, Request, Response } from "express";
import type { ApiKey } from "../guard/api-key.ts";
import { checkPermissions, createGuard, refuseBadPermissions } from "../guard/guard.ts";
import type { GuardOptions, GuardVerdict } from "../guard/options.ts";
import type { GuardResponse } from "../guard/response.ts";

export type { ApiKey } from "../guard/api-key.ts";
export type { GuardOptions, GuardVerdict } from "../guard/options.ts";
export type { OutcomeName } from "../guard/refusal.ts";

declare global {
  namespace Express {
    interface Request {
      /** The key that the request came with, once `requireApiKey` has admitted it. */
      apiKey?: ApiKey;
    }
  }
}

/** How requests of an Express application are guarded. */
export interface RequireApiKeyOptions extends GuardOptions {
  /**
   * The address of the caller, such as `(req) => req.ip` with `trust proxy` set for the proxies that really stand before
   * the application. Without it, keys that are held to addresses are refused: a header like `X-Forwarded-For` says
   * whatever its sender wants, so none is believed unasked.
   */
  readonly clientIp?: ((req: Request) => string | undefined) | undefined;
  /** Told of every key that was presented and what became of it. What it throws goes to the error handler. */
  readonly onVerdict?: ((verdict: GuardVerdict, req: Request) => void) | undefined;
}

/** A middleware of Express 4 and 5. */
export type Middleware = (req: Request, res: Response, next: NextFunction) => void;

/**
 * Lets requests pass that come with a key of the keyspace, and puts its facts into `req.apiKey`. Others get 401 (no key,
 * or one that does not hold), 400 (several, or nothing that could be one), 403 (not for this), 429, and 503 if it could not
 * be told, each with a problem as its body (RFC 9457). The query string is never read for a key.
 *
 * @throws TypeError naming everything that is wrong with the options
 */
export function requireApiKey(options: RequireApiKeyOptions): Middleware {
  const guard = createGuard(options);
  const { clientIp, onVerdict } = options;
  return (req, res, next) => {
    const abort = new AbortController();
    // A caller who has gone needs no answer, and the client's connection has better things to do.
    res.once("close", () => abort.abort());
    decide(req, abort.signal).then((decision) => {
      if (!decision.admitted) return send(res, decision.response);
      req.apiKey = decision.apiKey;
      next();
    }, next);
  };

  async function decide(req: Request, signal: AbortSignal) {
    const values = req.headersDistinct[guard.header] ?? [];
    const decision = await guard.check({ request: req, values, clientIp: clientIp?.(req), signal });
    if (decision.verdict !== undefined) onVerdict?.(decision.verdict, req);
    return decision;
  }
}

/**
 * Lets requests pass whose key, which `requireApiKey` has admitted before, has all of `permissions`; others get 403 with
 * those that are missing. Asks nobody: the key is verified once per request.
 *
 * @throws TypeError if there are none, or one is no permission without a wildcard
 */
export function requirePermission(...permissions: string[]): Middleware {
  refuseBadPermissions(permissions);
  return (req, res, next) => {
    let response: GuardResponse | undefined;
    try {
      response = checkPermissions(req, permissions);
    } catch (error) {
      return next(error);
    }
    if (response === undefined) next();
    else send(res, response);
  };
}

/** By Node's own means, which are the same in Express 4 and 5. */
function send(res: Response, { status, headers, body }: GuardResponse): void {
  if (!res.headersSent && !res.destroyed) res.writeHead(status, headers).end(body);
}
