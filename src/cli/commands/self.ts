import type { Command } from "commander";
import { addCommand, pick } from "../options.ts";
import { readSecret } from "../read-secret.ts";
import { type Session, type SessionOptions, withCredential } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView } from "../views.ts";
import { addRevokeOptions, type RevokeOptions } from "./key-revocation.ts";

/** For whoever has a secret and nothing else: it is the credential, and comes on standard input. */
export function addSelf(program: Command, terminal: Terminal): void {
  const group = program.command("self").description("the key of the secret that comes on standard input");

  addCommand(group, "get", "show the key").action((options: SessionOptions) =>
    withBearer(terminal, options, async ({ clavis, output }) => {
      const answer = await clavis.self.get();
      await output.answer(keyView, answer.key, answer);
    }),
  );

  addRevokeOptions(addCommand(group, "revoke", "end the key for ever, as for a secret that has leaked")).action(
    (options: SessionOptions & RevokeOptions) =>
      withBearer(terminal, options, async ({ clavis, output }) => {
        const answer = await clavis.self.revoke(pick(options, "reason", "reasonText", "maxWait", "force"));
        await output.answer(keyView, answer.key, answer);
      }),
  );
}

async function withBearer(terminal: Terminal, options: SessionOptions, use: (session: Session) => Promise<void>) {
  const token = await readSecret(terminal);
  await withCredential(terminal, { token, source: "standard input" }, options, use);
}
