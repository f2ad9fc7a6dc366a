import type { KeyState } from "@clavis/sdk";
import type { Command } from "commander";
import { findKeyspace } from "../find-keyspace.ts";
import { addCommand, enumListOption, instantOption, limitOption } from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView, states } from "../views.ts";

/** Which keys are meant. */
export interface FilterOptions {
  readonly state?: readonly KeyState[];
  readonly owner?: string;
  readonly expireAfter?: Date;
  readonly expireBefore?: Date;
  readonly prefix?: string;
  readonly text?: string;
}

type List = SessionOptions & FilterOptions & { keyspace?: string; orderBy?: string; limit?: number };

export function addKeyReading(group: Command, terminal: Terminal): void {
  const list = addCommand(group, "list", "list keys, newest first").option(
    "--keyspace <keyspace>",
    "of this one, by id, prefix or name (default: all but the reserved one)",
  );
  addFilterOptions(list)
    .option("--order-by <order>", 'create_time, display_name or expire_time, and " desc" for the other way round')
    .addOption(limitOption())
    .action((options: List) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        const { keyspace, orderBy, limit } = options;
        const keyspaceId = keyspace === undefined ? undefined : await findKeyspace(clavis, keyspace);
        const query = { keyspaceId, orderBy, filter: filterFrom(options) };
        await output.list(keyView, (pageSize) => clavis.keys.list({ ...query, pageSize }), limit);
      }),
    );

  addCommand(group, "get <key-id>", "show a key").action((keyId: string, options: SessionOptions) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.get(keyId);
      await output.answer(keyView, answer.key, answer);
    }),
  );
}

/** The options for which keys are meant; all that are given must hold. */
export function addFilterOptions(command: Command): Command {
  return command
    .addOption(enumListOption("--state <state>", "in this state, again for more", states))
    .option("--owner <id>", "of this owner")
    .addOption(instantOption("--expire-after <time>", "expiring then or later"))
    .addOption(instantOption("--expire-before <time>", "expiring before"))
    .option("--prefix <text>", "whose masked secret begins so")
    .option("--text <text>", "whose name contains this");
}

/** The same in the words of the contract. */
export function filterFrom({ state, owner, expireAfter, expireBefore, prefix, text }: FilterOptions) {
  return {
    states: state,
    ownerId: owner,
    expireAfterTime: expireAfter,
    expireBeforeTime: expireBefore,
    prefix,
    text,
  };
}
