import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ConfigError, parseConfig } from "./config.ts";

const rootKey = randomBytes(32).toString("base64");
const operatorKey = "operator_0123456789abcdefghijklmnopqrstuv";
const server = {
  CLAVIS_DATABASE_URL: "postgres://clavis:hidden@db/clavis",
  CLAVIS_ROOT_KEYS: `a:${rootKey}`,
  CLAVIS_OPERATOR_KEYS: operatorKey,
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ name }) => name);
  }
}

describe("the configuration", () => {
  it("of nothing is the embedded shape on this machine alone, and nobody changes it", () => {
    const config = parseConfig({ PATH: "/bin", CLAVIS_TLS_KEY_FILE: "" });
    expect(config).toMatchObject({
      listen: { host: "127.0.0.1", port: 8420 },
      metricsListen: { host: "127.0.0.1", port: 8421 },
      store: { shape: "embedded", dataDir: ".clavis" },
      rootKeys: [],
      operatorSecrets: [],
      workers: 1,
      tls: undefined,
      corsOrigins: [],
      trustedProxies: [],
      logLevel: "info",
      drainDelayMs: 0,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it("of everything is what it says", () => {
    const config = parseConfig({
      ...server,
      CLAVIS_LISTEN: "[::1]:0",
      CLAVIS_METRICS_LISTEN: "off",
      CLAVIS_MIGRATE_DATABASE_URL: "postgresql:///clavis?host=/run/postgresql",
      CLAVIS_DATABASE_CONNECTIONS: "1000",
      CLAVIS_ROOT_KEYS: `new:${rootKey}, old:${rootKey}`,
      CLAVIS_OPERATOR_KEYS: `${operatorKey},${operatorKey}x`,
      CLAVIS_REDIS_URL: "rediss://cache:6380",
      CLAVIS_WORKERS: "auto",
      CLAVIS_TLS_CERT_FILE: "cert.pem",
      CLAVIS_TLS_KEY_FILE: "key.pem",
      CLAVIS_TLS_CLIENT_CA_FILE: "ca.pem",
      CLAVIS_CORS_ORIGINS: "https://app.example.com, http://localhost:5173",
      CLAVIS_TRUSTED_PROXIES: "10.0.0.0/8,2001:db8::/32",
      CLAVIS_LOG_LEVEL: "debug",
      CLAVIS_DRAIN_DELAY_SECONDS: "10",
    });
    expect(config).toMatchObject({
      listen: { host: "::1", port: 0 },
      metricsListen: null,
      store: { shape: "server", connectionsMax: 1000 },
      rootKeys: [{ id: "new" }, { id: "old" }],
      workers: "auto",
      tls: { certFile: "cert.pem", keyFile: "key.pem", clientCaFile: "ca.pem" },
      corsOrigins: ["https://app.example.com", "http://localhost:5173"],
      logLevel: "debug",
      drainDelayMs: 10_000,
    });
    expect(config.operatorSecrets.map((secret) => secret.reveal())).toEqual([operatorKey, `${operatorKey}x`]);
    expect(config.redisUrl?.reveal()).toBe("rediss://cache:6380");
    expect(config.trustedProxies).toHaveLength(2);
  });

  it.each<[name: string, ...values: string[]]>([
    ["CLAVIS_LISTEN", "8420", "localhost", "host:65536", "::1:8420", "a b:1", "127.0.0.1:-1", ":1"],
    ["CLAVIS_METRICS_LISTEN", "on", "x"],
    ["CLAVIS_DATABASE_URL", "mysql://x", "clavis", "postgres:/x"],
    ["CLAVIS_MIGRATE_DATABASE_URL", "http://x"],
    ["CLAVIS_DATABASE_CONNECTIONS", "1", "1001", "ten", "1e2", "-5", "5.5", " 5"],
    [
      "CLAVIS_ROOT_KEYS",
      rootKey,
      `a:${rootKey.slice(0, 20)}`,
      `a:${rootKey},a:${rootKey}`,
      `A:${rootKey}`,
      `a:${"!".repeat(44)}`,
      "a:",
    ],
    [
      "CLAVIS_OPERATOR_KEYS",
      "short",
      "with a space in it, that is long enough for anything",
      `${operatorKey},x`,
      "é".repeat(40),
    ],
    ["CLAVIS_REDIS_URL", "http://x", "cache", "redis://cache?db=1", "redis://a,rediss://b"],
    ["CLAVIS_WORKERS", "0", "65", "two", "1.5", " 2", "AUTO"],
    ["CLAVIS_CORS_ORIGINS", "app.example.com", "https://app.example.com/", "https://app.example.com/a", "**"],
    ["CLAVIS_TRUSTED_PROXIES", "10.0.0.1/8", "proxy", "10.0.0.0/33"],
    ["CLAVIS_LOG_LEVEL", "verbose", "INFO"],
    ["CLAVIS_DRAIN_DELAY_SECONDS", "11", "-1", "1.5", "soon"],
  ])("refuses %s by name", (name, ...values) => {
    expect(values.length).toBeGreaterThan(0);
    for (const value of values) expect(problemsOf({ ...server, [name]: value }), value).toEqual([name]);
  });

  it("knows what goes together", () => {
    expect(problemsOf({ CLAVIS_DATABASE_URL: server.CLAVIS_DATABASE_URL })).toEqual([
      "CLAVIS_ROOT_KEYS",
      "CLAVIS_OPERATOR_KEYS",
    ]);
    expect(problemsOf({ CLAVIS_MIGRATE_DATABASE_URL: server.CLAVIS_DATABASE_URL })).toEqual(["CLAVIS_DATABASE_URL"]);
    expect(problemsOf({ CLAVIS_TLS_CERT_FILE: "x" })).toEqual(["CLAVIS_TLS_CERT_FILE"]);
    expect(problemsOf({ CLAVIS_TLS_KEY_FILE: "x" })).toEqual(["CLAVIS_TLS_CERT_FILE"]);
    expect(problemsOf({ CLAVIS_TLS_CLIENT_CA_FILE: "x" })).toEqual(["CLAVIS_TLS_CLIENT_CA_FILE"]);
  });

  it("knows no variable by another name, and leaves the command line its own", () => {
    expect(problemsOf({ CLAVIS_LISTENS: "x", CLAVIS_ROOT_KEY: "y" })).toEqual(["CLAVIS_LISTENS", "CLAVIS_ROOT_KEY"]);
    expect(problemsOf({ CLAVIS_URL: "x", CLAVIS_KEY: "y", CLAVIS_OPERATOR_KEY: "z" })).toEqual([]);
  });

  it("tells everything that is wrong at once, and none of the values", () => {
    const canary = "canary0canary";
    const names = [
      "CLAVIS_LISTEN",
      "CLAVIS_METRICS_LISTEN",
      "CLAVIS_DATABASE_URL",
      "CLAVIS_MIGRATE_DATABASE_URL",
      "CLAVIS_DATABASE_CONNECTIONS",
      "CLAVIS_ROOT_KEYS",
      "CLAVIS_OPERATOR_KEYS",
      "CLAVIS_REDIS_URL",
      "CLAVIS_CORS_ORIGINS",
      "CLAVIS_TRUSTED_PROXIES",
      "CLAVIS_LOG_LEVEL",
      "CLAVIS_DRAIN_DELAY_SECONDS",
      "CLAVIS_UNKNOWN",
    ];
    const env = Object.fromEntries(names.map((name) => [name, canary]));
    expect([...problemsOf(env)].sort()).toEqual([...names].sort());
    try {
      parseConfig(env);
    } catch (error) {
      for (const name of names) expect((error as Error).message).toContain(name);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(canary);
    }
  });

  it("shows no secret when it is printed", () => {
    const config = parseConfig({
      ...server,
      CLAVIS_REDIS_URL: "redis://:hidden@cache",
      CLAVIS_MIGRATE_DATABASE_URL: "postgres://owner:hidden@db/x",
    });
    const shown = `${inspect(config, { depth: 10, showHidden: true })} ${JSON.stringify(config)}`;
    for (const text of ["hidden", operatorKey, "operator_"]) expect(shown).not.toContain(text);
  });
});
