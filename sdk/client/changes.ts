import { create, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { type FieldMask, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { invalidRequest } from "../errors/clavis-error.ts";
import type { Input } from "./input.ts";

/** New values for some of the fields `F` of a resource. `null` takes away what may be absent, such as an expiry. */
export type Changes<T extends Message, F extends keyof T & keyof Input<T>> = {
  [P in keyof Pick<Input<T>, F>]?: Input<T>[P] | (undefined extends T[P] ? null : never);
};

/** What an update request carries: the values, and which fields they are for (AIP-134). */
export interface Update<T extends Message> {
  readonly values: Input<T>;
  readonly mask: FieldMask;
}

/**
 * The update that `changes` asks for: exactly the fields that are given, those set to undefined left alone.
 *
 * @throws ClavisError `INVALID_REQUEST` if there is nothing to change, or a field that cannot be: whoever spreads a whole
 * resource into the changes would otherwise set back what somebody else has changed meanwhile
 */
export function updateFrom<Schema extends DescMessage>(
  schema: Schema,
  changeable: readonly string[],
  changes: object,
): Update<MessageShape<Schema>> {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (given.length === 0) throw invalidRequest([{ field: "", description: "nothing to change" }]);

  const fixed = given.filter(([name]) => !changeable.includes(name));
  if (fixed.length > 0) {
    throw invalidRequest(
      fixed.map(([field]) => ({ field, description: `only ${changeable.join(", ")} can be changed` })),
    );
  }
  return {
    values: Object.fromEntries(given.filter(([, value]) => value !== null)) as Input<MessageShape<Schema>>,
    mask: create(FieldMaskSchema, { paths: given.map(([name]) => schema.field[name]?.name ?? name) }),
  };
}
