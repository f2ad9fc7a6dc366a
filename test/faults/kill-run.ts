import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { type Clavis, ClavisError, createClavis, Outcome } from "@clavis/sdk";
import { toUuid } from "../../src/postgres/columns.ts";
import { createPrng } from "../harness/prng.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { until } from "../harness/until.ts";

/** A service that can be killed and started again on what it left behind. */
export interface Killable {
  readonly url: string;
  /** Into its database, as the superuser. */
  readonly adminUrl: string;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
}

export interface KillRunOptions {
  /** Decides when to kill and what to do; what then happens is the machine's to decide. */
  readonly seed: number;
  readonly kills: number;
  readonly operatorToken: string;
  /** Starts the service for the first time, and again after each kill. */
  readonly start: () => Promise<Killable>;
  /** Told how it goes. */
  readonly say?: (line: string) => void;
}

export interface KillReport {
  readonly kills: number;
  /** Changes by what their first attempt came to. */
  readonly acknowledged: number;
  readonly unknown: number;
  /** Of the unknown ones, those that had happened all the same. */
  readonly unknownDone: number;
  readonly keys: number;
  readonly rotations: number;
  readonly revocations: number;
  readonly events: number;
  readonly verdicts: number;
}

/** A key as its acknowledged changes make it. */
interface ModelKey {
  readonly id: string;
  /** Oldest first; the last is the present one. */
  readonly secrets: string[];
  revoked: boolean;
}

interface Place {
  readonly token: string;
  readonly tenantId: string;
  readonly keyspaceId: string;
  readonly keys: ModelKey[];
}

interface Generation {
  readonly clients: ReadonlyMap<Place, Clavis>;
}

/** A change whose outcome nobody knows, to be asked for later. */
type Resolve = () => Promise<void>;

const TENANTS = 2;
const WORKERS = 8;
const ROTATIONS_MAX = 3;

/** Calls between a start and the next kill. */
const CALLS_MIN = 20;
const CALLS_MAX = 120;

/** What a killed service's callers see. */
const UNKNOWN = new Set(["UNREACHABLE", "STORE_UNAVAILABLE", "DEADLINE_EXCEEDED"]);

const VERIFY_BATCH = 256;

/**
 * Kills the service again and again at random moments while many create, rotate and revoke, and holds what is there afterwards
 * against what callers were told. Each change has one `request_id`; where its outcome is unknown it is asked for with that.
 *
 * @throws Error at the first promise that was not kept
 */
