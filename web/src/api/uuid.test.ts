import { expect, it } from "vitest";
import { uuidv7 } from "./uuid";

it("ids are UUIDv7, distinct, and ordered by the time they were made", () => {
  const ids = Array.from({ length: 5000 }, () => uuidv7());
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
});

it("ids carry their time", () => {
  const far = 4_000_000_000_000; // later than any other test's clock
  expect(Number.parseInt(uuidv7(far).replaceAll("-", "").slice(0, 12), 16)).toBe(far);
});
