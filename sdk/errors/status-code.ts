import { Code } from "../gen/google/rpc/code_pb.ts";

/** The name of a status as `google.rpc.Code` spells it, such as `NOT_FOUND`. */
export type StatusCode = Exclude<keyof typeof Code, "OK">;

const names = new Map<number, StatusCode>(
  Object.entries(Code).flatMap(([name, code]) => (name === "OK" ? [] : [[code, name as StatusCode]])),
);

/** The name of a status by its number, which Connect and gRPC share. What has no name is `UNKNOWN`. */
export function statusCodeOf(code: number): StatusCode {
  return names.get(code) ?? "UNKNOWN";
}
