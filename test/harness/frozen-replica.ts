import { randomUUID } from "node:crypto";
import type { TestService } from "./service.ts";
import { openSql } from "./sql.ts";

/** What the others see of a replica that stands still: a row among the members that says nothing any more, until it is disposed of. */
export async function openFrozenReplica({ database }: Pick<TestService, "database">): Promise<AsyncDisposable> {
  const id = randomUUID();
  const sql = await openSql(database.adminUrl);
  await sql.query("insert into clavis.members (member_id) values ($1)", [id]);
  return {
    async [Symbol.asyncDispose]() {
      await sql.query("delete from clavis.members where member_id = $1", [id]);
      await sql[Symbol.asyncDispose]();
    },
  };
}
