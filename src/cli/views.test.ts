import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { EventSchema, KeySchema, KeyState, KeyspaceSchema, TenantSchema, VerifyResponseSchema } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { createTable } from "./table.ts";
import { widthOf } from "./text.ts";
import { eventView, keyspaceView, keyView, tenantView, type View, verdictView } from "./views.ts";

const idOf = (kind: string) => `${kind}_01JD9Z6Q8R5T7V9X1B3D5F7H9K`;
const now = timestampFromDate(new Date("2026-11-23T10:00:00.123Z"));
const displayName = "The continuous integration of customer 7 in Europe";

const key = create(KeySchema, {
  id: idOf("key"),
  displayName,
  state: KeyState.NOT_YET_VALID,
  maskedSecret: "acme_live_0123...vx2D",
  ownerId: "customer-0123456789",
  expireTime: now,
});
const keyspace = create(KeyspaceSchema, {
  id: idOf("ks"),
  displayName,
  prefix: "acme_live",
  defaultTtl: durationFromMs(7_776_000_000),
  maxTtl: durationFromMs(31_536_000_000),
  grantablePermissions: ["documents.*", "billing.read", "billing.write"],
  management: true,
});
const tenant = create(TenantSchema, { id: idOf("ten"), displayName, suspended: true, createTime: now });
const event = create(EventSchema, {
  sequence: 12_345_678n,
  time: now,
  type: "key.updated",
  actor: { id: idOf("key") },
  targets: [{ id: idOf("key") }],
  changedFields: { paths: ["display_name", "permissions", "allowed_addresses"] },
  address: "2001:db8:1234:5678:9abc:def0:1234:5678",
});

function tableOf<T>(view: View<T>, item: T, width?: number): string[] {
  const fields = view.filter(({ column }) => column !== undefined);
  const columns = fields.map(({ name, column, spare }) => ({ title: name, elastic: column === "elastic", spare }));
  const table = createTable({ columns, width, paint: (_tone, text) => text });
  return table([fields.map((field) => ({ text: field.of(item) }))]);
}

describe("a list of 80 columns", () => {
  const wideEvent = { ...event, type: "key.rotation_completed" };
  it.each([
    ["keys", tableOf(keyView, key, 80), "id name state secret", [key.id, key.maskedSecret, "not-yet-valid"]],
    ["keyspaces", tableOf(keyspaceView, keyspace, 80), "id name prefix max-ttl note", [keyspace.id, "acme_live"]],
    ["tenants", tableOf(tenantView, tenant, 80), "id name note created", [tenant.id, "2026-11-23T10:00:00Z"]],
    ["events", tableOf(eventView, event, 80), "sequence time type target", [idOf("key"), "2026-11-23T10:00:00Z"]],
    ["events of long types", tableOf(eventView, wideEvent, 80), "time type target", [idOf("key"), wideEvent.type]],
  ])("fits with %s, and has what tells most of them, whole", (_, lines, titles, whole) => {
    expect(lines).toHaveLength(2);
    expect(lines.map(widthOf).filter((width) => width > 80)).toEqual([]);
    expect(lines[0]?.replace("max ttl", "max-ttl").split(/ +/).join(" ")).toBe(titles);
    for (const text of whole) expect(lines[1]).toContain(text);
  });
});

it("leaves a masked secret out rather than cutting it", () => {
  const long = { ...key, maskedSecret: `${"x".repeat(32)}_0123...vx2D` };
  for (let width = 60; width <= 200; width++) {
    const [titles = "", row = ""] = tableOf(keyView, long, width);
    expect(row.includes(long.maskedSecret)).toBe(titles.includes("secret"));
  }
  expect(tableOf(keyView, long, 200)[1]).toContain(long.maskedSecret);
});

it("tells a verdict from memory from others", () => {
  const texts = (degraded: boolean) =>
    verdictView
      .filter(({ name }) => name === "degraded")
      .map(({ of }) => of(create(VerifyResponseSchema, { degraded })));
  expect(texts(true)).toEqual(["Postgres did not answer: this was known up to 60 s ago"]);
  expect(texts(false)).toEqual([""]);
});

it("has every column where there is no terminal", () => {
  expect(tableOf(eventView, event)[0]?.split(/ +/)).toEqual(
    eventView.filter(({ column }) => column !== undefined).map(({ name }) => name),
  );
});
