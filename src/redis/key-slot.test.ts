import { expect, it } from "vitest";
import { slotOf } from "./key-slot.ts";

// From the specification of Redis Cluster, and of a server's CLUSTER KEYSLOT.
it.each([
  ["123456789", 12739],
  ["foo", 12182],
  ["", 0],
  ["{user1000}.following", 3443],
  ["foo{}{bar}", 8363],
  ["foo{{bar}}zap", 4015],
  ["foo{bar}{zap}", 5061],
  ["foo{bar", 15278],
])("puts %j into slot %i", (name, slot) => {
  expect(slotOf(name)).toBe(slot);
});
