import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { newRootKey } from "../root-keys.ts";
import { slotOf } from "./key-slot.ts";
import { createNames } from "./names.ts";

const digest = randomBytes(32).toString("hex");

it("shares no name between deployments", () => {
  const [one, other] = [newRootKey("a"), newRootKey("a")].map((rootKey) => {
    const names = createNames(rootKey);
    const { announcements, positions } = names;
    return [
      names.ofReading("tag"),
      names.ofMember("member"),
      announcements,
      positions,
      names.tagOf("timeline", digest),
    ];
  });
  expect(new Set([...(one ?? []), ...(other ?? [])]).size).toBe(10);
});

it("tells nothing of the digest, and has another name for each timeline", () => {
  const names = createNames(newRootKey("a"));
  const tags = [
    names.tagOf("one", digest),
    names.tagOf("other", digest),
    names.tagOf("one", digest.replace(/^./, "x")),
  ];
  expect(new Set(tags).size).toBe(3);
  for (const tag of tags) expect(tag).toMatch(/^[\w-]{22}$/);
});

it("has all members on one node of a Cluster", () => {
  const names = createNames(newRootKey("a"));
  const slots = Array.from({ length: 20 }, (_, member) => slotOf(names.ofMember(`${member}`)));
  expect(new Set(slots).size).toBe(1);
});
