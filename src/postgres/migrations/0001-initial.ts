import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * Tenants, keyspaces, keys, their secrets' digests, the audit log and the answers kept for `request_id`s.
 *
 * Row-level security stands behind the queries, which name the tenant themselves: a transaction says in `clavis.tenant_id` whom
 * it is for, and sees nothing else. It binds the runtime role, which owns nothing here.
 */
export const initial: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db);
  },
};

/** The tenant that the transaction is for, as a subquery so that it is evaluated once a statement and not once a row. */
const CURRENT_TENANT = "(select nullif(current_setting('clavis.tenant_id', true), '')::uuid)";

/** Whether the transaction is the operator's. */
const IS_OPERATOR = "(select coalesce(current_setting('clavis.operator', true), '') = 'on')";

const statements = [
  `create table clavis.tenants (
    tenant_id uuid primary key,
    display_name text not null,
    suspended boolean not null default false,
    management_keyspace_id uuid not null,
    version bigint not null,
    create_time timestamptz not null,
    update_time timestamptz not null
  )`,

  `create table clavis.keyspaces (
    tenant_id uuid not null references clavis.tenants,
    keyspace_id uuid primary key,
    display_name text not null,
    prefix text not null,
    earlier_prefixes text[] not null default '{}',
    default_ttl_ms bigint,
    max_ttl_ms bigint,
    grantable_permissions text[] not null default '{}',
    disabled boolean not null default false,
    management boolean not null default false,
    version bigint not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    unique (tenant_id, keyspace_id)
  )`,
  `create unique index keyspaces_one_management on clavis.keyspaces (tenant_id) where management`,

  `create table clavis.keys (
    tenant_id uuid not null,
    keyspace_id uuid not null,
    key_id uuid primary key,
    display_name text not null,
    owner_id text not null default '',
    permissions text[] not null default '{}',
    allowed_keyspace_ids uuid[] not null default '{}',
    allowed_addresses text[] not null default '{}',
    metadata jsonb not null default '{}',
    expire_time timestamptz,
    not_before_time timestamptz,
    disabled boolean not null default false,
    revoke_time timestamptz,
    revoke_reason text,
    revoke_reason_text text,
    revoke_actor_type text,
    revoke_actor_id text,
    imported boolean not null default false,
    masked_secret text not null,
    secret_create_time timestamptz not null,
    previous_masked_secret text,
    overlap_end_time timestamptz,
    version bigint not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    foreign key (tenant_id, keyspace_id) references clavis.keyspaces (tenant_id, keyspace_id) on delete cascade,
    unique (tenant_id, key_id)
  )`,
  // One for each order of a list, by the very expression that it is ordered by.
  `create index keys_by_create_time on clavis.keys (tenant_id, keyspace_id, create_time, key_id)`,
  `create index keys_by_display_name on clavis.keys (tenant_id, keyspace_id, display_name collate "C", key_id)`,
  `create index keys_by_expire_time
    on clavis.keys (tenant_id, keyspace_id, (coalesce(expire_time, to_timestamp(8640000000000))), key_id)`,
  `create index keys_by_owner on clavis.keys (tenant_id, owner_id, create_time) where owner_id <> ''`,

  // One digest is known once within a tenant. Across tenants it may be known twice, since imports cannot be told apart from the
  // holder's: were it unique everywhere, one tenant could squat on another's digest, or probe for it.
  `create table clavis.key_secrets (
    digest bytea not null check (length(digest) = 32),
    tenant_id uuid not null,
    key_id uuid not null,
    stop_time timestamptz,
    primary key (digest, tenant_id),
    foreign key (tenant_id, key_id) references clavis.keys (tenant_id, key_id) on delete cascade
  )`,
  `create index key_secrets_by_key on clavis.key_secrets (tenant_id, key_id)`,

  // The head hands out the numbers: each transaction takes its own with its last statement, so that the sequence has neither gaps
  // nor another order than the commits.
  `create table clavis.audit_heads (
    tenant_id uuid primary key references clavis.tenants,
    sequence bigint not null,
    time timestamptz not null
  )`,
  `create table clavis.audit_events (
    tenant_id uuid not null references clavis.tenants,
    sequence bigint not null,
    event_id uuid not null,
    time timestamptz not null,
    type text not null,
    actor_type text not null,
    actor_id text not null,
    target_id text not null,
    keyspace_id text,
    call_id text not null,
    content jsonb not null,
    primary key (tenant_id, sequence)
  )`,
  `create index audit_events_by_target on clavis.audit_events (tenant_id, target_id, sequence)`,
  `create index audit_events_by_keyspace on clavis.audit_events (tenant_id, keyspace_id, sequence)`,
  `create index audit_events_by_actor on clavis.audit_events (tenant_id, actor_id, sequence)`,
  `create index audit_events_by_call on clavis.audit_events (tenant_id, call_id)`,
  `create index audit_events_by_time on clavis.audit_events (tenant_id, time)`,

  // Under the nil UUID: the operator's, who belongs to no tenant.
  `create table clavis.replays (
    tenant_id uuid not null,
    principal text not null,
    id_digest bytea not null,
    fingerprint bytea not null,
    sealed_answer bytea,
    create_time timestamptz not null default now(),
    primary key (tenant_id, principal, id_digest)
  )`,
  `create index replays_by_create_time on clavis.replays (create_time)`,

  // In: a tenant, and its events as a JSON array of { event_id, type, actor_type, actor_id, target_id, keyspace_id, call_id, content }.
  // Atomic: the head row is locked from here to the commit, and the events get the numbers and the time that follow.
  `create function clavis.append_events(tenant uuid, events jsonb) returns void language plpgsql as $$
  declare
    base bigint;
    at timestamptz;
  begin
    update clavis.audit_heads
      set sequence = sequence + jsonb_array_length(events),
          time = greatest(time, date_trunc('milliseconds', clock_timestamp()))
      where tenant_id = tenant
      returning sequence - jsonb_array_length(events), time into strict base, at;
    insert into clavis.audit_events
      (tenant_id, sequence, event_id, time, type, actor_type, actor_id, target_id, keyspace_id, call_id, content)
    select tenant, base + ordinality, (event->>'event_id')::uuid, at, event->>'type', event->>'actor_type', event->>'actor_id',
           event->>'target_id', event->>'keyspace_id', event->>'call_id', event->'content'
      from jsonb_array_elements(events) with ordinality as list(event, ordinality);
  end $$`,

  // In: digests. Out: what a verdict rests on, of whichever tenant: a credential is all that there is at first. So it runs as its
  // owner and passes by row-level security; it tells nothing to who has not a secret's digest.
  `create function clavis.find_secrets(wanted bytea[]) returns table (
    digest bytea, stop_time timestamptz, tenant_id uuid, keyspace_id uuid, key_id uuid, display_name text, owner_id text,
    permissions text[], allowed_keyspace_ids uuid[], allowed_addresses text[], metadata jsonb, expire_time timestamptz,
    not_before_time timestamptz, disabled boolean, revoke_time timestamptz, imported boolean, keyspace_disabled boolean,
    management boolean, tenant_suspended boolean
  ) language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
  begin
    return query
    select s.digest, s.stop_time, k.tenant_id, k.keyspace_id, k.key_id, k.display_name, k.owner_id, k.permissions,
           k.allowed_keyspace_ids, k.allowed_addresses, k.metadata, k.expire_time, k.not_before_time, k.disabled, k.revoke_time,
           k.imported, p.disabled, p.management, t.suspended
      from clavis.key_secrets s
      join clavis.keys k on k.key_id = s.key_id
      join clavis.keyspaces p on p.keyspace_id = k.keyspace_id
      join clavis.tenants t on t.tenant_id = k.tenant_id
      where s.digest = any (wanted)
      order by k.create_time, k.key_id;
  end $$`,

  // Forgets up to 1,000 answers that are older than \`age\`, of whichever tenant. Out: how many went.
  `create function clavis.trim_replays(age interval) returns bigint language sql security definer
    set search_path = pg_catalog, pg_temp as $$
    with gone as (
      delete from clavis.replays where ctid in (
        select ctid from clavis.replays where create_time < now() - age order by create_time limit 1000 for update skip locked
      ) returning 1
    )
    select count(*) from gone
  $$`,

  ...["keyspaces", "keys", "key_secrets", "audit_heads", "audit_events", "replays"].flatMap((table) => [
    `alter table clavis.${table} enable row level security`,
    `create policy own_tenant on clavis.${table} using (tenant_id = ${CURRENT_TENANT}) with check (tenant_id = ${CURRENT_TENANT})`,
  ]),
  `create policy operator_replays on clavis.replays
    using (tenant_id = '00000000-0000-0000-0000-000000000000' and ${IS_OPERATOR})
    with check (tenant_id = '00000000-0000-0000-0000-000000000000' and ${IS_OPERATOR})`,
  `alter table clavis.tenants enable row level security`,
  `create policy own_tenant on clavis.tenants using (tenant_id = ${CURRENT_TENANT}) with check (tenant_id = ${CURRENT_TENANT})`,
  `create policy operator_reads_all on clavis.tenants for select using (${IS_OPERATOR})`,

  `revoke all on all functions in schema clavis from public`,
];
