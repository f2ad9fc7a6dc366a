import { isMessage, type Message } from "@bufbuild/protobuf";
import { type PermissionQuery, VerifyRequestSchema } from "../gen/clavis/v1/verify_service_pb.ts";

/** A condition within another, and its path in the request: `query.all_of.queries[0]`. */
export interface NestedQuery {
  readonly query: PermissionQuery;
  readonly path: string;
}

/**
 * The conditions within the query of a VerifyRequest, at whatever depth; none for other messages. They have to be held to the contract
 * one by one: protovalidate 1.3 overlooks the rules of a message within one of its own type, since it prunes the plan that it is
 * still making for the outer one as if it were empty (bufbuild/protovalidate-go#141 is the same).
 */
export function nestedQueries(message: Message): readonly NestedQuery[] {
  return isMessage(message, VerifyRequestSchema) && message.query !== undefined ? below(message.query, "query") : [];
}

function below({ condition }: PermissionQuery, path: string): NestedQuery[] {
  if (condition.case !== "allOf" && condition.case !== "anyOf") return [];
  const name = { allOf: "all_of", anyOf: "any_of" }[condition.case];
  return condition.value.queries.flatMap((query, index) => {
    const at = `${path}.${name}.queries[${index}]`;
    return [{ query, path: at }, ...below(query, at)];
  });
}
