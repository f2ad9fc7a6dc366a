import { type Input, type Key, KeyState } from "@clavis/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyFilter, ListKeysRequest } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const DAY = 24 * 60 * 60 * 1000;

describe("a filter", () => {
  let keyspaceId = "";
  let soon = new Date(0);

  beforeAll(async () => {
    keyspaceId = (await home.newKeyspace({ prefix: "one" })).id;
    await home.newKey(keyspaceId, { displayName: "Active 100%", ownerId: "owner-a" });
    await home.newKey(keyspaceId, { displayName: "not yet", ownerId: "owner-a", notBeforeTime: time.date(DAY) });
    await home.newKey(keyspaceId, { displayName: "expired_x", ttl: { seconds: 1 } });
    const disabled = await home.newKey(keyspaceId, { displayName: "DISABLED", ownerId: "owner-b" });
    await home.clavis.keys.disable(disabled.key.id);
    const revoked = await home.newKey(keyspaceId, { displayName: "revoked \\ early", notBeforeTime: time.date(DAY) });
    await home.clavis.keys.revoke(revoked.key.id);
    await home.clavis.keyspaces.update(keyspaceId, { prefix: "two" });
    soon = time.date(10 * DAY);
    await home.newKey(keyspaceId, { displayName: "ends soon", expireTime: soon });
    time.advance(1000);
  });

  const S = KeyState;
  it.each<[string, () => Input<KeyFilter>, string[]]>([
    ["nothing", () => ({}), ["Active 100%", "DISABLED", "ends soon", "expired_x", "not yet", "revoked \\ early"]],
    ["a state", () => ({ states: [S.ACTIVE] }), ["Active 100%", "ends soon"]],
    ["another state", () => ({ states: [S.DISABLED] }), ["DISABLED"]],
    ["what is yet to come", () => ({ states: [S.NOT_YET_VALID] }), ["not yet"]],
    ["what is over by time", () => ({ states: [S.EXPIRED] }), ["expired_x"]],
    ["what was revoked, whatever else it is", () => ({ states: [S.REVOKED] }), ["revoked \\ early"]],
    ["several states", () => ({ states: [S.EXPIRED, S.DISABLED] }), ["DISABLED", "expired_x"]],
    ["an owner", () => ({ ownerId: "owner-a" }), ["Active 100%", "not yet"]],
    ["the beginning of an owner", () => ({ ownerId: "owner" }), []],
    ["an end from a time on", () => ({ expireAfterTime: soon }), ["ends soon"]],
    ["an end from just after it", () => ({ expireAfterTime: new Date(soon.getTime() + 1) }), []],
    ["an end before a time", () => ({ expireBeforeTime: soon }), ["expired_x"]],
    [
      "an end before just after it",
      () => ({ expireBeforeTime: new Date(soon.getTime() + 1) }),
      ["ends soon", "expired_x"],
    ],
    ["the beginning of a secret", () => ({ prefix: "two_" }), ["ends soon"]],
    ["a pattern, which it is not", () => ({ prefix: "tw%" }), []],
    ["a text in a name, whatever the case", () => ({ text: "disAbled" }), ["DISABLED"]],
    ["a percent sign", () => ({ text: "0%" }), ["Active 100%"]],
    ["an underscore", () => ({ text: "_" }), ["expired_x"]],
    ["a backslash", () => ({ text: "\\" }), ["revoked \\ early"]],
    [
      "several things, which all must hold",
      () => ({ ownerId: "owner-a", states: [S.ACTIVE], text: "act" }),
      ["Active 100%"],
    ],
  ])("by %s", async (_, filter, names) => {
    expect(await namesOf({ keyspaceId, filter: filter(), orderBy: "display_name" })).toEqual(names);
  });

  it("tells each key's state as it is at the time of the answer", async () => {
    const states = new Map((await all({ keyspaceId })).map((key) => [key.displayName, key.state]));
    expect(Object.fromEntries(states)).toEqual({
      "Active 100%": S.ACTIVE,
      "not yet": S.NOT_YET_VALID,
      expired_x: S.EXPIRED,
      DISABLED: S.DISABLED,
      "revoked \\ early": S.REVOKED,
      "ends soon": S.ACTIVE,
    });
  });

  it("with a state that does not exist is refused", async () => {
    const request = { keyspaceId, filter: { states: [KeyState.UNSPECIFIED] } };
    await expect(all(request)).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "filter.states[0]" }],
    });
  });
});

