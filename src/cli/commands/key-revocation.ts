import { type RevokeReason, type Span, type Timestamp, timestampMs } from "@clavis/sdk";
import type { Command } from "commander";
import { systemClock } from "../../time.ts";
import { usageFailure } from "../command-failure.ts";
import { findKeyspace } from "../find-keyspace.ts";
import { holdsFrom } from "../holds-from.ts";
import { addChangeOptions, addCommand, type ChangeOptions, enumOption, maxWaitOption, pick } from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView, revokeReasons } from "../views.ts";
import { addFilterOptions, type FilterOptions, filterFrom } from "./key-reading.ts";

/** Why a key ends, and how. */
export interface RevokeOptions {
  readonly reason?: RevokeReason;
  readonly reasonText?: string;
  readonly maxWait?: Span;
  readonly force?: boolean;
}

type RevokeMany = SessionOptions &
  RevokeOptions &
  FilterOptions & { readonly keyspace: string; readonly all?: boolean; readonly dryRun?: boolean };

export const FORCE: [flags: string, description: string] = ["--force", "even the tenant's last live management key"];

/** `revoke` of one and of many, and `delete` of what has ended. */
export function addKeyRevocation(group: Command, terminal: Terminal): void {
  const revoke = addCommand(group, "revoke <key-id>", "end a key for ever; the record stays");
  addRevokeOptions(revoke).action((keyId: string, options: SessionOptions & RevokeOptions) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.revoke(keyId, pick(options, "reason", "reasonText", "maxWait", "force"));
      await output.answer(keyView, answer.key, answer);
    }),
  );

  const many = addCommand(group, "revoke-many", "revoke the keys that match, and print their ids")
    .requiredOption("--keyspace <keyspace>", "of this one, by id, prefix or name")
    .option("--dry-run", "only say which it would be")
    .option("--all", "all of the keyspace, which no filter at all does not mean by itself");
  addRevokeOptions(addFilterOptions(many)).action((options: RevokeMany) => revokeMany(terminal, options));

  const remove = addCommand(group, "delete <key-id>", "delete the record of a revoked or expired key");
  addChangeOptions(remove, { waits: false }).action((keyId: string, options: SessionOptions & ChangeOptions) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      await output.done(`${keyId} is deleted.`, await clavis.keys.delete(keyId, pick(options, "etag")));
    }),
  );
}

/** The options for why a key ends. */
export function addRevokeOptions(command: Command): Command {
  return command
    .addOption(enumOption("--reason <reason>", "why", revokeReasons))
    .option("--reason-text <text>", "why, in words")
    .addOption(maxWaitOption())
    .option(...FORCE);
}

async function revokeMany(terminal: Terminal, options: RevokeMany): Promise<void> {
  const filter = filterFrom(options);
  if (options.all !== true && Object.values(filter).every((part) => part === undefined)) {
    throw usageFailure("say which keys, or --all for every key of the keyspace");
  }
  await withSession(terminal, "management", options, async ({ clavis, output }) => {
    const keyspaceId = await findKeyspace(clavis, options.keyspace);
    const request = { keyspaceId, filter, ...pick(options, "reason", "reasonText", "maxWait", "force", "dryRun") };
    let count = 0;
    let effectiveTime: Timestamp | undefined;
    for (let pageToken = ""; ; ) {
      const answer = await clavis.keys.batchRevoke({ ...request, pageToken });
      count += answer.keyIds.length;
      effectiveTime = laterOf(effectiveTime, answer.effectiveTime);
      await output.lines(answer.keyIds, answer);
      pageToken = answer.nextPageToken;
      if (pageToken === "") break;
    }
    output.note(options.dryRun === true ? `${count} would be revoked.` : `${count} are revoked.`);
    if (effectiveTime !== undefined) output.note(`That holds from ${holdsFrom(effectiveTime, systemClock()).text}.`);
  });
}

function laterOf(one: Timestamp | undefined, other: Timestamp | undefined): Timestamp | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return timestampMs(one) > timestampMs(other) ? one : other;
}
