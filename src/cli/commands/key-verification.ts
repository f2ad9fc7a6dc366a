import { Outcome, type PermissionQuery } from "@clavis/sdk";
import type { Command } from "commander";
import { CommandFailure } from "../command-failure.ts";
import { EXIT } from "../exit-code.ts";
import { findKeyspace } from "../find-keyspace.ts";
import { addCommand, jsonOption, listOption } from "../options.ts";
import { readSecret } from "../read-secret.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { verdictView } from "../views.ts";

interface Verify extends SessionOptions {
  readonly keyspace: string;
  readonly permission?: readonly string[];
  readonly query?: PermissionQuery;
  readonly clientIp?: string;
}

export function addKeyVerification(group: Command, terminal: Terminal): void {
  addCommand(group, "verify", "decide on the secret that comes on standard input; exit code 3 if it is refused")
    .requiredOption("--keyspace <keyspace>", "that it must belong to, by id, prefix or name")
    .addOption(listOption("--permission <permission>", "that it must hold, again for each"))
    .addOption(
      jsonOption("--query <json>", 'a condition besides, such as {"anyOf":[{"permission":"a"},...]}, or @file'),
    )
    .option("--client-ip <address>", "that its holder calls from")
    .action((options: Verify) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        const secret = await readSecret(terminal);
        const { keyspace, permission: permissions, query, clientIp } = options;
        const keyspaceId = await findKeyspace(clavis, keyspace);
        const verdict = await clavis.verify({ secret, keyspaceId, permissions, query, clientIp });
        await output.answer(verdictView, verdict, verdict);
        if (verdict.outcome !== Outcome.VALID) throw new CommandFailure("", EXIT.refused);
      }),
    );
}
