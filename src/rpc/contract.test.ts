/** Reads the contract's descriptors and fails where they break a rule that `buf lint` does not know. */
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, it } from "vitest";
import { AuditService } from "../gen/clavis/v1/audit_service_pb.ts";
import { file_clavis_v1_error_reason } from "../gen/clavis/v1/error_reason_pb.ts";
import { CreateKeyRequestSchema, KeyService, KeySpecSchema } from "../gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";

const services = [KeyspaceService, KeyService, VerifyService, SelfService, TenantService, AuditService];
const methods = services.flatMap((service): DescMethod[] => [...service.methods]);
const requests = reachable(methods.map(({ input }) => input));
const answers = reachable(methods.map(({ output }) => output));
const messages = [...new Set([...requests, ...answers])];
const requestFields = requests.flatMap(({ fields }) => fields);

/** What the bearer of a secret does to itself has no caller who could ask twice for two things. */
const withoutRequestId = ["clavis.v1.SelfService.RevokeSelf"];

/** What may be asked for, whatever it is, so that nobody can tell from the answer what is there. */
const withoutPattern = ["clavis.v1.ListEventsRequest.actor_id", "clavis.v1.ListEventsRequest.target_id"];

describe("the contract", () => {
  it("is read as a whole", () => {
    expect(methods.length).toBeGreaterThan(25);
    expect(requests.length).toBeGreaterThan(methods.length);
    expect(requestFields.length).toBeGreaterThan(100);
  });

  it("holds each id that a caller gives to a pattern, or at least to a length where it is the caller's own", () => {
    const ids = requestFields.filter(({ name }) => /(^|_)ids?$/.test(name) && !name.startsWith("request_"));
    const clavisIds = ids.filter(({ name }) => /(tenant|keyspace|key)_ids?$/.test(name));
    expect(clavisIds.length).toBeGreaterThan(20);
    const free = clavisIds.filter((field) => isInput(field) && !patternOf(field)?.startsWith("^"));
    expect(free.map(pathOf)).toEqual([]);
    const boundless = ids.filter((field) => isInput(field) && !patternOf(field) && !lengthOf(field));
    expect(boundless.map(pathOf)).toEqual([]);
    for (const path of withoutPattern) expect(ids.map(pathOf)).toContain(path);
  });

  it("bounds each text, list, number and span that a caller gives", () => {
    const texts = requestFields.filter((field) => isInput(field) && scalarOf(field) === ScalarType.STRING);
    expect(texts.length).toBeGreaterThan(60);
    const endless = texts.filter((field) => !patternOf(field) && !lengthOf(field) && !isFormat(field));
    expect(endless.map(pathOf)).toEqual([]);
    const lists = requestFields.filter((field) => isInput(field) && field.fieldKind === "list");
    expect(lists.length).toBeGreaterThan(10);
    const unbounded = lists.filter(
      (field) => getOption(field, fieldRules).type.case !== "repeated" || !maxItemsOf(field),
    );
    expect(unbounded.map(pathOf)).toEqual([]);
    const spans = requestFields.filter(
      (field) => isInput(field) && field.message?.typeName === "google.protobuf.Duration",
    );
    expect(spans.length).toBeGreaterThan(8);
    expect(spans.filter((field) => getOption(field, fieldRules).type.case !== "duration").map(pathOf)).toEqual([]);
    const enums = requestFields.filter((field) => isInput(field) && field.enum !== undefined);
    expect(enums.length).toBeGreaterThan(2);
    expect(enums.filter((field) => !hasOption(field, fieldRules)).map(pathOf)).toEqual([]);
  });

  it("lets each change be asked for twice: a request_id, a UUID that may be left out", () => {
    const changes = methods.filter((method) => !isRead(method) && method.parent !== VerifyService);
    const without = changes.filter(({ input }) => input.field.requestId === undefined);
    expect(without.map(methodPath)).toEqual(withoutRequestId);
    const ids = changes.flatMap(({ input }) => input.field.requestId ?? []);
    expect(ids.length).toBeGreaterThan(14);
    for (const field of ids) {
      const { type, ignore } = getOption(field, fieldRules);
      expect(type, pathOf(field)).toMatchObject({
        case: "string",
        value: { wellKnown: { case: "uuid", value: true } },
      });
      expect(ignore, pathOf(field)).toBe(1);
    }
    const reads = methods.filter(isRead);
    expect(reads.filter(({ input }) => input.field.requestId !== undefined).map(methodPath)).toEqual([]);
  });

  it("pages each list", () => {
    const lists = methods.filter(({ name }) => name.startsWith("List"));
    expect(lists.length).toBeGreaterThan(3);
    for (const { name, input, output } of lists) {
      expect(input.field, name).toMatchObject({
        pageSize: { scalar: ScalarType.INT32 },
        pageToken: { scalar: ScalarType.STRING },
      });
      expect(output.field, name).toMatchObject({ nextPageToken: { scalar: ScalarType.STRING } });
    }
    const paged = messages.filter(({ field }) => field.nextPageToken !== undefined).map(({ name }) => name);
    expect(paged.toSorted()).toEqual([...lists.map(({ output }) => output.name), "BatchRevokeKeysResponse"].toSorted());
  });

  it("marks what reads as what only reads", () => {
    const reads = methods.filter(({ name }) => /^(Get|List)/.test(name));
    expect(methods.filter(isRead).map(methodPath)).toEqual(reads.map(methodPath));
  });

  it("keeps each secret and digest out of what is printed", () => {
    const secrets = messages.flatMap(({ fields }) => fields).filter(({ name }) => /(^|_)(secret|digest)$/.test(name));
    const shown = secrets.filter(({ name }) => !name.includes("masked"));
    expect(shown.length).toBeGreaterThan(6);
    expect(shown.filter(({ proto }) => proto.options?.debugRedact !== true).map(pathOf)).toEqual([]);
  });

  it("lets each change that takes rights away be waited for, and says from when on it holds", () => {
    const waited = methods.filter(({ input }) => input.field.maxWait !== undefined);
    const told = methods.filter(({ output }) => output.field.effectiveTime !== undefined);
    expect(waited.map(methodPath)).toEqual(told.map(methodPath));
    expect(waited.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "UpdateKeyspace",
        "UpdateKey",
        "DisableKey",
        "RotateKey",
        "CompleteRotation",
        "RevokeKey",
      ]),
    );
    expect(waited.length).toBeGreaterThan(8);
  });

  it("has a mask for each update, beside the resource that it is of", () => {
    const updates = methods.filter(({ name }) => name.startsWith("Update"));
    expect(updates.length).toBeGreaterThan(2);
    for (const { name, input } of updates) {
      const resource = name.slice("Update".length);
      const field = input.fields.find(({ message }) => message?.name === resource);
      expect(field && getOption(field, fieldRules).required, name).toBe(true);
      expect(input.field.updateMask?.message?.typeName, name).toBe("google.protobuf.FieldMask");
      expect(input.field.etag, name).toBeDefined();
    }
  });

  it("lets one key of a batch be all that a key alone may be", () => {
    const own = ["keyspace_id", "request_id"];
    const shape = ({ fields }: DescMessage) =>
      fields
        .filter(({ name }) => !own.includes(name))
        .map(({ proto: { number: _number, ...rest } }) => ({ ...rest, options: undefined, rules: undefined }));
    const rules = ({ fields }: DescMessage) =>
      fields.filter(({ name }) => !own.includes(name)).map((field) => getOption(field, fieldRules));
    expect(shape(KeySpecSchema).length).toBeGreaterThan(8);
    expect(shape(KeySpecSchema)).toEqual(shape(CreateKeyRequestSchema));
    expect(rules(KeySpecSchema)).toEqual(rules(CreateKeyRequestSchema));
  });

  it("begins each enum with nothing", () => {
    const enums = [...new Set(messages.flatMap(({ fields }) => fields.flatMap((field) => field.enum ?? [])))];
    expect(enums.length).toBeGreaterThan(2);
    for (const { name, values } of [...enums, ...file_clavis_v1_error_reason.enums])
      expect([values[0]?.number, values[0]?.localName], name).toEqual([0, "UNSPECIFIED"]);
  });
});

