import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * What replicas need to cache without ever being wrong for long: a feed of all changes, a row for each replica, the history that
 * Postgres is on, and how each keyspace wants to be treated while Postgres is away. `docs/architecture.md` says how they are used.
 *
 * None of it belongs to a tenant, and none of it tells more than ids and versions: there is no row-level security on it.
 */
export const changeFeed: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db);
  },
};

const DEFINER = "security definer set search_path = pg_catalog, pg_temp";

/** More changes than that between two polls, and a replica starts anew rather than read them. */
const CHANGES_READ_MAX = 20_000;

/** Triggers that write a table's changes into the feed, whoever makes them: the service, or an operator by hand. */
function feedFrom(table: string, kind: string, id: string, own: string): readonly string[] {
  return [
    // A version that did not grow would leave every cache as it is.
    `create trigger ${table}_version before update on clavis.${table} for each row
      when (new.version <= old.version and ${own}) execute function clavis.raise_version()`,
    `create function clavis.feed_${table}() returns trigger language plpgsql ${DEFINER} as $$
    begin
      insert into clavis.changes (kind, entity_id, version) select '${kind}', ${id}, version from changed;
      return null;
    end $$`,
    `create trigger ${table}_update_feed after update on clavis.${table}
      referencing new table as changed for each statement execute function clavis.feed_${table}()`,
  ];
}

function feedOfDeleted(table: string, kind: string, id: string, condition: string): readonly string[] {
  return [
    `create function clavis.feed_deleted_${table}() returns trigger language plpgsql ${DEFINER} as $$
    begin
      insert into clavis.changes (kind, entity_id, version) select '${kind}', ${id}, version + 1 from gone;
      return null;
    end $$`,
    `create trigger ${table}_delete_feed after delete on clavis.${table}
      referencing old table as gone for each statement ${condition} execute function clavis.feed_deleted_${table}()`,
  ];
}

