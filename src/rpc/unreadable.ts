import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "../errors.ts";
import { toConnectError } from "./errors.ts";

/** Of what the decoders say, the part that names a field of the contract: its last name, not where it stands. What follows may quote the request. */
const DECODER = /cannot decode (?:message [\w.]+|field [\w.]+\.(?<field>\w+)) from JSON/;

/**
 * An error of the machinery that reads requests, such as of a body that is no JSON: as INVALID_REQUEST, in words that quote nothing
 * of the request, which may have held a secret. What it does not blame on the bytes, such as their number, stays as it is.
 */
export function readable(error: ConnectError | undefined): ConnectError {
  if (error?.rawMessage.startsWith("unknown compression"))
    return new ConnectError("compressed requests are not taken", error.code);
  if (error !== undefined && !BLAMED_ON_BYTES.includes(error.code))
    return new ConnectError(error.rawMessage, error.code);
  const field = DECODER.exec(error?.rawMessage ?? "")?.groups?.field ?? "";
  const description = field === "" ? "the request cannot be read" : "cannot be read";
  return toConnectError(new DomainError({ reason: "INVALID_REQUEST", violations: [{ field, description }] }));
}

const BLAMED_ON_BYTES: readonly Code[] = [Code.Internal, Code.InvalidArgument, Code.Unknown];

/** Whether an error that comes while a stream is read says that a message in it is none. */
export function isUnreadable({ rawMessage }: ConnectError): boolean {
  return rawMessage.startsWith("parse binary:") || DECODER.test(rawMessage);
}
