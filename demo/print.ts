import { styleText } from "node:util";
import { type Event, timestampDate } from "@clavis/sdk";
import { maskSecret } from "@clavis/sdk/rules";

interface ShownCall {
  readonly method: string;
  readonly path: string;
  readonly presented: string | undefined;
  readonly status: number;
  readonly body: unknown;
}

export function chapter(title: string): void {
  console.log(`\n${styleText("bold", title)}`);
}

export function note(text: string): void {
  console.log(`  ${text}`);
}

/** A request and its answer. Secrets are shown as people see them. */
export function showCall({ method, path, presented, status, body }: ShownCall): void {
  const credential = presented === undefined ? "no key" : `Bearer ${maskSecret(presented)}`;
  console.log(`  > ${method} ${path}   ${styleText("dim", credential)}`);
  console.log(`  < ${styleText(status < 400 ? "green" : "red", String(status))} ${JSON.stringify(body)}`);
}

export function showEvents(events: readonly Event[]): void {
  for (const { sequence, time, type, actor, changedFields, reasonText } of events) {
    const at = time === undefined ? "" : timestampDate(time).toISOString();
    const what = [changedFields?.paths.join(", "), reasonText].filter(Boolean).join("; ");
    console.log(`  ${String(sequence).padStart(2)}  ${at}  ${type.padEnd(24)} by ${actor?.type ?? ""}  ${what}`);
  }
}
