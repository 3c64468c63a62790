import { beforeEach, describe, expect, it } from "vitest";
import { smallPlan, smallPrices } from "./fixture";
import { Venue } from "./plan";
import { SeatStore } from "./store";

let store: SeatStore;
let told: number;

beforeEach(() => {
  store = new SeatStore(new Venue(smallPlan(), smallPrices));
  told = 0;
  store.subscribe(() => {
    told += 1;
  });
});

const digits = (taken: Record<number, number>) => Array.from({ length: 19 }, (_, seat) => taken[seat] ?? 0).join("");

describe("the states of seats", () => {
  it("come with the snapshot, and follow the changes", () => {
    expect(store.position).toBeUndefined();
    expect(store.snapshot(digits({ 1: 1, 2: 2, 3: 3 }), 40)).toBe(true);
    expect([0, 1, 2, 3].map((seat) => store.state(seat))).toEqual(["free", "held", "paying", "sold"]);
    store.apply(
      [
        [1, 0],
        [0, 1],
      ],
      41,
    );
    expect([0, 1].map((seat) => store.state(seat))).toEqual(["held", "free"]);
    expect(store.position).toBe(41);
  });

  it("are counted: what is free, and what is sold", () => {
    store.snapshot(digits({ 1: 1, 2: 2, 3: 3, 4: 3 }), 40);
    expect(store.counts()).toEqual({ free: 15, sold: 2 });
    store.apply([[3, 0]], 41); // cancelled
    expect(store.counts()).toEqual({ free: 16, sold: 1 });
  });

  it("are never guessed from another plan's text, or from nonsense", () => {
    expect(store.snapshot("000", 40)).toBe(false);
    expect(store.position).toBeUndefined();
    store.apply(
      [
        [99, 1],
        [0, 7],
        [0, -1],
      ],
      41,
    );
    expect(store.state(0)).toBe("free");
    expect(store.freeInArea(0)).toBe(15);
  });

  it("show what is mine as mine, whatever the server calls it", () => {
    store.snapshot(digits({ 4: 1, 5: 3 }), 1);
    store.own([4], [6]);
    expect([4, 5, 6].map((seat) => store.state(seat))).toEqual(["mine", "sold", "pending"]);
    store.own([], []);
    expect([4, 6].map((seat) => store.state(seat))).toEqual(["held", "free"]);
  });
});

describe("what is left", () => {
  it("is counted by row, area and category as the changes come", () => {
    store.snapshot(digits({ 0: 1, 12: 3, 18: 3 }), 1);
    expect([store.freeInArea(0), store.freeInArea(1)]).toEqual([13, 3]);
    expect(store.freeByCategory()).toEqual([11, 5]);
    store.apply(
      [
        [0, 0],
        [0, 0],
        [18, 3],
        [15, 2],
      ],
      2,
    );
    expect([store.freeInRow(0), store.freeInRow(3)]).toEqual([6, 2]);
    expect(store.freeInArea(0, (seat) => store.venue.category(seat) === 1)).toBe(2);
  });
});

describe("who must look again", () => {
  it("is only the row that changed", () => {
    store.snapshot(digits({}), 1);
    const before = [0, 1, 2, 3].map((row) => store.rowVersion(row));
    told = 0;
    store.apply([[7, 1]], 2);
    expect(told).toBe(1);
    expect([0, 1, 2, 3].map((row, at) => store.rowVersion(row) - (before[at] ?? 0))).toEqual([0, 1, 0, 0]);
  });

  it("is nobody's row when nothing differs", () => {
    store.snapshot(digits({ 3: 1 }), 1);
    const before = store.rowVersion(0);
    store.snapshot(digits({ 3: 1 }), 5);
    store.own([], []);
    expect(store.rowVersion(0)).toBe(before);
  });
});