describe("an order", () => {
  const orders: [string, string[]][] = [
    ["", ["d", "c", "b", "a", "Z"]],
    ["create_time", ["Z", "a", "b", "c", "d"]],
    ["create_time desc", ["d", "c", "b", "a", "Z"]],
    // By bytes: capitals come first.
    ["display_name", ["Z", "a", "b", "c", "d"]],
    ["display_name desc", ["d", "c", "b", "a", "Z"]],
    ["expire_time", ["c", "a", "Z", "b", "d"]],
    ["expire_time desc", ["d", "b", "Z", "a", "c"]],
  ];

  it.each(orders)("by '%s' holds over pages of any size", async (orderBy, names) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const ends: [string, number | undefined][] = [
      ["Z", 5],
      ["a", 2],
      ["b", undefined],
      ["c", 1],
      ["d", undefined],
    ];
    for (const [displayName, days] of ends) {
      await home.newKey(keyspaceId, { displayName, ttl: days === undefined ? undefined : { days } });
      time.advance(1);
    }
    for (const pageSize of [1, 2, 3, 5, 50]) {
      const pages = await pagesOf({ keyspaceId, orderBy, pageSize });
      expect(pages.flat()).toEqual(names);
      expect(pages.map(({ length }) => length)).toEqual(chunkSizes(names.length, pageSize));
    }
  });

  it("leaves no key out and gives none twice among equals", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ defaultTtl: { days: 1 } });
    const keys = Array.from({ length: 30 }, (_, index) => ({ displayName: "same", ownerId: `${index}` }));
    await home.clavis.keys.batchCreate({ keyspaceId, keys });
    for (const orderBy of orders.map(([order]) => order)) {
      const listed = await all({ keyspaceId, orderBy, pageSize: 7 });
      expect(listed.map(({ ownerId }) => Number(ownerId)).toSorted((a, b) => a - b)).toEqual(keys.map((_, i) => i));
    }
  });

  it.each(["name", "create_time asc", "create_time desc, display_name", "CREATE_TIME"])(
    "that is none is refused: %s",
    async (orderBy) => {
      await expect(all({ orderBy })).rejects.toMatchObject({ violations: [{ field: "order_by" }] });
    },
  );
});

