/** What may be done to a key. */
export type KeyAction = "create" | "import" | "read" | "update" | "rotate" | "revoke" | "delete";

/** What may be done to a keyspace. */
export type KeyspaceAction = "create" | "read" | "update" | "delete";

/** Clavis's own permissions: what management keys hold. `docs/security.md` explains each. */
export type ManagementPermission =
  | `clavis.keyspaces.${KeyspaceAction}`
  | `clavis.keys.${KeyAction}`
  | `clavis.management_keys.${Exclude<KeyAction, "import">}`
  | "clavis.verify"
  | "clavis.audit.read";

/** A table, so that a permission without an explanation, or an explanation without one, does not compile. */
export const managementPermissions: Readonly<Record<ManagementPermission, string>> = {
  "clavis.keyspaces.create": "create keyspaces",
  "clavis.keyspaces.read": "get and list keyspaces",
  "clavis.keyspaces.update": "change keyspaces",
  "clavis.keyspaces.delete": "delete keyspaces",
  "clavis.keys.create": "create keys, one or many",
  "clavis.keys.import": "import digests",
  "clavis.keys.read": "get and list keys",
  "clavis.keys.update": "change, disable and enable keys",
  "clavis.keys.rotate": "rotate keys and complete rotations",
  "clavis.keys.revoke": "revoke keys, one or many",
  "clavis.keys.delete": "delete keys that are over",
  "clavis.management_keys.create": "create management keys within one's own rights",
  "clavis.management_keys.read": "get and list management keys within one's own keyspaces",
  "clavis.management_keys.update": "change, disable and enable such keys",
  "clavis.management_keys.rotate": "rotate management keys that hold no more than oneself",
  "clavis.management_keys.revoke": "revoke such keys",
  "clavis.management_keys.delete": "delete such keys that are over",
  "clavis.verify": "verify secrets",
  "clavis.audit.read": "list audit events",
};

/** Everything that there is to do in a tenant. */
export const ALL_PERMISSIONS = "clavis.*";
