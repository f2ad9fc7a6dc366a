import fc from "fast-check";
import type { JsonObject } from "../../src/json.ts";
import { buildKnownSecret, type SecretFields } from "../../src/verify/build-known-secret.ts";
import type { KnownSecret, Reading } from "../../src/verify/known-secret.ts";

/** A known secret that is valid in all that `fields` do not say. Its key has version `version`. */
export function aKnownSecret(version = 1, fields: Partial<SecretFields> = {}): KnownSecret {
  const { keyId = "key_01jd0000000000000000000000" } = fields;
  return buildKnownSecret({
    tenantId: "ten_01jd0000000000000000000000",
    keyspaceId: "ks_01jd0000000000000000000000",
    keyId,
    ownerId: "customer-7",
    displayName: "CI",
    permissions: ["documents.read", "invoices.*"],
    metadata: { plan: "gold" },
    allowedKeyspaceIds: [],
    allowedAddresses: [],
    secretStopTime: null,
    revokeTime: null,
    expireTime: null,
    notBeforeTime: null,
    disabled: false,
    ownerDisabled: false,
    keyspaceDisabled: false,
    tenantSuspended: false,
    management: false,
    imported: false,
    entities: [
      { id: keyId, version },
      { id: "ks_01jd0000000000000000000000", version: 1 },
      { id: "ten_01jd0000000000000000000000", version: 1 },
    ],
    keyspaceMode: { mode: "available", settled: true },
    ...fields,
  });
}

export const A_TIMELINE = "8f3c2a6e-1d0b-4c7a-9a55-0d2f6b1c7e90";

/** One that found a single key, of version `version`. */
export function aReading(version = 1, fields: Partial<SecretFields> = {}): Reading {
  const snapshot = { xmin: 700n, xmax: 705n, xip: [701n, 703n] };
  return { known: [aKnownSecret(version, fields)], position: { timeline: A_TIMELINE, snapshot } };
}

/** The digest of no secret, but one for each number. */
export function aDigest(number: number): string {
  return number.toString(16).padStart(64, "0");
}

const time = fc.option(fc.integer({ min: 0, max: 4e12 }));
const texts = fc.array(fc.string({ unit: "binary", maxLength: 20 }), { maxLength: 4 });
const addresses = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0"];

const fields: fc.Arbitrary<Partial<SecretFields>> = fc.record({
  keyId: fc.nat({ max: 999 }).map((number) => `key_${number.toString().padStart(26, "0")}`),
  ownerId: fc.string({ unit: "binary" }),
  displayName: fc.string({ unit: "binary" }),
  permissions: fc.subarray(["a", "a.b", "a.*", "documents.read", "*"]),
  metadata: fc.dictionary(fc.string(), fc.jsonValue()).map(asJson),
  allowedKeyspaceIds: texts,
  allowedAddresses: fc.subarray(addresses),
  secretStopTime: time,
  revokeTime: time,
  expireTime: time,
  notBeforeTime: time,
  disabled: fc.boolean(),
  ownerDisabled: fc.boolean(),
  keyspaceDisabled: fc.boolean(),
  tenantSuspended: fc.boolean(),
  management: fc.boolean(),
  imported: fc.boolean(),
  keyspaceMode: fc.record({ mode: fc.constantFrom("strict", "available"), settled: fc.boolean() }),
});

/** Without what JSON does not tell apart, such as -0. */
function asJson(value: Record<string, unknown>): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/** Readings of one to three keys, with all that their fields can hold. */
export const readings: fc.Arbitrary<Reading> = fc
  .record({
    known: fc.array(fc.tuple(fc.nat({ max: 2 ** 40 }), fields), { minLength: 1, maxLength: 3 }),
    xmin: fc.bigInt(0n, 2n ** 64n - 1n),
    more: fc.array(fc.bigInt(0n, 1000n), { maxLength: 4 }),
  })
  .map(({ known, xmin, more }) => ({
    known: known.map(([version, some]) => aKnownSecret(version, some)),
    position: { timeline: A_TIMELINE, snapshot: { xmin, xmax: xmin + 1001n, xip: more.map((part) => xmin + part) } },
  }));
