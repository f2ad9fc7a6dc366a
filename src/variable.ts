import { type Cidr, parseCidr } from "@clavis/sdk/rules";
import { z } from "zod";
import { parseRedisUrl } from "./redis-url.ts";
import type { RootKey } from "./root-keys.ts";
import { Secret } from "./secret.ts";
import { parseWorkerCount, WORKERS_MAX, type WorkerCount } from "./workers/worker-count.ts";

/** Where to listen. */
export interface Address {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const OPERATOR_KEY_LENGTH_MIN = 32;
const ROOT_KEY_BYTES_MIN = 32;

/** Ends the reading of a variable. No message repeats the value, which may be a secret. */
type Fail = (problem: string) => never;

/** A variable that `parse` makes sense of, or of `fallback` where there is none. */
export function text<Value>(fallback: string, parse: (value: string, fail: Fail) => Value) {
  return z.string().prefault(fallback).transform(withFail(parse));
}

export function optional<Value>(parse: (value: string, fail: Fail) => Value) {
  return z.string().transform(withFail(parse)).optional();
}

class Unfit extends Error {}

function withFail<Value>(parse: (value: string, fail: Fail) => Value) {
  return (value: string, context: z.RefinementCtx): Value => {
    try {
      return parse(value, (problem) => {
        throw new Unfit(problem);
      });
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  };
}

export function toAddress(value: string, fail: Fail): Address {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<host>[^:\s]+)):(?<port>\d{1,5})$/i.exec(value);
  const port = Number(match?.groups?.port);
  const host = match?.groups?.v6 ?? match?.groups?.host;
  if (host === undefined || port > 65_535) return fail("must be host:port, such as 127.0.0.1:8420 or [::1]:8420");
  return { host, port };
}

export function toInteger(value: string, min: number, max: number, fail: Fail): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) return fail(`must be a whole number from ${min} to ${max}`);
  return number;
}

export function toWorkerCount(value: string, fail: Fail): WorkerCount {
  return parseWorkerCount(value) ?? fail(`must be auto, or a whole number from 1 to ${WORKERS_MAX}`);
}

export function toRedisUrl(value: string, fail: Fail): Secret {
  if (parseRedisUrl(value) === undefined) {
    return fail(
      "must be a URL such as redis://user:password@host:6379, or those of a Cluster's nodes separated by commas",
    );
  }
  return new Secret(value);
}

/** More lenient than `URL`: one of libpq may have no host, where a socket is named in its query. */
export function toDatabaseUrl(value: string, fail: Fail): Secret {
  if (!/^postgres(ql)?:\/\//.test(value)) return fail("must be a URL that begins with postgres:// or postgresql://");
  return new Secret(value);
}

export function toRootKeys(value: string, fail: Fail): readonly RootKey[] {
  const keys = listOf(value).map((item) => {
    const match = /^(?<id>[a-z0-9-]{1,16}):(?<base64>[A-Za-z0-9+/_-]+={0,2})$/.exec(item);
    const bytes = Buffer.from(match?.groups?.base64 ?? "", "base64");
    if (bytes.length < ROOT_KEY_BYTES_MIN)
      return fail(`must be id:base64[,id:base64 ...], each of at least ${ROOT_KEY_BYTES_MIN} bytes`);
    return { id: match?.groups?.id ?? "", bytes };
  });
  if (new Set(keys.map(({ id }) => id)).size < keys.length) return fail("has an id twice");
  return keys;
}

export function toOperatorSecrets(value: string, fail: Fail): readonly Secret[] {
  return listOf(value).map((item) => {
    if (!/^[\x21-\x7e]+$/.test(item) || item.length < OPERATOR_KEY_LENGTH_MIN) {
      return fail(`must be texts of at least ${OPERATOR_KEY_LENGTH_MIN} printable characters, separated by commas`);
    }
    return new Secret(item);
  });
}

export function toOrigins(value: string, fail: Fail): readonly string[] {
  return listOf(value).map((item) => {
    if (item !== "*" && (!URL.canParse(item) || new URL(item).origin !== item)) {
      return fail("must be origins such as https://app.example.com, separated by commas, or *");
    }
    return item;
  });
}

export function toCidrs(value: string, fail: Fail): readonly Cidr[] {
  return listOf(value).map((item) => {
    const result = parseCidr(item);
    return result.ok
      ? result.cidr
      : fail(`must be networks such as 10.0.0.0/8, separated by commas: ${result.problem}`);
  });
}

function listOf(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
