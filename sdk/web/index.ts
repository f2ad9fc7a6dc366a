import { type Clavis, createClavisOver } from "../client/clavis.ts";
import { type ClavisOptions, readOptions, refuseProblems } from "../client/options.ts";
import { openWebLink } from "./link.ts";

export * from "../client/index.ts";

/**
 * A client of the Clavis service at `baseUrl` for browsers, over `fetch`. The service must allow the page's origin.
 *
 * @throws TypeError naming everything that is wrong with the options
 */
export function createClavis(options: ClavisOptions): Clavis {
  const { config, problems } = readOptions(options);
  refuseProblems("createClavis", problems);
  return createClavisOver(openWebLink(config.baseUrl), config);
}
