import { describe, expect, it } from "vitest";
import { createLog, type LogLevel } from "./log.ts";

function logged(level: LogLevel, fields: object): string {
  let text = "";
  createLog(level, {
    write(line) {
      text += line;
    },
  }).error(fields, "call failed");
  return text;
}

describe("a log", () => {
  it("tells of an error its name, message, code, stack and causes, and nothing else that hangs on it", () => {
    const driver = Object.assign(new Error("duplicate key"), {
      code: "23505",
      detail: "Key (digest)=(canary) already exists.",
      parameters: ["canary"],
      headers: { authorization: "Bearer canary" },
      [Symbol("canary")]: "canary",
    });
    const error = Object.assign(new TypeError("bad", { cause: driver }), { request: { secret: "canary" } });
    const text = logged("error", { callId: "1", error });
    expect(text).not.toContain("canary");
    const line = JSON.parse(text) as { error: Record<string, unknown> };
    expect(line).toMatchObject({
      level: "error",
      callId: "1",
      msg: "call failed",
      error: { name: "TypeError", message: "bad", cause: { name: "Error", message: "duplicate key", code: "23505" } },
    });
    expect(Object.keys(line.error).sort()).toEqual(["cause", "message", "name", "stack"]);
  });

  it("tells nothing of what is thrown and is no error", () => {
    for (const thrown of ["canary", { canary: 1 }, Object.assign(new Error("x"), { cause: "canary" })]) {
      expect(logged("error", { error: thrown })).not.toContain("canary");
    }
  });

  it("is silent when it is to be", () => {
    expect(logged("silent", { a: 1 })).toBe("");
  });
});