/** Messages of ours that can be met in these. */
function reachable(roots: readonly DescMessage[]): DescMessage[] {
  const seen = new Set<DescMessage>();
  const visit = (message: DescMessage) => {
    if (seen.has(message) || !message.typeName.startsWith("clavis.")) return;
    seen.add(message);
    for (const field of message.fields) if (field.message !== undefined) visit(field.message);
  };
  roots.forEach(visit);
  return [...seen];
}

/** Whether a caller decides on the field: of a resource, only what an update may change. */
function isInput(field: DescField): boolean {
  const changeable: Readonly<Record<string, readonly string[]>> = {
    "clavis.v1.Tenant": ["display_name", "suspended"],
    "clavis.v1.Keyspace": ["display_name", "prefix", "default_ttl", "max_ttl", "grantable_permissions", "disabled"],
    "clavis.v1.Key": ["display_name", "owner_id", "permissions", "allowed_keyspace_ids", "allowed_addresses"],
    "clavis.v1.Revocation": [],
    "clavis.v1.Rotation": [],
  };
  return changeable[field.parent.typeName]?.includes(field.name) ?? true;
}

function isRead({ idempotency }: DescMethod): boolean {
  return idempotency === Level.NO_SIDE_EFFECTS;
}

function scalarOf(field: DescField): ScalarType | undefined {
  return field.fieldKind === "scalar" || field.fieldKind === "list" ? field.scalar : undefined;
}

/** The rules of a text, or of each text of a list. */
function textRules(field: DescField) {
  const { type } = getOption(field, fieldRules);
  const inner = type.case === "repeated" ? type.value.items?.type : type;
  return inner?.case === "string" ? inner.value : undefined;
}

function patternOf(field: DescField): string | undefined {
  return textRules(field)?.pattern || undefined;
}

function lengthOf(field: DescField): bigint | undefined {
  return textRules(field)?.maxLen || undefined;
}

function isFormat(field: DescField): boolean {
  const rules = textRules(field);
  return rules !== undefined && (rules.wellKnown.case !== undefined || rules.in.length > 0);
}

function maxItemsOf(field: DescField): bigint | undefined {
  const { type } = getOption(field, fieldRules);
  return type.case === "repeated" ? type.value.maxItems || undefined : undefined;
}

function pathOf(field: DescField): string {
  return `${field.parent.typeName}.${field.name}`;
}

function methodPath({ parent, name }: DescMethod): string {
  return `${parent.typeName}.${name}`;
}
