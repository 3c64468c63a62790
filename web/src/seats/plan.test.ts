import { describe, expect, it } from "vitest";
import { smallPlan, smallPrices } from "./fixture";
import { Venue } from "./plan";

const venue = new Venue(smallPlan(), smallPrices);
const [rowA, rowB] = venue.rows;
if (!rowA || !rowB) throw new Error("the small hall has rows");

describe("a venue as a list", () => {
  it("goes from areas to blocks to rows to seats", () => {
    expect(venue.areas.map(({ name, seats }) => [name, seats])).toEqual([
      ["Floor", 15],
      ["Balcony", 4],
    ]);
    const names = venue.areas[0]?.blocks.map(({ rows }) => rows.map(({ name }) => name));
    expect(names).toEqual([["A", "B"], ["A"]]); // a row's name that comes again begins another block
    expect(rowB.seats).toEqual([6, 7, 8, 9, 10, 11]);
  });

  it("knows each seat's words and price", () => {
    expect(venue.info(7)).toEqual({
      index: 7,
      area: "Floor",
      row: "B",
      number: "2",
      category: "VIP",
      color: "#aa0000",
      price: 150_000,
      kind: "standard",
    });
    expect(venue.info(99)).toBeUndefined();
    expect(venue.price(18)).toBe(90_000);
  });

  it("sees the aisle", () => {
    expect(venue.runs(rowA)).toEqual([
      [0, 1],
      [2, 3, 4, 5],
    ]);
    expect(venue.runs(rowB)).toEqual([[6, 7, 8, 9, 10, 11]]);
  });
});

describe("seats side by side", () => {
  const free = (...taken: number[]) => {
    const set = new Set(taken);
    return (seat: number) => !set.has(seat);
  };

  it("are the run nearest to the middle", () => {
    expect(venue.adjacent(rowB, 2, free())).toEqual([8, 9]);
    expect(venue.adjacent(rowB, 2, free(8))).toEqual([9, 10]);
  });

  it("are never parted by an aisle or a taken seat", () => {
    expect(venue.adjacent(rowA, 3, free())).toEqual([2, 3, 4]);
    expect(venue.adjacent(rowA, 5, free())).toBeUndefined();
    expect(venue.adjacent(rowB, 3, free(8, 9))).toBeUndefined();
  });

  it("names seats by their rows, also where a block is in two of them", () => {
    expect(venue.byRow([1, 2, 7, 99])).toEqual([
      { index: 0, area: "Floor", row: "A", numbers: ["2", "3"] },
      { index: 1, area: "Floor", row: "B", numbers: ["2"] },
    ]);
  });
});
