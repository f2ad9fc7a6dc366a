import { describe, expect, it } from "vitest";
import { createClavis } from "../index.ts";
import { createClavis as createWebClavis } from "../web/index.ts";
import type { ClavisOptions } from "./options.ts";

const good: ClavisOptions = { baseUrl: "https://keys.example.com/clavis/", token: "clavis_mgmt_0123456789" };

describe.each([
  ["Node", createClavis],
  ["browsers", createWebClavis],
])("createClavis for %s", (_, create) => {
  it.each<[string, Partial<ClavisOptions>]>([
    ["a URL", {}],
    ["a URL object", { baseUrl: new URL("http://localhost:8080") }],
    ["a token function", { token: () => "anything" }],
  ])("takes %s", (_what, options) => {
    expect(() => create({ ...good, ...options })).not.toThrow();
  });

  it.each<[string, Partial<ClavisOptions>]>([
    ["baseUrl", { baseUrl: "keys.example.com" }],
    ["baseUrl", { baseUrl: "ftp://keys.example.com" }],
    ["baseUrl", { baseUrl: "https://me@keys.example.com" }],
    ["baseUrl", { baseUrl: "https://:secret@keys.example.com" }],
    ["baseUrl", { baseUrl: "https://keys.example.com#key" }],
    ["baseUrl", { baseUrl: "https://keys.example.com?key=1" }],
    ["token", { token: "" }],
    ["token", { token: "two words" }],
    ["token", { token: "line\n" }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["verifyTimeoutMs", { verifyTimeoutMs: Number.NaN }],
    ["attemptsMax", { attemptsMax: 0 }],
  ])("refuses a bad %s: %j", (name, options) => {
    expect(() => create({ ...good, ...options })).toThrow(new RegExp(`^createClavis: ${name}: expected [^;]*$`));
  });

  it("tells all mistakes at once, and never the token", () => {
    const options = { baseUrl: "", token: "my secret token", timeoutMs: -1, verifyTimeoutMs: 0, attemptsMax: 1.5 };
    expect(() => create(options)).toThrow(/baseUrl: .*; token: .*; timeoutMs: .*; verifyTimeoutMs: .*; attemptsMax: /);
    expect(() => create(options)).not.toThrow(/my secret token/);
  });
});
