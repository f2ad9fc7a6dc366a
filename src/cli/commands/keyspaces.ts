import type { CreateKeyspaceInput, KeyspaceChanges } from "@clavis/sdk";
import type { Command, Option } from "commander";
import { findKeyspace } from "../find-keyspace.ts";
import {
  addChangeOptions,
  addCommand,
  type ChangeOptions,
  enumOption,
  limitOption,
  listOption,
  needChange,
  pick,
  spanOption,
} from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyspaceView, revocationModes } from "../views.ts";

type Create = SessionOptions & Terms & Grants;
type Terms = Pick<CreateKeyspaceInput, "displayName" | "prefix" | "defaultTtl" | "maxTtl" | "revocationMode">;
type Grants = { readonly grant?: readonly string[] };
type Update = SessionOptions & ChangeOptions & Grants & KeyspaceChanges & { readonly clear?: readonly string[] };

/** What `--clear` can take away, and what stands for nothing. */
const cleared = {
  "default-ttl": { defaultTtl: null },
  "max-ttl": { maxTtl: null },
  grants: { grantablePermissions: [] },
};

export function addKeyspaces(program: Command, terminal: Terminal): void {
  const group = program.command("keyspaces").description("the keys of one API in one environment, and their policy");

  addCommand(group, "create", "create a keyspace")
    .requiredOption("--display-name <name>", "what people call it")
    .requiredOption("--prefix <prefix>", "what its secrets begin with, such as acme_live")
    .addOption(spanOption("--default-ttl <span>", "the lifetime of keys that ask for none"))
    .addOption(spanOption("--max-ttl <span>", "the longest lifetime of a key"))
    .addOption(listOption("--grant <permission>", "a permission that keys may be given, again for more (default: any)"))
    .addOption(revocationModeOption())
    .action((options: Create) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        const terms = pick(options, "displayName", "prefix", "defaultTtl", "maxTtl", "revocationMode");
        const answer = await clavis.keyspaces.create({ ...terms, grantablePermissions: options.grant });
        await output.answer(keyspaceView, answer.keyspace, answer);
      }),
    );

  addCommand(group, "list", "list the keyspaces, newest first")
    .addOption(limitOption())
    .action((options: SessionOptions & { limit?: number }) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        await output.list(keyspaceView, (pageSize) => clavis.keyspaces.list({ pageSize }), options.limit);
      }),
    );

  addCommand(group, "get <keyspace>", "show a keyspace, by id, prefix or name").action(
    (keyspace: string, options: SessionOptions) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        const answer = await clavis.keyspaces.get(await findKeyspace(clavis, keyspace));
        await output.answer(keyspaceView, answer.keyspace, answer);
      }),
  );

  const update = addCommand(group, "update <keyspace>", "change what is given and nothing else")
    .option("--display-name <name>", "what people call it")
    .option("--prefix <prefix>", "what new secrets begin with; those of before stay valid")
    .addOption(spanOption("--default-ttl <span>", "the lifetime of keys that ask for none"))
    .addOption(spanOption("--max-ttl <span>", "the longest lifetime of a key"))
    .addOption(listOption("--grant <permission>", "all permissions that keys may be given, again for each"))
    .addOption(revocationModeOption())
    .option("--disabled", "refuse every key of it")
    .option("--no-disabled", "let its keys be used again")
    .addOption(listOption("--clear <what>", "take away what it has", Object.keys(cleared)));
  addChangeOptions(update).action((keyspace: string, options: Update) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const changes: KeyspaceChanges = {
        ...pick(options, "displayName", "prefix", "defaultTtl", "maxTtl", "revocationMode", "disabled"),
        grantablePermissions: options.grant,
        ...clearedBy(options.clear),
      };
      needChange(changes);
      const id = await findKeyspace(clavis, keyspace);
      const answer = await clavis.keyspaces.update(id, changes, pick(options, "etag", "maxWait"));
      await output.answer(keyspaceView, answer.keyspace, answer);
    }),
  );

  const remove = addCommand(group, "delete <keyspace>", "delete a keyspace without live keys");
  addChangeOptions(remove, { waits: false }).action((keyspace: string, options: SessionOptions & ChangeOptions) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const id = await findKeyspace(clavis, keyspace);
      await output.done(`${id} is deleted.`, await clavis.keyspaces.delete(id, pick(options, "etag")));
    }),
  );
}

function revocationModeOption(): Option {
  const description = "what goes first while Postgres is away, keys that were fine or that revoked ones are refused";
  return enumOption("--revocation-mode <mode>", description, revocationModes);
}

function clearedBy(names: readonly string[] = []): KeyspaceChanges {
  return Object.assign({}, ...names.map((name) => cleared[name as keyof typeof cleared]));
}
