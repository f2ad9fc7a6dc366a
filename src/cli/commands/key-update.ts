import type { KeyChanges } from "@clavis/sdk";
import type { Command } from "commander";
import { addChangeOptions, addCommand, type ChangeOptions, listOption, needChange, pick } from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView } from "../views.ts";
import { addTermOptions, type TermOptions, termsFrom } from "./key-creation.ts";

type Update = SessionOptions &
  ChangeOptions &
  TermOptions & { readonly displayName?: string; readonly clear?: readonly (keyof typeof cleared)[] };

/** What `--clear` can take away, and what stands for nothing. */
const cleared = {
  owner: { ownerId: "" },
  permissions: { permissions: [] },
  "allowed-addresses": { allowedAddresses: [] },
  "allowed-keyspaces": { allowedKeyspaceIds: [] },
  metadata: { metadata: null },
  "expire-time": { expireTime: null },
  "not-before": { notBeforeTime: null },
} satisfies Record<string, KeyChanges>;

export function addKeyUpdate(group: Command, terminal: Terminal): void {
  const update = addCommand(group, "update <key-id>", "change what is given and nothing else; lists are replaced whole")
    .option("--display-name <name>", "what people call it")
    .addOption(listOption("--clear <what>", "take away what it has", Object.keys(cleared)));
  addChangeOptions(addTermOptions(update)).action((keyId: string, options: Update) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const changes: KeyChanges = { displayName: options.displayName, ...termsFrom(options) };
      for (const name of options.clear ?? []) Object.assign(changes, cleared[name]);
      const answer = await clavis.keys.update(keyId, needChange(changes), pick(options, "etag", "maxWait"));
      await output.answer(keyView, answer.key, answer);
    }),
  );
}
