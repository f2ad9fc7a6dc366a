import { randomBytes } from "node:crypto";
import { type Config, parseConfig } from "../../../src/config.ts";

/** Connections for changes, of each who takes part. */
export const CONNECTIONS = 10;

/** A service on the database at `url`, with secrets of its own. */
export function serverConfig(url: string): { readonly config: Config; readonly operatorToken: string } {
  const operatorToken = `operator_${randomBytes(32).toString("base64url")}`;
  const config = parseConfig({
    CLAVIS_DATABASE_URL: url,
    CLAVIS_DATABASE_CONNECTIONS: String(CONNECTIONS),
    CLAVIS_ROOT_KEYS: `bench:${randomBytes(32).toString("base64")}`,
    CLAVIS_OPERATOR_KEYS: operatorToken,
    CLAVIS_LISTEN: "127.0.0.1:0",
    CLAVIS_METRICS_LISTEN: "off",
    CLAVIS_DRAIN_DELAY_SECONDS: "0",
  });
  return { config, operatorToken };
}
