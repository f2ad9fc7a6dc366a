import type { ImportedKeyInput, KeySpecInput } from "@clavis/sdk";
import { parseInstant } from "../instant.ts";
import { parseSpan } from "../span.ts";

/** What a line says, or what is wrong with it. A problem never repeats what stands in the line. */
export type ParsedLine = { readonly key: ImportedKeyInput } | { readonly problem: string };

/** What a field's value must be, in words and as a check. */
interface Kind<T> {
  readonly expected: string;
  /** Undefined for anything else. */
  readonly parse: (value: unknown) => T | undefined;
}

const text: Kind<string> = { expected: "a text", parse: (value) => (typeof value === "string" ? value : undefined) };

const digest: Kind<string> = {
  expected: "a SHA-256 digest, as 64 hexadecimal digits or in base64",
  parse: (value) => {
    return typeof value === "string" && /^(?:[0-9a-f]{64}|[a-z0-9+/_-]{43}=?)$/i.test(value) ? value : undefined;
  },
};

const texts: Kind<string[]> = {
  expected: "a list of texts",
  parse: (value) => (Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined),
};

const object: Kind<NonNullable<KeySpecInput["metadata"]>> = {
  expected: "an object",
  parse: (value) => (isObject(value) ? (value as NonNullable<KeySpecInput["metadata"]>) : undefined),
};

const instant: Kind<Date> = {
  expected: "a time such as 2027-01-31T00:00:00Z",
  parse: (value) => (typeof value === "string" ? parseInstant(value) : undefined),
};

const span: Kind<NonNullable<KeySpecInput["ttl"]>> = {
  expected: "a span such as 90d",
  parse: (value) => (typeof value === "string" ? parseSpan(value) : undefined),
};

/** The fields of a line, by their names in the contract: those of the imported key, and those of what it is to be. */
const keyKinds = new Map<string, Kind<unknown>>(Object.entries({ digest, maskedSecret: text }));
const specKinds = new Map<string, Kind<unknown>>(
  Object.entries({
    displayName: text,
    ownerId: text,
    permissions: texts,
    allowedAddresses: texts,
    metadata: object,
    expireTime: instant,
    ttl: span,
    notBeforeTime: instant,
  }),
);

/** Reads one line: a JSON object with the fields of `ImportedKey` and of its spec, in `snake_case` or `camelCase`. */
export function parseImportLine(line: string): ParsedLine {
  const fields = parseObject(line);
  if (fields === undefined) return { problem: "is not a JSON object" };

  const key: Record<string, unknown> = {};
  const spec: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue;
    const own = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const kind = keyKinds.get(own) ?? specKinds.get(own);
    if (kind === undefined) return { problem: "has a field that no key has" };
    const parsed = kind.parse(value);
    if (parsed === undefined) return { problem: `${name}: expected ${kind.expected}` };
    (keyKinds.has(own) ? key : spec)[own] = parsed;
  }
  if (key.digest === undefined) return { problem: "digest: is missing" };
  if (!spec.displayName) return { problem: "display_name: is missing" };
  // Each value has been checked against the kind of its field.
  return { key: { ...key, spec } as unknown as ImportedKeyInput };
}

function parseObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    // What JSON.parse says quotes the line.
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
