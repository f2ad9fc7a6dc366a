import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import { addKeyCreation } from "./key-creation.ts";
import { addKeyImport } from "./key-import.ts";
import { addKeyReading } from "./key-reading.ts";
import { addKeyRevocation } from "./key-revocation.ts";
import { addKeySwitches } from "./key-switches.ts";
import { addKeyUpdate } from "./key-update.ts";
import { addKeyVerification } from "./key-verification.ts";

/** Keys, in the order of their lives. */
export function addKeys(program: Command, terminal: Terminal): void {
  const group = program.command("keys").description("keys, from creation to deletion");
  addKeyCreation(group, terminal);
  addKeyImport(group, terminal);
  addKeyReading(group, terminal);
  addKeyVerification(group, terminal);
  addKeyUpdate(group, terminal);
  addKeySwitches(group, terminal);
  addKeyRevocation(group, terminal);
}
