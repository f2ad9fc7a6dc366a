import { describe, expect, expectTypeOf, it } from "vitest";
import { createScriptedLink } from "../../test/harness/scripted-link.ts";
import { createClavisOver } from "./clavis.ts";
import type { KeyChanges } from "./keys.ts";
import type { KeyspaceChanges } from "./keyspaces.ts";
import { readOptions } from "./options.ts";

describe("an update", () => {
  it("names exactly the fields that are given", async () => {
    const request = await requestOf({ displayName: "new", permissions: [], expireTime: undefined });
    expect(request).toMatchObject({
      keyId: "key_1",
      key: { displayName: "new", permissions: [] },
      updateMask: { paths: ["display_name", "permissions"] },
      etag: "7",
    });
  });

  it("takes away what is null", async () => {
    const request = await requestOf({ expireTime: null, metadata: null });
    expect(request).toMatchObject({ key: {}, updateMask: { paths: ["expire_time", "metadata"] } });
    expect(Reflect.get(Reflect.get(request, "key"), "expireTime")).toBeUndefined();
  });

  it("reads times and spans as creation does", async () => {
    const request = await requestOf({ expireTime: new Date(5_000) });
    expect(request).toMatchObject({ key: { expireTime: { seconds: 5n } } });
  });

  it.each([
    ["nothing", {}],
    ["what the service alone sets", { id: "key_2", displayName: "new" }],
    ["a field that does not exist", { displayNmae: "new" }],
  ])("is refused when it would change %s", async (_, changes) => {
    await expect(requestOf(changes as KeyChanges)).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
  });

  it("is typed by what can be changed", () => {
    expectTypeOf<{ maxTtl: null; defaultTtl: { days: 1 } }>().toExtend<KeyspaceChanges>();
    expectTypeOf<{ displayName: null }>().not.toExtend<KeyspaceChanges>();
    expectTypeOf<KeyChanges>().not.toHaveProperty("id");
    expectTypeOf<KeyChanges>().not.toHaveProperty("etag");
  });
});

/** The request that goes out for `changes`. */
async function requestOf(changes: KeyChanges): Promise<object> {
  const link = createScriptedLink({ key: {}, effectiveTime: {} });
  const clavis = createClavisOver(link, readOptions({ baseUrl: "http://localhost", token: "t" }).config);
  await clavis.keys.update("key_1", changes, { etag: "7", timeoutMs: 1_000 });
  return link.sent[0]?.request ?? {};
}
