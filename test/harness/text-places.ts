import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";

/** A place in a message where text may stand, and how to make a message that has text there alone. */
export interface TextPlace {
  /** As BadRequest names it: `keys[0].spec.display_name`. */
  readonly field: string;
  readonly init: (text: string) => object;
}

/** All of them. Fields of secrets are left out, as they are never kept, and so are queries within queries. */
export function textPlaces(schema: DescMessage, depth = 0): TextPlace[] {
  if (depth > DEPTH_MAX) return [];
  return schema.fields
    .filter((field) => !field.proto.options?.debugRedact)
    .flatMap((field) =>
      placesIn(field, depth).map(({ field: path, init }) => ({ field: path, init: (text) => wrap(field, init(text)) })),
    );
}

const DEPTH_MAX = 3;

interface Place {
  readonly field: string;
  readonly init: (text: string) => unknown;
}

function placesIn(field: DescField, depth: number): Place[] {
  const name = field.fieldKind === "list" ? `${field.name}[0]` : field.name;
  if (field.scalar === ScalarType.STRING) return [{ field: name, init: (text) => text }];
  if (field.message === undefined) return [];
  if (field.message.typeName === StructSchema.typeName) {
    return [
      { field: `${name}.$a`, init: (text) => ({ $a: text }) },
      { field: name, init: (text) => ({ [`$${text}`]: 1 }) },
      { field: `${name}.a[0].b`, init: (text) => ({ a: [{ b: text }] }) },
    ];
  }
  return textPlaces(field.message, depth + 1).map(({ field: path, init }) => ({ field: `${name}.${path}`, init }));
}

function wrap(field: DescField, value: unknown): object {
  const listed = field.fieldKind === "list" ? [value] : value;
  if (field.oneof === undefined) return { [field.localName]: listed };
  return { [field.oneof.localName]: { case: field.localName, value: listed } };
}
