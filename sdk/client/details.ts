import type { Message } from "@bufbuild/protobuf";
import type { CallOptions } from "./call.ts";
import type { Input } from "./input.ts";

/** What a method whose arguments name the fields `Named` takes besides: the rest of its request, and call options. */
export type Details<T extends Message, Named extends keyof Input<T>> = Omit<Input<T>, Named> & CallOptions;

/** The part of `details` that goes into the request. */
export function fieldsOf<T extends CallOptions>({
  signal: _signal,
  timeoutMs: _timeoutMs,
  ...fields
}: T): Omit<T, keyof CallOptions> {
  return fields;
}