export async function runKills({
  seed,
  kills,
  operatorToken,
  start,
  say = () => {},
}: KillRunOptions): Promise<KillReport> {
  const prng = createPrng(seed);
  const random = () => prng.next();
  const counts = { acknowledged: 0, unknown: 0, unknownDone: 0, rotations: 0, revocations: 0, verdicts: 0 };
  let service = await start();
  const places = await openPlaces(service.url, operatorToken);
  const abandoned: Resolve[] = [];
  /** Changed since the last look. */
  const touched = new Set<ModelKey>();
  /** With a change of which nobody knows whether it has happened. */
  const uncertain = new Set<ModelKey>();

  let next = Promise.withResolvers<Generation>();
  let generation = clientsFor();
  let calls = 0;
  let inFlight = 0;
  let stopping = false;

  const workers = Array.from({ length: WORKERS }, (_, index) => work(at(places, index % TENANTS)));
  const failed = Promise.all(workers).then(() => new Promise<never>(() => {}));
  // It is looked at again and again, but not at every moment.
  failed.catch(() => {});
  for (let kill = 1; kill <= kills; kill++) {
    const due = calls + CALLS_MIN + Math.floor(random() * (CALLS_MAX - CALLS_MIN));
    await Promise.race([failed, until("calls are made", () => calls >= due, 60_000)]);
    for (let turns = Math.floor(random() * 20); turns > 0; turns--) await turn();
    const under = inFlight;
    await service.kill();
    await until("callers know", () => inFlight === 0);
    await closeClients(generation);
    service = await start();
    const fresh = clientsFor();
    await checkStore(service.adminUrl, places);
    await checkVerdicts(fresh, new Set([...touched].filter((key) => !uncertain.has(key))));
    touched.clear();
    say(
      `kill ${kill} of ${kills}: ${under} changes under way, ${counts.acknowledged} acknowledged, ${counts.unknown} unknown`,
    );
    generation = fresh;
    next.resolve(fresh);
    next = Promise.withResolvers();
  }
  stopping = true;
  await Promise.all(workers);
  for (const resolve of abandoned) await resolve();

  const all = places.flatMap(({ keys }) => keys);
  await checkVerdicts(generation, new Set(all));
  await checkStore(service.adminUrl, places);
  const events = await checkHistory(service.adminUrl, places);
  await closeClients(generation);
  return { kills, ...counts, keys: all.length, events };

  /** Lives one key's life after another. */
  async function work(place: Place): Promise<void> {
    while (!stopping) {
      const { keyspaceId } = place;
      const key = await change(
        place,
        undefined,
        (clavis, requestId) => clavis.keys.create({ keyspaceId, displayName: "CI", requestId }),
        (answer) => {
          const made: ModelKey = { id: answer.key.id, secrets: [answer.secret], revoked: false };
          place.keys.push(made);
          return made;
        },
      );
      if (key !== undefined) await live(place, key);
    }
  }

  async function live(place: Place, key: ModelKey): Promise<void> {
    for (let rotations = Math.floor(random() * (ROTATIONS_MAX + 1)); rotations > 0; rotations--) {
      const rotated = await change(
        place,
        key,
        (clavis, requestId) => clavis.keys.rotate(key.id, { requestId }),
        ({ secret }) => {
          key.secrets.push(secret);
          counts.rotations++;
          return key;
        },
      );
      if (rotated === undefined) return;
    }
    if (random() < 0.5) return;
    await change(
      place,
      key,
      (clavis, requestId) => clavis.keys.revoke(key.id, { requestId }).then((answer) => ({ ...answer, secret: "" })),
      () => {
        key.revoked = true;
        counts.revocations++;
        return key;
      },
    );
  }

  /**
   * Makes one change and tells the model. Where the outcome is unknown it asks again, now or at the very end, and then once more:
   * there is one answer. Undefined if it is left for the end.
   */
  async function change<Answer extends { readonly secret: string }>(
    place: Place,
    of: ModelKey | undefined,
    call: (clavis: Clavis, requestId: string) => Promise<Answer>,
    apply: (answer: Answer) => ModelKey,
  ): Promise<ModelKey | undefined> {
    const requestId = randomUUID();
    const settle = (answer: Answer) => {
      const key = apply(answer);
      touched.add(key);
      uncertain.delete(key);
      return key;
    };
    const resolve = async () => {
      counts.unknownDone += Number(await isKept(service.adminUrl, requestId));
      const answer = await definite(() => call(clientOf(place), requestId));
      const again = await definite(() => call(clientOf(place), requestId));
      demand(again.secret === answer.secret, `${requestId} has two answers`);
      return settle(answer);
    };

    const answer = await attempt(() => call(clientOf(place), requestId));
    if (answer !== undefined) {
      counts.acknowledged++;
      return settle(answer);
    }
    counts.unknown++;
    if (of !== undefined) uncertain.add(of);
    if (random() < 0.3) {
      abandoned.push(async () => void (await resolve()));
      return undefined;
    }
    await next.promise;
    return resolve();
  }

  async function definite<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await attempt(call);
      if (answer !== undefined) return answer;
      // Killed again.
      await next.promise;
    }
  }

  /** The answer, or undefined where nobody knows whether there is one. */
  async function attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    calls++;
    inFlight++;
    try {
      return await call();
    } catch (error) {
      if (error instanceof ClavisError && UNKNOWN.has(error.reason)) return undefined;
      throw error;
    } finally {
      inFlight--;
    }
  }

  function clientOf(place: Place): Clavis {
    const client = generation.clients.get(place);
    if (client === undefined) throw new Error("a place without a client");
    return client;
  }

  function clientsFor(): Generation {
    const { url } = service;
    const clients = places.map(
      (place) => [place, createClavis({ baseUrl: url, token: place.token, attemptsMax: 1 })] as const,
    );
    return { clients: new Map(clients) };
  }

  /** Each secret answers as its key's acknowledged changes say. */
  async function checkVerdicts({ clients }: Generation, keys: ReadonlySet<ModelKey>): Promise<void> {
    for (const [place, clavis] of clients) {
      const expected = place.keys
        .filter((key) => keys.has(key))
        .flatMap(({ secrets, revoked }) =>
          secrets.map((secret, index) => ({ secret, outcome: expectedOutcome(revoked, index === secrets.length - 1) })),
        );
      for (let first = 0; first < expected.length; first += VERIFY_BATCH) {
        const batch = expected.slice(first, first + VERIFY_BATCH);
        const { keyspaceId } = place;
        const verdicts = await clavis.batchVerify(batch.map(({ secret }) => ({ secret, keyspaceId })));
        for (const [index, verdict] of verdicts.entries()) {
          const { outcome } = at(batch, index);
          const answer = verdict instanceof ClavisError ? verdict.reason : verdict.outcome;
          demand(answer === outcome, `a secret answers ${answer} instead of ${outcome}`);
          counts.verdicts++;
        }
      }
    }
  }
}

function expectedOutcome(revoked: boolean, present: boolean): Outcome {
  if (revoked) return Outcome.REVOKED;
  return present ? Outcome.VALID : Outcome.ROTATED;
}

async function openPlaces(url: string, operatorToken: string): Promise<Place[]> {
  await using operator = createClavis({ baseUrl: url, token: operatorToken });
  const places: Place[] = [];
  while (places.length < TENANTS) {
    const { tenant, managementSecret: token } = await operator.tenants.create({ displayName: "Killed" });
    await using clavis = createClavis({ baseUrl: url, token });
    const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
    places.push({ token, tenantId: tenant.id, keyspaceId: keyspace.id, keys: [] });
  }
  return places;
}

