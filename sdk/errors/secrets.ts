import type { DescMessage, Message } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";

/** Short texts are everywhere; hiding each "a" would only make errors unreadable. No token or secret is this short. */
const HIDDEN_LENGTH_MIN = 8;

/** Whoever knows it within 24 h is given the first answer once more, with the secret in it, so it is one too. */
const REQUEST_ID = "request_id";

/** `text` without any of `secrets`. */
export function hide(text: string, secrets: readonly string[]): string {
  return secrets.reduce((hidden, secret) => {
    return secret.length < HIDDEN_LENGTH_MIN ? hidden : hidden.replaceAll(secret, "[hidden]");
  }, text);
}

/** The texts in `message` that must not be shown: those of `debug_redact` fields and of request ids, at any depth. */
export function secretsIn(schema: DescMessage, message: Message): string[] {
  return schema.fields.flatMap((field) => {
    const values = valuesOf(message, field.oneof?.localName, field.localName);
    if (field.message !== undefined) {
      const inner = field.message;
      return values.filter((value) => isMessage(value, inner)).flatMap((value) => secretsIn(inner, value));
    }
    const secret = field.proto.options?.debugRedact === true || field.name === REQUEST_ID;
    return secret ? values.filter((value) => typeof value === "string") : [];
  });
}

function valuesOf(message: object, oneof: string | undefined, name: string): unknown[] {
  const value: unknown =
    oneof === undefined ? Reflect.get(message, name) : caseOf(Reflect.get(message, oneof) as OneofValue, name);
  return Array.isArray(value) ? value : [value];
}

type OneofValue = { readonly case?: string | undefined; readonly value?: unknown };

function caseOf(selected: OneofValue, name: string): unknown {
  return selected.case === name ? selected.value : undefined;
}
