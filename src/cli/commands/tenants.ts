import type { CreateTenantInput, TenantChanges } from "@clavis/sdk";
import type { Command } from "commander";
import {
  addChangeOptions,
  addCommand,
  type ChangeOptions,
  limitOption,
  needChange,
  pick,
  withSecret,
} from "../options.ts";
import { type SessionOptions, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { keyView, tenantView } from "../views.ts";

type Create = SessionOptions & CreateTenantInput;

/** For the operator of the deployment, who has a credential of their own. */
export function addTenants(program: Command, terminal: Terminal): void {
  const group = program.command("tenants").description("tenants of the deployment, for its operator");

  addCommand(
    group,
    "create",
    "create a tenant, and print the secret of its first management key, this once",
    withSecret,
  )
    .requiredOption("--display-name <name>", "what people call it")
    .action((options: Create) =>
      withSession(terminal, "operator", options, async ({ clavis, output }) => {
        const answer = await clavis.tenants.create(pick(options, "displayName"));
        await output.issued(tenantView, answer.tenant, answer.managementSecret, answer);
      }),
    );

  addCommand(group, "list", "list the tenants, newest first")
    .addOption(limitOption())
    .action((options: SessionOptions & { limit?: number }) =>
      withSession(terminal, "operator", options, async ({ clavis, output }) => {
        await output.list(tenantView, (pageSize) => clavis.tenants.list({ pageSize }), options.limit);
      }),
    );

  addCommand(group, "get <tenant-id>", "show a tenant").action((tenantId: string, options: SessionOptions) =>
    withSession(terminal, "operator", options, async ({ clavis, output }) => {
      const answer = await clavis.tenants.get(tenantId);
      await output.answer(tenantView, answer.tenant, answer);
    }),
  );

  const update = addCommand(group, "update <tenant-id>", "change what is given and nothing else")
    .option("--display-name <name>", "what people call it")
    .option("--suspended", "refuse each of its keys")
    .option("--no-suspended", "let its keys be used again");
  addChangeOptions(update).action((tenantId: string, options: SessionOptions & ChangeOptions & TenantChanges) =>
    withSession(terminal, "operator", options, async ({ clavis, output }) => {
      const changes = needChange(pick(options, "displayName", "suspended"));
      const answer = await clavis.tenants.update(tenantId, changes, pick(options, "etag", "maxWait"));
      await output.answer(tenantView, answer.tenant, answer);
    }),
  );

  const description = "make one more management key that may do everything, and print its secret, this once";
  addCommand(group, "create-management-key <tenant-id>", description, withSecret)
    .requiredOption("--display-name <name>", "what people call it")
    .action((tenantId: string, options: Create) =>
      withSession(terminal, "operator", options, async ({ clavis, output }) => {
        const answer = await clavis.tenants.createManagementKey({ tenantId, ...pick(options, "displayName") });
        await output.issued(keyView, answer.key, answer.secret, answer);
      }),
    );
}
