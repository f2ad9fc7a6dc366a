import { type Keyspace, KeyspaceSchema } from "../gen/clavis/v1/keyspace_pb.ts";
import {
  type CreateKeyspaceRequest,
  type CreateKeyspaceResponse,
  type DeleteKeyspaceRequest,
  type DeleteKeyspaceResponse,
  type GetKeyspaceResponse,
  KeyspaceService,
  type ListKeyspacesRequest,
  type UpdateKeyspaceRequest,
  type UpdateKeyspaceResponse,
} from "../gen/clavis/v1/keyspace_service_pb.ts";
import type { Call, CallOptions } from "./call.ts";
import { type Changes, updateFrom } from "./changes.ts";
import { type Details, fieldsOf } from "./details.ts";
import type { Input, Requires } from "./input.ts";
import { createPages, type Pages } from "./pages.ts";
import { type Present, present } from "./present.ts";

const CHANGEABLE = [
  "displayName",
  "prefix",
  "defaultTtl",
  "maxTtl",
  "grantablePermissions",
  "disabled",
  "revocationMode",
] as const;

export type CreateKeyspaceInput = Requires<Input<CreateKeyspaceRequest>, "displayName" | "prefix">;
export type KeyspaceChanges = Changes<Keyspace, (typeof CHANGEABLE)[number]>;

/** The keyspaces of the caller's tenant. */
export interface Keyspaces {
  /** Creates a keyspace. */
  create(request: CreateKeyspaceInput, options?: CallOptions): Promise<Present<CreateKeyspaceResponse, "keyspace">>;
  /** One keyspace. Fails with `KEYSPACE_NOT_FOUND`. */
  get(keyspaceId: string, options?: CallOptions): Promise<Present<GetKeyspaceResponse, "keyspace">>;
  /** The keyspaces that the caller may see, newest first. */
  list(request?: Input<ListKeyspacesRequest>, options?: CallOptions): Pages<Keyspace>;
  /**
   * Changes what `changes` names and nothing else. Fails with `KEYSPACE_NOT_FOUND`, `KEYSPACE_RESERVED`, and, given the
   * `etag` that was read, `ETAG_MISMATCH`.
   */
  update(
    keyspaceId: string,
    changes: KeyspaceChanges,
    options?: Details<UpdateKeyspaceRequest, "keyspaceId" | "keyspace" | "updateMask">,
  ): Promise<Present<UpdateKeyspaceResponse, "keyspace" | "effectiveTime">>;
  /** Deletes a keyspace without live keys. Fails with `KEYSPACE_NOT_EMPTY`, and as `update` does. */
  delete(keyspaceId: string, options?: Details<DeleteKeyspaceRequest, "keyspaceId">): Promise<DeleteKeyspaceResponse>;
}

/** The keyspaces, by way of `call`. */
export function createKeyspaces(call: Call): Keyspaces {
  const { method } = KeyspaceService;
  return {
    async create(request, options) {
      return present(await call(method.createKeyspace, request, options), "keyspace");
    },
    async get(keyspaceId, options) {
      return present(await call(method.getKeyspace, { keyspaceId }, options), "keyspace");
    },
    list(request = {}, options) {
      return createPages(request.pageToken ?? "", async (pageToken) => {
        const page = await call(method.listKeyspaces, { ...request, pageToken }, options);
        return { items: page.keyspaces, nextPageToken: page.nextPageToken };
      });
    },
    async update(keyspaceId, changes, options = {}) {
      const { values, mask } = updateFrom(KeyspaceSchema, CHANGEABLE, changes);
      const request = { ...fieldsOf(options), keyspaceId, keyspace: values, updateMask: mask };
      return present(await call(method.updateKeyspace, request, options), "keyspace", "effectiveTime");
    },
    delete(keyspaceId, options = {}) {
      return call(method.deleteKeyspace, { ...fieldsOf(options), keyspaceId }, options);
    },
  };
}
