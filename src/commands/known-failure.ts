import { BackupError } from "../backup/backup-error.ts";
import { CommandFailure } from "../cli/command-failure.ts";
import { ConfigError } from "../config.ts";
import { DataFolderError } from "../embedded/data-folder.ts";
import { EmbeddedPostgresError } from "../embedded/embedded-postgres-error.ts";
import { DatabaseUnfit } from "../postgres/runtime-role.ts";

/** These say by themselves what happened and what to do. */
const selfExplaining = [BackupError, ConfigError, DataFolderError, EmbeddedPostgresError, DatabaseUnfit];

/** What to do about a system error, by its code. */
const advices: Readonly<Record<string, (facts: SystemFacts) => string>> = {
  EADDRINUSE: ({ address }) =>
    `${address} is in use already. Stop what listens there, or choose another with CLAVIS_LISTEN or CLAVIS_METRICS_LISTEN`,
  EADDRNOTAVAIL: ({ address }) =>
    `${address} is no address of this machine: see CLAVIS_LISTEN and CLAVIS_METRICS_LISTEN`,
  EACCES: ({ address, path }) => `this user may not use ${path ?? address}`,
  ENOENT: ({ path }) => `there is no file ${path}`,
  EISDIR: ({ path }) => `${path} is a folder, not a file`,
  ECONNREFUSED: ({ address }) => `nothing answers at ${address}: is Postgres running, and CLAVIS_DATABASE_URL right?`,
  ENOTFOUND: ({ hostname }) => `there is no host ${hostname}: is CLAVIS_DATABASE_URL right?`,
  ETIMEDOUT: ({ address }) => `${address} does not answer: is CLAVIS_DATABASE_URL right?`,
};

interface SystemFacts {
  readonly address: string;
  readonly path: string | undefined;
  readonly hostname: string | undefined;
}

/** What OpenSSL says of certificates and keys that it cannot use. */
const TLS_CODE = /^ERR_(?:OSSL|SSL|TLS|CRYPTO)_/;

/** What Postgres reports has a severity, and a code of five characters; its messages have neither passwords nor values. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

/**
 * `error` in words for who starts a service, where it is something that they can put right; otherwise the error itself,
 * which is a bug and keeps its stack.
 */
export function explain(error: unknown): unknown {
  if (selfExplaining.some((kind) => error instanceof kind)) return new CommandFailure((error as Error).message);
  const words = error instanceof Error ? wordsFor(error) : undefined;
  return words === undefined ? error : new CommandFailure(words);
}

function wordsFor(error: Error): string | undefined {
  // A name with several addresses fails with an error for each of them.
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const fact = (name: string) => textOf(cause instanceof Error ? Reflect.get(cause, name) : undefined);
  const code = fact("code") ?? "";
  if (SQLSTATE.test(code) && fact("severity") !== undefined) return `Postgres refuses: ${error.message} (${code})`;
  if (TLS_CODE.test(code)) {
    return `the files of CLAVIS_TLS_CERT_FILE and CLAVIS_TLS_KEY_FILE cannot be used: ${error.message}`;
  }
  const [address, port] = [fact("address"), fact("port")];
  return advices[code]?.({
    address: port === undefined ? `${address}` : `${address}:${port}`,
    path: fact("path"),
    hostname: fact("hostname"),
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
