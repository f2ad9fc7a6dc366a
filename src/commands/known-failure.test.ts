import { describe, expect, it } from "vitest";
import { CommandFailure } from "../cli/command-failure.ts";
import { ConfigError } from "../config.ts";
import { explain } from "./known-failure.ts";

const systemError = (facts: object) => Object.assign(new Error("listen"), facts);

describe("explain", () => {
  it.each([
    [systemError({ code: "EADDRINUSE", address: "127.0.0.1", port: 8420 }), /^127\.0\.0\.1:8420 is in use already/],
    [systemError({ code: "ENOENT", path: "/etc/tls.crt" }), /\/etc\/tls\.crt/],
    [systemError({ code: "ERR_OSSL_PEM_NO_START_LINE" }), /CLAVIS_TLS_CERT_FILE/],
    [systemError({ code: "28P01", severity: "FATAL" }), /^Postgres refuses/],
    [new AggregateError([systemError({ code: "ECONNREFUSED", address: "::1", port: 5432 })]), /CLAVIS_DATABASE_URL/],
    [new ConfigError([{ name: "CLAVIS_FOO", problem: "is no variable of Clavis" }]), /CLAVIS_FOO/],
  ])("has words for what people can put right: %s", (error, words) => {
    const explained = explain(error);
    expect(explained).toBeInstanceOf(CommandFailure);
    expect(explained).toMatchObject({ message: expect.stringMatching(words), exitCode: 1 });
  });

  it("leaves bugs as they are, with their stack", () => {
    const bug = new TypeError("undefined is not a function");
    expect(explain(bug)).toBe(bug);
  });
});
