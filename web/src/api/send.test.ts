import { afterEach, describe, expect, it } from "vitest";
import { forgetPositions, minPosition } from "./position";
import { Problem, Unreachable } from "./problem";
import { type Answer, read, send, waitMs, worthRetrying } from "./send";

const json = { "content-type": "application/problem+json" };
const ok = <T>(data: T): Answer<T> => ({ data, response: new Response(null, { status: 200 }) });
const bad = (status: number, code: string, headers: Record<string, string> = {}): Answer<never> => ({
  error: { code },
  response: new Response(null, { status, headers: { ...json, ...headers } }),
});

/** Answers one after another, noting the keys and the waits. */
function script(...answers: (Answer<unknown> | Error)[]) {
  const keys: string[] = [];
  const waits: number[] = [];
  const attempt = async (key: string) => {
    keys.push(key);
    const next = answers.shift();
    if (next === undefined || next instanceof Error) throw next ?? new Error("no answer left");
    return next;
  };
  const how = { tries: 4, random: () => 0.5, pause: async (ms: number) => void waits.push(ms) };
  return { keys, waits, run: () => send("key-1", attempt, how) };
}

afterEach(forgetPositions);

describe("a command", () => {
  it("is sent again with the same key until it is answered", async () => {
    const one = script(new TypeError("network"), bad(503, "busy"), ok({ hold_id: "h", position: 12 }));
    expect(await one.run()).toEqual({ hold_id: "h", position: 12 });
    expect(one.keys).toEqual(["key-1", "key-1", "key-1"]);
    expect(one.waits).toEqual([300, 600]);
  });

  it("waits as long as the server asks", async () => {
    const one = script(bad(503, "busy", { "retry-after": "2" }), ok({}));
    await one.run();
    expect(one.waits).toEqual([2000]);
  });

  it("is not repeated when it was refused", async () => {
    const one = script(bad(409, "seat_taken"), ok({}));
    await expect(one.run()).rejects.toMatchObject({ code: "seat_taken", status: 409 });
    expect(one.keys).toHaveLength(1);
  });

  it("gives up after its tries, and says that nothing got through", async () => {
    const one = script(...Array.from({ length: 4 }, () => new TypeError("network")));
    await expect(one.run()).rejects.toBeInstanceOf(Unreachable);
    expect(one.keys).toHaveLength(4);
  });

  it("makes later queries rest on its position", async () => {
    await script(ok({ position: 12 })).run();
    await script(ok({ position: 7 })).run();
    expect(minPosition()).toEqual({ min_position: 12 });
  });
});

describe("a query", () => {
  it("throws the server's problem, with what helps onward", async () => {
    const error = {
      code: "seat_taken",
      detail: "d",
      seats: [4],
      alternatives: [5, "x", 6],
      retry_at: "2030-01-01T00:00:00Z",
    };
    const asked = read(Promise.resolve({ error, response: new Response(null, { status: 409 }) }));
    await expect(asked).rejects.toMatchObject({ seats: [4], alternatives: [5, 6], retryAt: "2030-01-01T00:00:00Z" });
  });

  it("makes a problem of an answer that isn't ours", async () => {
    const asked = read(Promise.resolve({ error: "<html>", response: new Response("<html>", { status: 502 }) }));
    await expect(asked).rejects.toMatchObject({ code: "internal", status: 502 });
  });

  it("passes an abort on as it is", async () => {
    const abort = new DOMException("gone", "AbortError");
    await expect(read(Promise.reject(abort))).rejects.toBe(abort);
  });
});

describe("trying again", () => {
  it("is for what passes by itself", () => {
    expect(worthRetrying(new Unreachable("x"))).toBe(true);
    expect(worthRetrying(new Problem(503, { code: "projection_behind" }))).toBe(true);
    for (const status of [400, 401, 404, 409, 422, 429, 500])
      expect(worthRetrying(new Problem(status, {}))).toBe(false);
  });

  it("has jitter and a bound", () => {
    expect(waitMs(new Unreachable("x"), 1, 0)).toBe(225);
    expect(waitMs(new Unreachable("x"), 1, 1)).toBe(375);
    expect(waitMs(new Unreachable("x"), 30, 1)).toBe(5000);
  });
});
