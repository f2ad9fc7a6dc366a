import type { Command } from "commander";
import { addCommand, instantOption, limitOption, listOption } from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { eventView } from "../views.ts";

interface List extends SessionOptions {
  readonly type?: readonly string[];
  readonly actor?: string;
  readonly target?: string;
  readonly call?: string;
  readonly after?: Date;
  readonly before?: Date;
  readonly oldestFirst?: boolean;
  readonly limit?: number;
}

export function addAudit(program: Command, terminal: Terminal): void {
  const group = program.command("audit").description("who changed what, when, from where and why");

  addCommand(group, "list", "list the events, newest first")
    .addOption(listOption("--type <type>", "such as key.revoked, again for more"))
    .option("--actor <id>", "made by this key")
    .option("--target <id>", "on this tenant, keyspace or key")
    .option("--call <id>", "made by this call")
    .addOption(instantOption("--after <time>", "then or later"))
    .addOption(instantOption("--before <time>", "before"))
    .option("--oldest-first", "in the order of their sequence")
    .addOption(limitOption())
    .action((options: List) =>
      withSession(terminal, "management", options, async ({ clavis, output }) => {
        const query = {
          types: options.type,
          actorId: options.actor,
          targetId: options.target,
          callId: options.call,
          afterTime: options.after,
          beforeTime: options.before,
          oldestFirst: options.oldestFirst,
        };
        await output.list(eventView, (pageSize) => clavis.audit.list({ ...query, pageSize }), options.limit);
      }),
    );
}
