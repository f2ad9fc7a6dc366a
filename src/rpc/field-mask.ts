import { type DescMessage, isFieldSet, type MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { DomainError, invalidField } from "../errors.ts";

/** For each field of a resource that an update may change, what the message says of it. */
export type Changeable<Message, Terms> = Readonly<Record<string, (message: Message) => Partial<Terms>>>;

/**
 * What an update says: the fields that its mask names, all for `*`, and without a mask those that are set (AIP-134). Throws
 * INVALID_REQUEST naming each path that cannot be changed.
 */
export function changesIn<Desc extends DescMessage, Terms extends object>(
  schema: Desc,
  message: MessageShape<Desc>,
  mask: FieldMask | undefined,
  changeable: Changeable<MessageShape<Desc>, Terms>,
): Partial<Terms> {
  const names = Object.keys(changeable);
  const paths = mask?.paths ?? [];
  refuseOthers(paths, names);
  const isSet = (name: string) => schema.fields.some((field) => field.name === name && isFieldSet(message, field));
  const named = paths.length === 0 ? names.filter(isSet) : paths.includes("*") ? names : paths;
  // As `disabled: false` without a mask: told that all is done, its sender would take the thing for enabled.
  if (named.length === 0)
    throw invalidField("update_mask", "is needed to set fields to their defaults; nothing is set otherwise");
  return Object.assign({}, ...named.map((name) => changeable[name]?.(message)));
}

function refuseOthers(paths: readonly string[], names: readonly string[]): void {
  const violations = paths.flatMap((path, index) =>
    path === "*" || names.includes(path)
      ? []
      : [{ field: `update_mask.paths[${index}]`, description: `cannot be changed; what can is ${names.join(", ")}` }],
  );
  if (violations.length > 0) throw new DomainError({ reason: "INVALID_REQUEST", violations });
}