async function closeClients({ clients }: Generation): Promise<void> {
  for (const client of clients.values()) await client.close();
}

/** Nothing is half there, whatever is known of it. */
async function checkStore(adminUrl: string, places: readonly Place[]): Promise<void> {
  await using sql = await openSql(adminUrl);
  const tenants = places.map(({ tenantId }) => toUuid("ten", tenantId));
  const [row] = await sql.query<Record<string, number>>(
    `with of_keys as (select * from clavis.keys where tenant_id = any ($1)),
          of_events as (select * from clavis.audit_events where tenant_id = any ($1))
     select (select count(*) from of_keys k where not exists (select from clavis.key_secrets s where s.key_id = k.key_id))::int
              as keys_without_secret,
            (select count(*) from (select from of_keys k join clavis.key_secrets s using (key_id)
              where s.stop_time is null group by k.key_id having count(*) > 1) as many)::int as keys_with_two_present_secrets,
            (select count(*) from clavis.replays where sealed_answer is null)::int as claims_without_answer,
            (select count(*) from of_keys)::int - (select count(*) from of_events where type = 'key.created')::int
              as keys_without_event,
            (select count(*) from of_keys where revoke_time is not null)::int
              - (select count(*) from of_events where type = 'key.revoked')::int as revocations_without_event,
            (select count(*) from clavis.key_secrets where tenant_id = any ($1))::int
              - (select count(*) from of_events where type in ('key.created', 'key.rotated'))::int as secrets_without_event,
            (select count(*) from clavis.audit_heads h where tenant_id = any ($1)
              and not sequence = all (select unnest(array[count(*), max(sequence)]) from of_events e
                                   where e.tenant_id = h.tenant_id))::int as sequences_with_gaps`,
    [tenants],
  );
  demand(row !== undefined, "no answer");
  for (const [what, count] of Object.entries(row ?? {})) demand(count === 0, `${count} ${what}`);
}

/** Exactly the keys that callers know of are there, with exactly one event for each change of theirs. Gives the number of events. */
async function checkHistory(adminUrl: string, places: readonly Place[]): Promise<number> {
  await using sql = await openSql(adminUrl);
  let events = 0;
  for (const { tenantId, keyspaceId, keys } of places) {
    const stored = await sql.query<{ id: string; secrets: number; revoked: boolean }>(
      `select key_id as id, revoke_time is not null as revoked,
              (select count(*)::int from clavis.key_secrets s where s.key_id = k.key_id) as secrets
       from clavis.keys k where keyspace_id = $1`,
      [toUuid("ks", keyspaceId)],
    );
    const known = new Map(keys.map((key) => [toUuid("key", key.id), key]));
    demand(stored.length === known.size, `${stored.length} keys instead of ${known.size}`);
    const rows = await sql.query<{ target_id: string; type: string; count: number }>(
      "select target_id, type, count(*)::int as count from clavis.audit_events where tenant_id = $1 group by 1, 2",
      [toUuid("ten", tenantId)],
    );
    const counted = new Map(rows.map(({ target_id, type, count }) => [`${type} ${target_id}`, count]));
    for (const { id, secrets, revoked } of stored) {
      const key = known.get(id);
      demand(
        key !== undefined && key.revoked === revoked && key.secrets.length === secrets,
        `${id} is not as acknowledged`,
      );
      if (key === undefined) continue;
      for (const [type, expected] of Object.entries({
        "key.created": 1,
        "key.rotated": key.secrets.length - 1,
        "key.revoked": Number(key.revoked),
      })) {
        const count = counted.get(`${type} ${key.id}`) ?? 0;
        demand(count === expected, `${key.id} has ${count} events ${type} instead of ${expected}`);
      }
    }
    events += await checkSequence(sql, tenantId);
  }
  return events;
}

/** 1, 2, 3, ... and times that never fall. */
async function checkSequence(sql: Sql, tenantId: string): Promise<number> {
  const rows = await sql.query<{ sequence: string; time: Date }>(
    "select sequence, time from clavis.audit_events where tenant_id = $1 order by sequence",
    [toUuid("ten", tenantId)],
  );
  let last = 0;
  for (const [index, { sequence, time }] of rows.entries()) {
    demand(Number(sequence) === index + 1, `event ${index + 1} is missing`);
    demand(time.getTime() >= last, `event ${sequence} is older than the one before`);
    last = time.getTime();
  }
  return rows.length;
}

/** Whether the request with this id has happened. */
async function isKept(adminUrl: string, requestId: string): Promise<boolean> {
  await using sql = await openSql(adminUrl);
  const rows = await sql.query("select from clavis.replays where id_digest = sha256(convert_to($1, 'UTF8'))", [
    requestId,
  ]);
  return rows.length > 0;
}

function demand(kept: boolean, broken: string): void {
  if (!kept) throw new Error(broken);
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index}`);
  return item;
}
