import { type Key, KeySchema } from "../gen/clavis/v1/key_pb.ts";
import {
  type BatchCreateKeysRequest,
  type BatchRevokeKeysRequest,
  type BatchRevokeKeysResponse,
  type CompleteRotationRequest,
  type CompleteRotationResponse,
  type CreatedKey,
  type CreateKeyRequest,
  type CreateKeyResponse,
  type DeleteKeyRequest,
  type DeleteKeyResponse,
  type DisableKeyRequest,
  type DisableKeyResponse,
  type EnableKeyRequest,
  type EnableKeyResponse,
  type GetKeyResponse,
  type ImportedKey,
  type ImportKeysRequest,
  type ImportKeysResponse,
  KeyService,
  type KeySpec,
  type ListKeysRequest,
  type RevokeKeyRequest,
  type RevokeKeyResponse,
  type RotateKeyRequest,
  type RotateKeyResponse,
  type UpdateKeyRequest,
  type UpdateKeyResponse,
} from "../gen/clavis/v1/key_service_pb.ts";
import type { Call, CallOptions } from "./call.ts";
import { type Changes, updateFrom } from "./changes.ts";
import { type Details, fieldsOf } from "./details.ts";
import type { Input, Requires } from "./input.ts";
import { createPages, type Pages } from "./pages.ts";
import { type Present, present } from "./present.ts";

const CHANGEABLE = [
  "displayName",
  "ownerId",
  "permissions",
  "allowedKeyspaceIds",
  "allowedAddresses",
  "metadata",
  "expireTime",
  "notBeforeTime",
] as const;

/** A new key. `expireTime` or `ttl` says when it ends; without either the keyspace does. */
export type CreateKeyInput = Requires<Input<CreateKeyRequest>, "keyspaceId" | "displayName">;
export type KeySpecInput = Requires<Input<KeySpec>, "displayName">;
export type BatchCreateKeysInput = Omit<Input<BatchCreateKeysRequest>, "keys" | "keyspaceId"> & {
  keyspaceId: string;
  keys: readonly KeySpecInput[];
};
export type ImportedKeyInput = Omit<Input<ImportedKey>, "digest" | "spec"> & { digest: string; spec: KeySpecInput };
export type ImportKeysInput = Omit<Input<ImportKeysRequest>, "keys" | "keyspaceId"> & {
  keyspaceId: string;
  keys: readonly ImportedKeyInput[];
};
/** `filter` says which keys, and must be there: an empty one means all of the keyspace. */
export type BatchRevokeKeysInput = Requires<Input<BatchRevokeKeysRequest>, "keyspaceId" | "filter">;
export type KeyChanges = Changes<Key, (typeof CHANGEABLE)[number]>;

/**
 * The keys of the caller's tenant. Every method that names a key fails with `KEY_NOT_FOUND` where it is not there or not
 * for the caller to see. What takes rights away answers with the `effectiveTime` from which on that holds everywhere; it
 * lies in the future if that could not be reached within `maxWait` (default 2 s).
 */
