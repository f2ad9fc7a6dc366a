import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";

export function addKeyImport(_group: Command, _terminal: Terminal): void {}
