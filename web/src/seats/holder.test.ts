import { describe, expect, it } from "vitest";
import type { Hold } from "../api/client";
import { Problem } from "../api/problem";
import { Holder, type HoldView } from "./holder";

/** A server whose answers come when the test says so. */
class Server {
  asked: (readonly number[] | "release")[] = [];
  private waiting: { seats: readonly number[]; done: (hold: Hold) => void; fail: (failure: unknown) => void }[] = [];
  private made = 0;

  api = {
    hold: (seats: readonly number[]) => {
      this.asked.push(seats);
      return new Promise<Hold>((done, fail) => this.waiting.push({ seats, done, fail }));
    },
    release: async () => {
      this.asked.push("release");
    },
  };

  async grant(): Promise<void> {
    const next = this.waiting.shift();
    this.made += 1;
    next?.done(holdOf(next.seats, `hold-${this.made}`));
    await settled();
  }

  async refuse(failure: unknown): Promise<void> {
    this.waiting.shift()?.fail(failure);
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function holdOf(seats: readonly number[], id: string): Hold {
  return { hold_id: id, seats: [...seats], expires_at: "2030-01-01T00:00:00Z", members: [] };
}

function set() {
  const server = new Server();
  const failures: [unknown, readonly number[]][] = [];
  const lost: string[] = [];
  let view: HoldView = { hold: null, pending: [] };
  const holder = new Holder(
    server.api,
    (next) => {
      view = next;
    },
    (failure, asked) => failures.push([failure, asked]),
    (hold) => lost.push(hold.hold_id),
  );
  return { server, holder, failures, lost, view: () => view };
}

describe("taps on seats", () => {
  it("are pending at once, and held when the server says so", async () => {
    const { server, holder, view } = set();
    holder.add([4]);
    expect(view()).toEqual({ hold: null, pending: [4] });
    await server.grant();
    expect(view().hold?.seats).toEqual([4]);
    expect(view().pending).toEqual([]);
  });

  it("that come while a command is under way are asked for next, all in one", async () => {
    const { server, holder, view } = set();
    holder.add([1]);
    holder.add([2]);
    holder.add([3]);
    await server.grant();
    await server.grant();
    expect(server.asked).toEqual([[1], [1, 2, 3]]);
    expect(view().hold?.seats).toEqual([1, 2, 3]);
  });

  it("that lose a race leave what was held, and say which seat was lost", async () => {
    const { server, holder, failures, view } = set();
    holder.add([1]);
    await server.grant();
    holder.add([2]);
    const taken = new Problem(409, { code: "seat_taken", seats: [2] });
    await server.refuse(taken);
    expect(failures).toEqual([[taken, [2]]]);
    expect(view()).toMatchObject({ hold: { seats: [1] }, pending: [] });
  });

  it("on a held seat give it up; giving up the last one releases the hold", async () => {
    const { server, holder, view } = set();
    holder.add([1, 2]);
    await server.grant();
    holder.remove(1);
    await server.grant();
    holder.remove(2);
    await settled();
    expect(server.asked).toEqual([[1, 2], [2], "release"]);
    expect(view()).toEqual({ hold: null, pending: [] });
  });

  it("on a block of seats take the place of what was held, or leave it if the block is taken", async () => {
    const { server, holder, view } = set();
    holder.add([1]);
    await server.grant();
    holder.exchange([7, 8]);
    expect(view()).toMatchObject({ hold: { seats: [1] }, pending: [7, 8] });
    await server.refuse(new Problem(409, { code: "seat_taken", seats: [8] }));
    expect(view()).toMatchObject({ hold: { seats: [1] }, pending: [] });
    holder.exchange([9, 10]);
    await server.grant();
    expect(view().hold?.seats).toEqual([9, 10]);
  });

  it("on a seat that is wanted already change nothing", async () => {
    const { server, holder } = set();
    holder.add([1]);
    await server.grant();
    holder.add([1]);
    await settled();
    expect(server.asked).toEqual([[1]]);
  });

  it("are not undone by an older answer that comes meanwhile", async () => {
    const { server, holder, view } = set();
    holder.add([1]);
    holder.adopt(null);
    expect(view().pending).toEqual([1]);
    await server.grant();
    expect(view().hold?.seats).toEqual([1]);
    holder.adopt(null); // it ran out
    expect(view()).toEqual({ hold: null, pending: [] });
  });
});

describe("a hold that goes away", () => {
  it("is told of once when nobody here let go of it", async () => {
    const { server, holder, lost } = set();
    holder.add([1]);
    await server.grant();
    holder.adopt(null);
    holder.adopt(null);
    expect(lost).toEqual(["hold-1"]);
  });

  it("is not lost when it was given back or has become a booking", async () => {
    const { server, holder, lost } = set();
    holder.add([1]);
    await server.grant();
    holder.clear();
    await settled();
    holder.adopt(null);
    holder.add([2]);
    await server.grant();
    holder.booked();
    holder.adopt(null);
    expect(lost).toEqual([]);
  });
});

describe("seats that the server chooses", () => {
  it("take the place of what was held, only when there are some", async () => {
    const { server, holder, failures, view } = set();
    holder.add([4]);
    await server.grant();
    await holder.choose(() => Promise.reject(new Problem(409, { code: "no_block" })));
    expect(view().hold?.seats).toEqual([4]);
    expect(failures.map(([failure]) => (failure as Problem).code)).toEqual(["no_block"]);
    await holder.choose(async () => holdOf([7, 8], "best"));
    expect(view()).toEqual({ hold: holdOf([7, 8], "best"), pending: [] });
    expect(holder.seats).toEqual([7, 8]);
    expect(server.asked).toEqual([[4]]);
  });
});
