import type { Loader } from "./load.ts";
import type { Row } from "./row.ts";
import { againstBetterAuth } from "./rows/better-auth.ts";
import { createKey } from "./rows/create-key.ts";
import { start } from "./rows/start.ts";
import { batches, overGrpc, overHttp1 } from "./rows/verify.ts";

/** Each by its name in the design. */
export const rows: Readonly<Record<string, (run: Loader) => Promise<readonly Row[]>>> = {
  S1: overGrpc,
  S2: overHttp1,
  S3: batches,
  S10: createKey,
  S13: start,
  S16: againstBetterAuth,
};
