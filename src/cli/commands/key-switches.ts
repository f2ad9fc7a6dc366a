import type { Command } from "commander";
import { addChangeOptions, addCommand, type ChangeOptions, pick } from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView } from "../views.ts";
import { FORCE } from "./key-revocation.ts";

type Change = SessionOptions & ChangeOptions;

export function addKeySwitches(group: Command, terminal: Terminal): void {
  const disable = addCommand(group, "disable <key-id>", "switch a key off until enable").option(...FORCE);
  addChangeOptions(disable).action((keyId: string, options: Change & { force?: boolean }) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.disable(keyId, pick(options, "etag", "maxWait", "force"));
      await output.answer(keyView, answer.key, answer);
    }),
  );

  const enable = addCommand(group, "enable <key-id>", "switch a key on again");
  addChangeOptions(enable, { waits: false }).action((keyId: string, options: Change) =>
    withSession(terminal, "management", options, async ({ clavis, output }) => {
      const answer = await clavis.keys.enable(keyId, pick(options, "etag"));
      await output.answer(keyView, answer.key, answer);
    }),
  );
}
