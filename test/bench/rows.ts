import type { Loader } from "./load.ts";
import type { Row } from "./row.ts";
import { againstBetterAuth } from "./rows/better-auth.ts";
import { cold, inRedis } from "./rows/cold.ts";
import { createKey } from "./rows/create-key.ts";
import { memory } from "./rows/memory.ts";
import { start } from "./rows/start.ts";
import { tenMillion } from "./rows/ten-million.ts";
import { batches, overGrpc, overHttp1 } from "./rows/verify.ts";
import { workers } from "./rows/workers.ts";

/** Each by its name in the design. */
export const rows: Readonly<Record<string, (run: Loader) => Promise<readonly Row[]>>> = {
  S1: overGrpc,
  S2: overHttp1,
  S3: batches,
  S6: cold,
  S7: inRedis,
  S8: tenMillion,
  S10: createKey,
  S13: start,
  S14: memory,
  S15: workers,
  S16: againstBetterAuth,
};

/** Those that take many minutes and gigabytes, and so are only measured where `--long` or their name asks for them. */
export const longRows: readonly string[] = ["S8"];
