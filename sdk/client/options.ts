import { isToken, type Token } from "./token.ts";

/** What a client is told, in Node and in browsers. */
export interface ClavisOptions {
  /** Where the service is, such as `https://keys.example.com`. A path is kept: calls go below it. */
  readonly baseUrl: string | URL;
  /**
   * The credential of every call: a management key's secret, or a function that is asked for each attempt. Browsers
   * should have short-lived ones at most.
   */
  readonly token: Token;
  /** How long a management call may take in milliseconds, all attempts included. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How long `verify` and `batchVerify` may take in milliseconds, all attempts included. Default 2,000. */
  readonly verifyTimeoutMs?: number | undefined;
  /** How often a call is tried at most where that is safe; 1 turns retries off. Default 3. */
  readonly attemptsMax?: number | undefined;
}

const TIMEOUT_MS = 10_000;

/** Somebody waits for the answer to a verify, so it is better to say soon that it cannot be told. */
const VERIFY_TIMEOUT_MS = 2_000;

const ATTEMPTS_MAX = 3;

/** Options with their defaults, checked. */
export interface ClientConfig {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly token: Token;
  readonly timeoutMs: number;
  readonly verifyTimeoutMs: number;
  readonly attemptsMax: number;
}

/** The options with their defaults, and what is wrong with them. No problem quotes the token. */
export function readOptions(options: ClavisOptions): { config: ClientConfig; problems: string[] } {
  const { timeoutMs = TIMEOUT_MS, verifyTimeoutMs = VERIFY_TIMEOUT_MS, attemptsMax = ATTEMPTS_MAX } = options;
  const config = {
    baseUrl: String(options.baseUrl).replace(/\/+$/, ""),
    token: options.token,
    timeoutMs,
    verifyTimeoutMs,
    attemptsMax,
  };
  const problems = [
    ...problemsOfUrl(config.baseUrl),
    ...(typeof config.token === "function" || isToken(config.token)
      ? []
      : ["token: expected visible ASCII characters without blanks, or a function that gives them"]),
    ...problemsOfMs("timeoutMs", timeoutMs),
    ...problemsOfMs("verifyTimeoutMs", verifyTimeoutMs),
    ...(Number.isSafeInteger(attemptsMax) && attemptsMax >= 1 ? [] : ["attemptsMax: expected a whole number from 1"]),
  ];
  return { config, problems };
}

/** Empty if `ms` is a span of time, and else what is wrong with it. */
export function problemsOfMs(name: string, ms: number): string[] {
  return Number.isFinite(ms) && ms > 0 ? [] : [`${name}: expected a number of milliseconds above 0`];
}

/**
 * Refuses a faulty configuration with all that is wrong with it.
 *
 * @throws TypeError if there are any problems
 */
export function refuseProblems(name: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new TypeError(`${name}: ${problems.join("; ")}`);
}

function problemsOfUrl(text: string): string[] {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return ["baseUrl: expected an http or https URL"];
  const extra = url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "";
  return extra ? ["baseUrl: expected no credentials, query or fragment"] : [];
}
