import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

const scalars: Partial<Record<Type, string>> = {
  [Type.DOUBLE]: "double",
  [Type.FLOAT]: "float",
  [Type.INT64]: "int64",
  [Type.UINT64]: "uint64",
  [Type.INT32]: "int32",
  [Type.FIXED64]: "fixed64",
  [Type.FIXED32]: "fixed32",
  [Type.BOOL]: "bool",
  [Type.STRING]: "string",
  [Type.BYTES]: "bytes",
  [Type.UINT32]: "uint32",
  [Type.SFIXED32]: "sfixed32",
  [Type.SFIXED64]: "sfixed64",
  [Type.SINT32]: "sint32",
  [Type.SINT64]: "sint64",
};

/**
 * The proto source of a descriptor, enough to compile against: comments and options are left out.
 *
 * Takes proto2 and proto3 files without services, groups, maps and custom defaults, and throws on any other.
 */
export function printProtoFile(file: FileDescriptorProto): string {
  const syntax = file.syntax === "" ? "proto2" : file.syntax;
  refuse(syntax !== "proto2" && syntax !== "proto3", `${file.name}: syntax ${syntax}`);
  refuse(file.service.length > 0, `${file.name}: services`);
  return [
    `syntax = "${syntax}";`,
    `package ${file.package};`,
    ...file.dependency.map((path) => `import "${path}";`),
    ...file.enumType.flatMap(printEnum),
    ...file.messageType.flatMap((message) => printMessage(message, syntax)),
    ...printExtensions(file.extension, syntax),
    "",
  ].join("\n");
}

function printMessage(message: DescriptorProto, syntax: string): string[] {
  refuse(message.options?.mapEntry === true, `${message.name}: a map`);
  // A proto3 `optional` field sits in a oneof of its own, which the source does not name.
  const inOneof = (field: FieldDescriptorProto) => field.oneofIndex !== undefined && isSet(field, "oneofIndex");
  const plain = message.field.filter((field) => !inOneof(field) || field.proto3Optional);
  const oneofs = message.oneofDecl.flatMap((oneof, index) => {
    const fields = message.field.filter(
      (field) => inOneof(field) && field.oneofIndex === index && !field.proto3Optional,
    );
    return fields.length === 0
      ? []
      : block(
          `oneof ${oneof.name}`,
          fields.map((field) => printField(field, "")),
        );
  });
  return block(`message ${message.name}`, [
    ...message.reservedRange.map(({ start, end }) => `reserved ${start} to ${end - 1};`),
    ...message.reservedName.map((name) => `reserved "${name}";`),
    ...message.extensionRange.map(({ start, end }) => `extensions ${start} to ${end > 536870911 ? "max" : end - 1};`),
    ...message.enumType.flatMap(printEnum),
    ...message.nestedType.flatMap((nested) => printMessage(nested, syntax)),
    ...plain.map((field) => printField(field, labelOf(field, syntax))),
    ...oneofs,
    ...printExtensions(message.extension, syntax),
  ]);
}

function printEnum(type: EnumDescriptorProto): string[] {
  return block(`enum ${type.name}`, [
    ...(type.options?.allowAlias ? ["option allow_alias = true;"] : []),
    ...type.value.map((value) => `${value.name} = ${value.number};`),
    ...type.reservedRange.map(({ start, end }) => `reserved ${start} to ${end};`),
    ...type.reservedName.map((name) => `reserved "${name}";`),
  ]);
}

function printExtensions(fields: FieldDescriptorProto[], syntax: string): string[] {
  return fields.flatMap((field) => block(`extend ${field.extendee}`, [printField(field, labelOf(field, syntax))]));
}

function printField(field: FieldDescriptorProto, label: string): string {
  refuse(isSet(field, "defaultValue"), `${field.name}: a default`);
  const type = scalars[field.type] ?? field.typeName;
  refuse(type === "" || field.type === Type.GROUP, `${field.name}: type ${field.type}`);
  return `${label}${type} ${field.name} = ${field.number};`;
}

function labelOf(field: FieldDescriptorProto, syntax: string): string {
  if (field.label === Label.REPEATED) return "repeated ";
  if (field.label === Label.REQUIRED) return "required ";
  return syntax === "proto2" || field.proto3Optional ? "optional " : "";
}

function block(head: string, lines: string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `  ${line}`), "}"];
}

/** Whether a proto2 field was given, which a default hides when the field is read. */
function isSet(field: FieldDescriptorProto, name: "oneofIndex" | "defaultValue"): boolean {
  return Object.hasOwn(field, name);
}

function refuse(condition: boolean, what: string): void {
  if (condition) throw new Error(`cannot print ${what}`);
}
