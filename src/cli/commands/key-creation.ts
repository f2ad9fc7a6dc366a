import type { CreateKeyInput, Span } from "@clavis/sdk";
import { type Command, Option } from "commander";
import { findKeyspace } from "../find-keyspace.ts";
import {
  addChangeOptions,
  addCommand,
  type ChangeOptions,
  instantOption,
  jsonOption,
  listOption,
  pick,
  spanOption,
  toInstant,
  toSpan,
  withSecret,
} from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView } from "../views.ts";

/** What a key is to be, in the words of the command line. */
export interface TermOptions {
  readonly owner?: string;
  readonly permission?: readonly string[];
  readonly allowAddress?: readonly string[];
  readonly allowKeyspace?: readonly string[];
  readonly metadata?: NonNullable<CreateKeyInput["metadata"]>;
  readonly expireTime?: Date;
  readonly notBefore?: Date;
}

type Create = SessionOptions &
  TermOptions & { readonly keyspace: string; readonly displayName: string; readonly ttl?: Span };

/** `create`, and `rotate` with its end: what makes secrets. */
export function addKeyCreation(group: Command, terminal: Terminal): void {
  const create = addCommand(group, "create", "create a key and print its secret, this once", withSecret)
    .requiredOption("--keyspace <keyspace>", "the keyspace, by id, prefix or name")
    .requiredOption("--display-name <name>", "what people call it")
    .addOption(new Option("--ttl <span>", "how long it lives, such as 90d").conflicts("expireTime").argParser(toSpan));
  addTermOptions(create).action((options: Create) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const keyspaceId = await findKeyspace(clavis, options.keyspace);
      const terms = { ...pick(options, "displayName", "ttl"), ...termsFrom(options) };
      const answer = await clavis.keys.create({ keyspaceId, ...terms });
      await output.issued(keyView, answer.key, answer.secret, answer);
    }),
  );

  const rotate = addCommand(group, "rotate <key-id>", "give a key a new secret and print it, this once", withSecret);
  rotate.addOption(spanOption("--overlap <span>", "how long the secret of before goes on working (default: 0s)"));
  addChangeOptions(rotate).action((keyId: string, options: SessionOptions & ChangeOptions & { overlap?: Span }) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.rotate(keyId, pick(options, "overlap", "etag", "maxWait"));
      await output.issued(keyView, answer.key, answer.secret, answer);
    }),
  );

  const complete = addCommand(group, "complete-rotation <key-id>", "end the overlap of a rotation now");
  addChangeOptions(complete).action((keyId: string, options: SessionOptions & ChangeOptions) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.completeRotation(keyId, pick(options, "etag", "maxWait"));
      await output.answer(keyView, answer.key, answer);
    }),
  );
}

/** The options for what a key is to be, new or changed. */
export function addTermOptions(command: Command): Command {
  return command
    .addOption(listOption("--permission <permission>", "what it may do, again for each"))
    .addOption(new Option("--expire-time <time>", "when it ends").argParser(toInstant))
    .addOption(instantOption("--not-before <time>", "from when on it is valid"))
    .addOption(listOption("--allow-address <cidr>", "where it may be used from, again for each"))
    .option("--owner <id>", "who it identifies, in your own system")
    .addOption(jsonOption("--metadata <json>", "an object to find in each verdict, or @file"))
    .addOption(listOption("--allow-keyspace <id>", "management keys: what they are held to, again for each"));
}

/** The same in the words of the contract. */
export function termsFrom(options: TermOptions) {
  return {
    ownerId: options.owner,
    permissions: options.permission,
    allowedAddresses: options.allowAddress,
    allowedKeyspaceIds: options.allowKeyspace,
    metadata: options.metadata,
    expireTime: options.expireTime,
    notBeforeTime: options.notBefore,
  };
}