describe("a page", () => {
  it.each([
    [0, 50],
    [1, 1],
    [200, 200],
    [201, 200],
    [2 ** 31 - 1, 200],
  ])("of size %d holds %d keys", async (pageSize, length) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const keys = Array.from({ length: 210 }, () => ({ displayName: "x" }));
    await home.clavis.keys.batchCreate({ keyspaceId, keys });
    const page = await home.clavis.keys.list({ keyspaceId, pageSize }).page();
    expect(page.items).toHaveLength(length);
    expect(page.nextPageToken).not.toBe("");
  });

  it("of a negative size is refused", async () => {
    await expect(all({ pageSize: -1 })).rejects.toMatchObject({ violations: [{ field: "page_size" }] });
  });

  it("follows the one before while keys come, end, change and go", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const made: string[] = [];
    for (let index = 0; index < 12; index++) {
      made.push((await home.newKey(keyspaceId, { displayName: `${index}`, ttl: { days: 1 } })).key.id);
      time.advance(1);
    }
    const seen: string[] = [];
    let turns = 0;
    for await (const page of home.clavis.keys.list({ keyspaceId, pageSize: 3 }).pages()) {
      seen.push(...page.items.map(({ id }) => id));
      turns++;
      await home.newKey(keyspaceId);
      time.advance(1);
      // The one that was last on this page, and the one that the next one begins with: neither moves what follows.
      const last = seen.at(-1) ?? "";
      await home.clavis.keys.revoke(last);
      await home.clavis.keys.delete(last);
      const next = made.toReversed()[seen.length];
      if (next !== undefined) await home.clavis.keys.update(next, { displayName: `${next} changed` });
    }
    expect(seen).toEqual(made.toReversed());
    expect(turns).toBe(4);
  });

  it("is bound to its query: a token of another is refused", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    for (let index = 0; index < 3; index++) await home.newKey(keyspaceId, { displayName: `${index}` });
    const query = { keyspaceId, pageSize: 1, filter: { text: "" }, orderBy: "display_name" };
    const { nextPageToken: pageToken } = await home.clavis.keys.list(query).page();
    expect(pageToken).not.toBe("");

    await using stranger = await openTenantHome(service);
    const others: [string, () => Promise<unknown>][] = [
      ["filter", () => home.clavis.keys.list({ ...query, pageToken, filter: { text: "0" } }).page()],
      ["order", () => home.clavis.keys.list({ ...query, pageToken, orderBy: "display_name desc" }).page()],
      ["keyspace", () => home.clavis.keys.list({ ...query, pageToken, keyspaceId: "" }).page()],
      ["list", () => home.clavis.keyspaces.list({ pageToken }).page()],
      ["log", () => home.clavis.audit.list({ pageToken }).page()],
      ["tenant", () => stranger.clavis.keys.list({ pageToken }).page()],
      ["changed token", () => home.clavis.keys.list({ ...query, pageToken: `A${pageToken.slice(1)}` }).page()],
      ["cut token", () => home.clavis.keys.list({ ...query, pageToken: pageToken.slice(0, -4) }).page()],
      ["invented token", () => home.clavis.keys.list({ ...query, pageToken: "next" }).page()],
    ];
    for (const [what, page] of others) {
      await expect(page(), what).rejects.toMatchObject({
        reason: "PAGE_TOKEN_INVALID",
        code: "INVALID_ARGUMENT",
        violations: [{ field: "page_token" }],
      });
    }
    // Its size may change.
    const rest = await home.clavis.keys.list({ ...query, pageToken, pageSize: 9 }).page();
    expect(rest.items.map(({ displayName }) => displayName)).toEqual(["1", "2"]);
  });
});

describe("without a keyspace", () => {
  it("lists those of all keyspaces but the reserved one", async () => {
    await using other = await openTenantHome(service);
    const [one, two] = [await other.newKeyspace(), await other.newKeyspace()];
    const made = [await other.newKey(one.id), await other.newKey(two.id)].map(({ key }) => key.id);
    await other.newManagementKey();
    const listed: string[] = [];
    for await (const { id } of other.clavis.keys.list()) listed.push(id);
    expect(listed.toSorted()).toEqual(made.toSorted());
    const reserved = await other.clavis.keys.list({ keyspaceId: other.managementKeyspaceId }).page();
    expect(reserved.items).toHaveLength(2);
  });

  it("needs one that is there, if one is named", async () => {
    const keyspaceId = `ks_${"0".repeat(26)}`;
    await expect(all({ keyspaceId })).rejects.toMatchObject({ reason: "KEYSPACE_NOT_FOUND" });
  });
});

async function all(request: Input<ListKeysRequest>): Promise<Key[]> {
  return (await pageItems(request)).flat();
}

async function pageItems(request: Input<ListKeysRequest>): Promise<Key[][]> {
  const pages: Key[][] = [];
  for await (const { items } of home.clavis.keys.list(request).pages()) pages.push([...items]);
  return pages;
}

async function namesOf(request: Input<ListKeysRequest>): Promise<string[]> {
  return (await all(request)).map(({ displayName }) => displayName);
}

async function pagesOf(request: Input<ListKeysRequest>): Promise<string[][]> {
  return (await pageItems(request)).map((items) => items.map(({ displayName }) => displayName));
}

function chunkSizes(total: number, size: number): number[] {
  return Array.from({ length: Math.ceil(total / size) }, (_, index) => Math.min(size, total - index * size));
}