const statements = [
  // A strict keyspace has settled once no replica can still take it for an available one, and the other way round.
  `alter table clavis.keyspaces
    add column revocation_mode text not null default 'available' check (revocation_mode in ('available', 'strict')),
    add column mode_version bigint not null default 1,
    add column mode_settled boolean not null default true`,
  `create index keyspaces_unsettled on clavis.keyspaces (keyspace_id) where not mode_settled`,

  // Which change an answer that is kept reported, and the mode that it waited in.
  `alter table clavis.replays
    add column effect_timeline uuid,
    add column effect_xid xid8,
    add column effect_mode text`,

  // Histories of this database: on each, a transaction id is given out once.
  `create table clavis.timelines (
    timeline_id uuid primary key,
    settled_strict boolean not null default false,
    settled_available boolean not null default false,
    trimmed_below xid8,
    create_time timestamptz not null default now()
  )`,

  // Which of them Postgres is on. Unlogged, because such a table is empty after whatever may give ids out again: a crash, which
  // forgets those that had not got to the disk, and the promotion of a standby. What it is of stands beside it, as a dump brings
  // it along.
  `create unlogged table clavis.present_timeline (
    one boolean primary key default true check (one),
    system_identifier bigint not null,
    timeline_number bigint not null,
    timeline_id uuid not null
  )`,

  // The change feed. 'mark' is of no entity: a change that found nothing left to do, and is waited for all the same.
  `create table clavis.changes (
    xid xid8 not null default pg_current_xact_id(),
    change_id bigint generated always as identity,
    kind text not null check (kind in ('key', 'ks', 'ten', 'own', 'rol', 'mark')),
    entity_id uuid not null,
    version bigint not null,
    primary key (xid, change_id)
  )`,

  // The replicas that may trust what they cached. \`renewal\` grows; whoever watches it judges by its own clock.
  `create table clavis.members (
    member_id uuid primary key,
    renewal bigint not null default 0,
    applied_timeline uuid,
    applied_snapshot text,
    join_time timestamptz not null default now()
  )`,

  `create function clavis.raise_version() returns trigger language plpgsql as $$
  begin
    new.version := old.version + 1;
    return new;
  end $$`,
  ...feedFrom("keys", "key", "key_id", "new.* is distinct from old.*"),
  ...feedFrom("keyspaces", "ks", "keyspace_id", "new.mode_settled = old.mode_settled and new.* is distinct from old.*"),
  ...feedFrom("tenants", "ten", "tenant_id", "new.* is distinct from old.*"),
  // Keys that go with their keyspace need no rows of their own.
  ...feedOfDeleted("keys", "key", "key_id", "when (pg_trigger_depth() = 0)"),
  ...feedOfDeleted("keyspaces", "ks", "keyspace_id", ""),

  // The history's number in Postgres's own count, which a crash does not change.
  `create function clavis.timeline_number() returns bigint language sql stable as $$
    select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
  $$`,

  // Which history this is. Null on a standby, and until somebody has called begin_timeline.
  `create function clavis.current_timeline() returns uuid language plpgsql stable ${DEFINER} as $$
  begin
    if pg_is_in_recovery() then return null; end if;
    return (select timeline_id from clavis.present_timeline
      where system_identifier = (select c.system_identifier from pg_control_system() c)
        and timeline_number = clavis.timeline_number());
  end $$`,

  // Rows of the feed whose transactions this history has not got to yet are another cluster's, brought by a copy.
  `create function clavis.begin_timeline(settled boolean) returns void language plpgsql ${DEFINER} as $$
  declare
    begun uuid := gen_random_uuid();
  begin
    insert into clavis.present_timeline as present (system_identifier, timeline_number, timeline_id)
      select c.system_identifier, clavis.timeline_number(), begun from pg_control_system() c
      on conflict (one) do update set
        system_identifier = excluded.system_identifier, timeline_number = excluded.timeline_number, timeline_id = begun
      where (present.system_identifier, present.timeline_number) <> (excluded.system_identifier, excluded.timeline_number);
    if found then
      insert into clavis.timelines (timeline_id, settled_strict, settled_available) values (begun, settled, settled);
      delete from clavis.changes where xid >= pg_snapshot_xmax(pg_current_snapshot());
    end if;
  end $$`,

  // Notes that the history is old enough that nobody trusts what was on another.
  `create function clavis.settle_timeline(id uuid, strict boolean, available boolean) returns void language sql ${DEFINER} as $$
    update clavis.timelines set settled_strict = settled_strict or strict, settled_available = settled_available or available
      where timeline_id = id
  $$`,
  `create function clavis.settle_keyspace(id uuid, since_version bigint) returns void language sql ${DEFINER} as $$
    update clavis.keyspaces set mode_settled = true
      where keyspace_id = id and mode_version = since_version and not mode_settled
  $$`,

  // Forgets up to 10,000 changes below a transaction id, and notes it. Out: how many went.
  `create function clavis.trim_changes(below xid8) returns bigint language plpgsql ${DEFINER} as $$
  declare
    gone bigint;
  begin
    update clavis.timelines set trimmed_below = below
      where timeline_id = clavis.current_timeline() and coalesce(trimmed_below < below, true);
    delete from clavis.changes where (xid, change_id) in (
      select xid, change_id from clavis.changes where xid < below order by xid, change_id limit 10000 for update skip locked
    );
    get diagnostics gone = row_count;
    return gone;
  end $$`,

  // In: the snapshot up to which the caller knows all changes; null for none. Out: what is new since, by this statement's snapshot,
  // and all else that a replica goes by. \`changes\` is null where there are too many.
  `create function clavis.poll(last pg_snapshot) returns table (
    in_recovery boolean, timeline uuid, settled_strict boolean, settled_available boolean, trimmed_below text, snapshot text,
    clock timestamptz, changes jsonb, members jsonb, unsettled jsonb
  ) language plpgsql stable ${DEFINER} as $$
  begin
    return query
    select pg_is_in_recovery(), t.timeline_id, t.settled_strict, t.settled_available, t.trimmed_below::text,
      pg_current_snapshot()::text, clock_timestamp(),
      (select case when count(*) > ${CHANGES_READ_MAX} then null
                   else coalesce(jsonb_agg(jsonb_build_array(c.xid::text, c.kind, c.entity_id, c.version)), '[]') end
         from (
           select n.xid, n.kind, n.entity_id, n.version from (
             select xid, kind, entity_id, version from clavis.changes where xid >= pg_snapshot_xmax(last)
             union all
             select xid, kind, entity_id, version from clavis.changes where xid = any (array(select pg_snapshot_xip(last)))
           ) n limit ${CHANGES_READ_MAX + 1}
         ) c),
      (select coalesce(jsonb_agg(jsonb_build_array(m.member_id, m.renewal, m.applied_timeline, m.applied_snapshot)), '[]')
         from clavis.members m),
      (select coalesce(jsonb_agg(jsonb_build_array(u.keyspace_id, u.mode_version)), '[]')
         from (select keyspace_id, mode_version from clavis.keyspaces where not mode_settled limit 1000) u)
      from (select clavis.current_timeline() as id) now
      left join clavis.timelines t on t.timeline_id = now.id;
  end $$`,

  // As find_secrets, which the version before this one calls, with the versions of all that is joined, and what the read could see.
  // Tells that also where it finds nothing: then the digest is null.
  `create function clavis.read_secrets(wanted bytea[]) returns table (
    in_recovery boolean, timeline uuid, snapshot text,
    digest bytea, stop_time timestamptz, tenant_id uuid, keyspace_id uuid, key_id uuid, display_name text, owner_id text,
    permissions text[], allowed_keyspace_ids uuid[], allowed_addresses text[], metadata jsonb, expire_time timestamptz,
    not_before_time timestamptz, disabled boolean, revoke_time timestamptz, imported boolean, keyspace_disabled boolean,
    management boolean, tenant_suspended boolean, key_version bigint, keyspace_version bigint, tenant_version bigint,
    revocation_mode text, mode_settled boolean
  ) language plpgsql stable ${DEFINER} as $$
  begin
    return query
    select now.in_recovery, now.timeline, now.snapshot, s.digest, s.stop_time, s.tenant_id, p.keyspace_id, s.key_id, k.display_name, k.owner_id,
           k.permissions, k.allowed_keyspace_ids, k.allowed_addresses, k.metadata, k.expire_time, k.not_before_time, k.disabled,
           k.revoke_time, k.imported, p.disabled, p.management, t.suspended, k.version, p.version, t.version,
           p.revocation_mode, p.mode_settled
      from (select pg_is_in_recovery() as in_recovery, clavis.current_timeline() as timeline,
                   pg_current_snapshot()::text as snapshot) now
      left join (clavis.key_secrets s
        join clavis.keys k on k.key_id = s.key_id
        join clavis.keyspaces p on p.keyspace_id = k.keyspace_id
        join clavis.tenants t on t.tenant_id = k.tenant_id) on s.digest = any (wanted)
      order by k.create_time, k.key_id;
  end $$`,

  // In: keys, of whichever tenant. Out: the digests of their secrets, for what else is kept of them to be dropped.
  `create function clavis.digests_of(keys uuid[]) returns table (key_id uuid, digest bytea) language sql stable ${DEFINER} as $$
    select s.key_id, s.digest from clavis.key_secrets s where s.key_id = any (keys)
  $$`,

  `revoke all on all functions in schema clavis from public`,
  // No version before this one caches anything, so nobody trusts what was before.
  `select clavis.begin_timeline(true)`,
];
