import type { KeyState } from "@clavis/sdk/rules";
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { KeyOrder, KeyPosition, KeyQuery } from "../keys/key-store.ts";
import { NEVER } from "../keys/key-store.ts";
import type { UnixMs } from "../time.ts";
import { toTime, toUuid } from "./columns.ts";
import type { Schema } from "./schema.ts";

type Is = ExpressionBuilder<Schema, "clavis.keys">;

/** All that a query asks of a key's row. */
export function matches(is: Is, query: KeyQuery): Expression<SqlBool> {
  const { keyspaceIds, management, heldTo, filter, now } = query;
  const conditions: Expression<SqlBool>[] = [];
  if (keyspaceIds !== undefined) {
    const uuids = keyspaceIds.map((id) => toUuid("ks", id));
    conditions.push(is("keyspace_id", "in", uuids));
  }
  if (!management) {
    conditions.push(
      is("keyspace_id", "not in", (from) =>
        from.selectFrom("clavis.keyspaces").select("keyspace_id").where("management", "=", true),
      ),
    );
  }
  if (heldTo !== undefined) conditions.push(isHeldTo(heldTo));
  if (filter.states.length > 0) conditions.push(is.or(filter.states.map((state) => isInState(is, state, now))));
  if (query.unrevokedOnly) conditions.push(is("revoke_time", "is", null));
  if (filter.ownerId !== "") conditions.push(is("owner_id", "=", filter.ownerId));
  if (filter.expireAfterTime !== null) conditions.push(is("expire_time", ">=", at(filter.expireAfterTime)));
  if (filter.expireBeforeTime !== null) conditions.push(is("expire_time", "<", at(filter.expireBeforeTime)));
  if (filter.prefix !== "") conditions.push(is("masked_secret", "like", `${escapeLike(filter.prefix)}%`));
  if (filter.text !== "") conditions.push(is("display_name", "ilike", `%${escapeLike(filter.text)}%`));
  if (query.after !== undefined) conditions.push(isAfter(query.order, query.descending, query.after));
  return is.and(conditions);
}

/** What a list in this order is sorted by. Names go by their bytes, so that the order is the same on every server. */
export function orderExpression(order: KeyOrder) {
  return orderExpressions[order];
}

const orderExpressions = {
  create_time: sql`create_time`,
  display_name: sql`display_name collate "C"`,
  expire_time: sql`coalesce(expire_time, to_timestamp(${sql.lit(NEVER / 1000)}))`,
} satisfies Record<KeyOrder, unknown>;

/**
 * `deriveKeyState` in the words of SQL, since no list could be filtered and paged without. A property test holds the two
 * together.
 */
function isInState(is: Is, state: KeyState, now: UnixMs): Expression<SqlBool> {
  const revoked = is("revoke_time", "is not", null);
  const expired = sql<SqlBool>`coalesce(expire_time <= ${at(now)}, false)`;
  const early = sql<SqlBool>`coalesce(not_before_time > ${at(now)}, false)`;
  const disabled = is("disabled", "=", true);
  const states: Record<KeyState, Expression<SqlBool>> = {
    revoked,
    expired: is.and([is.not(revoked), expired]),
    not_yet_valid: is.and([is.not(revoked), is.not(expired), early]),
    disabled: is.and([is.not(revoked), is.not(expired), is.not(early), disabled]),
    active: is.and([is.not(revoked), is.not(expired), is.not(early), is.not(disabled)]),
  };
  return states[state];
}

function isHeldTo(keyspaceIds: readonly string[]): Expression<SqlBool> {
  const uuids = keyspaceIds.map((id) => toUuid("ks", id));
  return sql<SqlBool>`(allowed_keyspace_ids <> '{}' and allowed_keyspace_ids <@ ${uuids}::uuid[])`;
}

function isAfter(order: KeyOrder, descending: boolean, { value, id }: KeyPosition): Expression<SqlBool> {
  const position = typeof value === "number" ? at(value) : sql`${value}`;
  const comparison = sql.raw(descending ? "<" : ">");
  return sql<SqlBool>`(${orderExpressions[order]}, key_id) ${comparison} (${position}, ${toUuid("key", id)}::uuid)`;
}

function at(time: UnixMs) {
  return sql<number>`${toTime(time)}::timestamptz`;
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, "\\$&");
}
