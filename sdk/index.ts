import { type Clavis, createClavisOver } from "./client/clavis.ts";
import { type ClavisOptions, problemsOfMs, readOptions, refuseProblems } from "./client/options.ts";
import { openNodeLink } from "./node/link.ts";

export * from "./client/index.ts";

/** What a client in Node is told. */
export interface NodeClavisOptions extends ClavisOptions {
  /**
   * How long the connection may be silent before it is tried with a ping, in milliseconds: during a call, and at the next
   * one if there was none. Default 5,000: with the ping's own time a call notices a frozen peer within 6.5 s.
   */
  readonly pingIntervalMs?: number | undefined;
  /**
   * How long an answer to a ping may take in milliseconds; then the connection and the calls on it end, and the next call
   * opens another. Default 1,500: below the time that a verify has, which so gets a second try.
   */
  readonly pingTimeoutMs?: number | undefined;
}

/**
 * A client of the Clavis service at `baseUrl`, over HTTP/2. Connects when first used.
 *
 *     await using clavis = createClavis({ baseUrl: "https://keys.example.com", token });
 *
 * @throws TypeError naming everything that is wrong with the options
 */
export function createClavis(options: NodeClavisOptions): Clavis {
  const { pingIntervalMs = 5_000, pingTimeoutMs = 1_500 } = options;
  const { config, problems } = readOptions(options);
  refuseProblems("createClavis", [
    ...problems,
    ...problemsOfMs("pingIntervalMs", pingIntervalMs),
    ...problemsOfMs("pingTimeoutMs", pingTimeoutMs),
  ]);
  return createClavisOver(openNodeLink({ baseUrl: config.baseUrl, pingIntervalMs, pingTimeoutMs }), config);
}
