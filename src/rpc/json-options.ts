import { createRegistry, type JsonReadOptions, type JsonWriteOptions } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";

/**
 * A name that the contract does not know is refused: who misspells `allowed_addresses` must not get a key for everywhere. Errors of a
 * batch's items travel as google.rpc.Status, whose details JSON can only write if
 * it knows them.
 */
export const jsonOptions: Partial<JsonReadOptions & JsonWriteOptions> = {
  ignoreUnknownFields: false,
  registry: createRegistry(file_google_rpc_error_details),
};
