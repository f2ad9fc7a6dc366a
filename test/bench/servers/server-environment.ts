import { randomBytes } from "node:crypto";

/** Connections for changes, of each who takes part. */
export const CONNECTIONS = 10;

/** Of a service on the database at `url`, with secrets of its own. */
export function serverEnvironment(url: string) {
  const operatorToken = `operator_${randomBytes(32).toString("base64url")}`;
  const environment = {
    CLAVIS_DATABASE_URL: url,
    CLAVIS_DATABASE_CONNECTIONS: String(CONNECTIONS),
    CLAVIS_ROOT_KEYS: `bench:${randomBytes(32).toString("base64")}`,
    CLAVIS_OPERATOR_KEYS: operatorToken,
    CLAVIS_LISTEN: "127.0.0.1:0",
    CLAVIS_METRICS_LISTEN: "127.0.0.1:0",
    CLAVIS_DRAIN_DELAY_SECONDS: "0",
  };
  return { environment, operatorToken };
}
