export { ClavisError, type Violation } from "../errors/clavis-error.ts";
export type { ClientReason, Reason, ServiceReason } from "../errors/reason.ts";
export type { StatusCode } from "../errors/status-code.ts";
export { type OutcomeName, outcomeName } from "../guard/refusal.ts";
export type { PermissionQuery } from "../rules/index.ts";
export type { Audit } from "./audit.ts";
export type { CallOptions } from "./call.ts";
export type { Clavis } from "./clavis.ts";
export type { Input } from "./input.ts";
export type {
  BatchCreateKeysInput,
  BatchRevokeKeysInput,
  CreateKeyInput,
  ImportedKeyInput,
  ImportKeysInput,
  KeyChanges,
  KeySpecInput,
  Keys,
} from "./keys.ts";
export type { CreateKeyspaceInput, KeyspaceChanges, Keyspaces } from "./keyspaces.ts";
export * from "./messages.ts";
export type { ClavisOptions } from "./options.ts";
export type { Page, Pages } from "./pages.ts";
export type { Self } from "./self.ts";
export type { Span } from "./span.ts";
export type { CreateManagementKeyInput, CreateTenantInput, TenantChanges, Tenants } from "./tenants.ts";
export type { Token } from "./token.ts";
export type { Verifier, VerifyInput } from "./verify.ts";