export interface Keys {
  /**
   * Creates a key. Its `secret` is in this answer and nowhere else. Fails with `KEYSPACE_NOT_FOUND`,
   * `PERMISSION_NOT_GRANTABLE`, `EXPIRY_OUTSIDE_POLICY`, `GRANT_EXCEEDS_CALLER`.
   */
  create(request: CreateKeyInput, options?: CallOptions): Promise<Present<CreateKeyResponse, "key">>;
  /** Creates up to 1,000 keys, all or none; the answer has them in the same order, each with its secret. */
  batchCreate(request: BatchCreateKeysInput, options?: CallOptions): Promise<Present<CreatedKey, "key">[]>;
  /**
   * Makes keys of secrets that were made elsewhere, from their SHA-256 digests, up to 1,000, all or none. Fails with
   * `DIGEST_ALREADY_EXISTS`, the `violations` naming each item that is known already.
   */
  import(request: ImportKeysInput, options?: CallOptions): Promise<ImportKeysResponse>;
  /** One key. */
  get(keyId: string, options?: CallOptions): Promise<Present<GetKeyResponse, "key">>;
  /** The keys that match, newest first unless `orderBy` says otherwise. */
  list(request?: Input<ListKeysRequest>, options?: CallOptions): Pages<Key>;
  /**
   * Changes what `changes` names and nothing else. Fails with `KEY_STATE_CONFLICT` (revoked keys do not change),
   * `PERMISSION_NOT_GRANTABLE`, `EXPIRY_OUTSIDE_POLICY`, and, given the `etag` that was read, `ETAG_MISMATCH`.
   */
  update(
    keyId: string,
    changes: KeyChanges,
    options?: Details<UpdateKeyRequest, "keyId" | "key" | "updateMask">,
  ): Promise<Present<UpdateKeyResponse, "key" | "effectiveTime">>;
  /** Switches a key off until `enable`. Fails with `KEY_STATE_CONFLICT` (revoked), `LAST_MANAGEMENT_KEY`. */
  disable(
    keyId: string,
    options?: Details<DisableKeyRequest, "keyId">,
  ): Promise<Present<DisableKeyResponse, "key" | "effectiveTime">>;
  /** Switches a key on again. Fails with `KEY_STATE_CONFLICT` (revoked). */
  enable(keyId: string, options?: Details<EnableKeyRequest, "keyId">): Promise<Present<EnableKeyResponse, "key">>;
  /**
   * Gives the key a new `secret`, in this answer and nowhere else; the one before goes on working for `overlap`, by
   * default not at all. Fails with `KEY_STATE_CONFLICT` (revoked or expired).
   */
  rotate(
    keyId: string,
    options?: Details<RotateKeyRequest, "keyId">,
  ): Promise<Present<RotateKeyResponse, "key" | "effectiveTime">>;
  /** Ends the overlap of a rotation now. */
  completeRotation(
    keyId: string,
    options?: Details<CompleteRotationRequest, "keyId">,
  ): Promise<Present<CompleteRotationResponse, "key" | "effectiveTime">>;
  /** Ends a key for ever; the record stays. Fails with `LAST_MANAGEMENT_KEY`. */
  revoke(
    keyId: string,
    options?: Details<RevokeKeyRequest, "keyId">,
  ): Promise<Present<RevokeKeyResponse, "key" | "effectiveTime">>;
  /** Revokes the keys that match, at most 1,000 a call; `nextPageToken` goes on. With `dryRun` it only says which. */
  batchRevoke(request: BatchRevokeKeysInput, options?: CallOptions): Promise<BatchRevokeKeysResponse>;
  /** Deletes the record of a revoked or expired key. Fails with `KEY_STATE_CONFLICT`. */
  delete(keyId: string, options?: Details<DeleteKeyRequest, "keyId">): Promise<DeleteKeyResponse>;
}

/** The keys, by way of `call`. */
export function createKeys(call: Call): Keys {
  const { method } = KeyService;
  return {
    async create(request, options) {
      return present(await call(method.createKey, request, options), "key");
    },
    async batchCreate(request, options) {
      const { keys } = await call(method.batchCreateKeys, request, options);
      return keys.map((created) => present(created, "key"));
    },
    import(request, options) {
      return call(method.importKeys, request, options);
    },
    async get(keyId, options) {
      return present(await call(method.getKey, { keyId }, options), "key");
    },
    list(request = {}, options) {
      return createPages(request.pageToken ?? "", async (pageToken) => {
        const page = await call(method.listKeys, { ...request, pageToken }, options);
        return { items: page.keys, nextPageToken: page.nextPageToken };
      });
    },
    async update(keyId, changes, options = {}) {
      const { values, mask } = updateFrom(KeySchema, CHANGEABLE, changes);
      const request = { ...fieldsOf(options), keyId, key: values, updateMask: mask };
      return present(await call(method.updateKey, request, options), "key", "effectiveTime");
    },
    async disable(keyId, options = {}) {
      const request = { ...fieldsOf(options), keyId };
      return present(await call(method.disableKey, request, options), "key", "effectiveTime");
    },
    async enable(keyId, options = {}) {
      return present(await call(method.enableKey, { ...fieldsOf(options), keyId }, options), "key");
    },
    async rotate(keyId, options = {}) {
      const request = { ...fieldsOf(options), keyId };
      return present(await call(method.rotateKey, request, options), "key", "effectiveTime");
    },
    async completeRotation(keyId, options = {}) {
      const request = { ...fieldsOf(options), keyId };
      return present(await call(method.completeRotation, request, options), "key", "effectiveTime");
    },
    async revoke(keyId, options = {}) {
      const request = { ...fieldsOf(options), keyId };
      return present(await call(method.revokeKey, request, options), "key", "effectiveTime");
    },
    batchRevoke(request, options) {
      return call(method.batchRevokeKeys, request, options);
    },
    delete(keyId, options = {}) {
      return call(method.deleteKey, { ...fieldsOf(options), keyId }, options);
    },
  };
}
