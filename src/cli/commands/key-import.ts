import type { Command } from "commander";
import { CommandFailure } from "../command-failure.ts";
import { EXIT } from "../exit-code.ts";
import { findKeyspace } from "../find-keyspace.ts";
import { openBadLines } from "../import/bad-lines.ts";
import { openImportInput } from "../import/import-input.ts";
import { importLines } from "../import/import-lines.ts";
import { startImportProgress } from "../import/import-progress.ts";
import { numberedLines } from "../import/numbered-lines.ts";
import { addCommand } from "../options.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

interface Import extends SessionOptions {
  readonly keyspace: string;
  readonly badLines?: string;
  readonly ignoreKnown?: boolean;
}

/** Inserting a thousand keys takes the service a fraction of that, unless it is busy. */
const BATCH_TIMEOUT_MS = 60_000;

const DESCRIPTION = `make keys of secrets that were made elsewhere, from their digests

The file, or standard input for -, has a JSON object on each line:
  {"digest":"<SHA-256 of the secret, hex or base64>","display_name":"...","masked_secret":"...","permissions":[...],
   "owner_id":"...","expire_time":"2027-01-31T00:00:00Z" or "ttl":"90d","not_before_time":"...",
   "allowed_addresses":[...],"metadata":{...}}
Only digest and display_name must be there. A run that was cut off may be repeated.`;

export function addKeyImport(group: Command, terminal: Terminal): void {
  addCommand(group, "import <file>", DESCRIPTION)
    .summary("make keys of digests, a JSON object a line")
    .requiredOption("--keyspace <keyspace>", "that they are to belong to, by id, prefix or name")
    .option("--bad-lines <file>", "where to write the lines that became no key, each with its number and the reason")
    .option("--ignore-known", "do not count digests that the service has already as bad lines")
    .action((path: string, options: Import) =>
      withSession(terminal, "management", options, (session) => importFile(path, options, session, terminal)),
    );
}

async function importFile(path: string, options: Import, { clavis, output }: Session, terminal: Terminal) {
  const keyspaceId = await findKeyspace(clavis, options.keyspace);
  await using input = await openImportInput(path, terminal);
  await using badLines = await openBadLines(terminal, options.badLines);
  const progress = startImportProgress(terminal, input.size);
  const counts = { imported: 0, known: 0 };
  try {
    const send = (request: Parameters<typeof clavis.keys.import>[0]) =>
      clavis.keys.import(request, { timeoutMs: BATCH_TIMEOUT_MS });
    for await (const { imported, refused } of importLines(numberedLines(input.chunks), { keyspaceId, send })) {
      const known = options.ignoreKnown === true ? refused.filter((line) => line.known) : [];
      counts.imported += imported;
      counts.known += known.length;
      await badLines.add(refused.filter((line) => !known.includes(line)));
      progress.advance(imported + refused.length, input.bytesRead);
    }
  } finally {
    progress.stop();
    badLines.tell();
    const { imported, known } = counts;
    await output.summary({ imported, known, bad: badLines.count });
  }
  if (badLines.count > 0) throw new CommandFailure("", EXIT.failure);
}
