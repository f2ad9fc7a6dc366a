import { expect, it } from "vitest";
import { parseRedisUrl, type RedisAddress } from "./redis-url.ts";

const plain: RedisAddress = {
  hosts: [{ host: "cache", port: 6379 }],
  cluster: false,
  tls: false,
  username: undefined,
  password: undefined,
  db: 0,
};

it.each<[string, Partial<RedisAddress>]>([
  ["redis://cache", {}],
  ["redis://cache/", {}],
  ["redis://cache:7000/3", { hosts: [{ host: "cache", port: 7000 }], db: 3 }],
  ["rediss://cache", { tls: true }],
  ["redis://:hidden@cache", { password: "hidden" }],
  ["redis://clavis:a%2Cb%40c@cache", { username: "clavis", password: "a,b@c" }],
  ["redis://[::1]:7000", { hosts: [{ host: "::1", port: 7000 }] }],
  ["redis://cache?cluster=true", { cluster: true }],
  [
    "rediss://clavis:hidden@a:7000,rediss://b,rediss://c:7002",
    {
      hosts: [
        { host: "a", port: 7000 },
        { host: "b", port: 6379 },
        { host: "c", port: 7002 },
      ],
      cluster: true,
      tls: true,
      username: "clavis",
      password: "hidden",
    },
  ],
])("reads %s", (text, expected) => {
  expect(parseRedisUrl(text)).toEqual({ ...plain, ...expected });
});

it.each([
  "",
  "cache",
  "cache:6379",
  "http://cache",
  "redis://",
  "redis:///tmp/redis.sock",
  "redis://cache/x",
  "redis://cache/1/2",
  "redis://cache#x",
  "redis://cache?cluster=false",
  "redis://cache?enableOfflineQueue=true",
  "redis://cache/1?cluster=true",
  "redis://a,b",
  "redis://a,rediss://b",
  "redis://a,redis://b/1",
  "redis://a,http://b",
  "redis://:%ff@cache",
])("refuses %j", (text) => {
  expect(parseRedisUrl(text)).toBeUndefined();
});
