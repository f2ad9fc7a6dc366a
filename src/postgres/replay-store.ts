import { sql } from "kysely";
import pg from "pg";
import type { Effect } from "../changes/effect.ts";
import type { ReplayClaim, ReplayStore } from "../changes/replay-store.ts";
import { fromDigest, toDigest, toUuid } from "./columns.ts";
import type { Db, LastStatements } from "./connection.ts";

/** How long an answer is kept, as Postgres writes it (AIP-155 leaves it to the service). */
export const REPLAY_AGE = "24 hours";

/** Where the operator's replays are, who belongs to no tenant. */
const NIL_UUID = "00000000-0000-0000-0000-000000000000";

/** The replays of one tenant, or of the operator where no tenant is given. */
export function createReplayStore(parts: { db: Db; last: LastStatements; tenantId: string | undefined }): ReplayStore {
  const { db, last, tenantId } = parts;
  const tenant_id = tenantId === undefined ? NIL_UUID : toUuid("ten", tenantId);
  return {
    async claim(claim) {
      // The insert waits for whoever has the id at the moment: then it is either taken for good, or free again.
      const { numInsertedOrUpdatedRows = 0n } = await db
        .insertInto("clavis.replays")
        .values({
          tenant_id,
          principal: claim.principal,
          id_digest: toDigest(claim.idDigest),
          fingerprint: toDigest(claim.fingerprint),
          sealed_answer: null,
        })
        .onConflict((conflict) =>
          conflict
            .columns(["tenant_id", "principal", "id_digest"])
            .doUpdateSet((is) => ({
              fingerprint: is.ref("excluded.fingerprint"),
              sealed_answer: null,
              effect_timeline: null,
              effect_xid: null,
              effect_mode: null,
              create_time: sql`now()`,
            }))
            .where("clavis.replays.create_time", "<", sql<number>`now() - ${sql.lit(REPLAY_AGE)}::interval` as never),
        )
        .executeTakeFirstOrThrow();
      return numInsertedOrUpdatedRows > 0n ? undefined : find(claim);
    },

    keep(claim, sealedAnswer, effect) {
      last.push(
        `update clavis.replays set sealed_answer = ${bytes(sealedAnswer)}${effect === undefined ? "" : effectColumns(effect)}
         where tenant_id = ${pg.escapeLiteral(tenant_id)} and principal = ${pg.escapeLiteral(claim.principal)}
           and id_digest = ${bytes(toDigest(claim.idDigest))}`,
      );
    },
  };

  async function find(claim: ReplayClaim) {
    const row = await db
      .selectFrom("clavis.replays")
      .select(["fingerprint", "sealed_answer", "effect_timeline", "effect_xid", "effect_mode"])
      .where("tenant_id", "=", tenant_id)
      .where("principal", "=", claim.principal)
      .where("id_digest", "=", toDigest(claim.idDigest))
      .executeTakeFirstOrThrow();
    const { effect_timeline: timeline, effect_xid: xid, effect_mode: mode } = row;
    return {
      fingerprint: fromDigest(row.fingerprint),
      sealedAnswer: row.sealed_answer ?? new Uint8Array(),
      effect:
        xid === null || mode === null ? undefined : { change: { timeline: timeline ?? "", xid: BigInt(xid) }, mode },
    };
  }
}

function effectColumns({ change: { timeline, xid }, mode }: Effect): string {
  const timelineId = timeline === "" ? "null" : pg.escapeLiteral(timeline);
  return `, effect_timeline = ${timelineId}, effect_xid = '${xid}', effect_mode = ${pg.escapeLiteral(mode)}`;
}

function bytes(value: Uint8Array): string {
  return `'\\x${fromDigest(value)}'::bytea`;
}
