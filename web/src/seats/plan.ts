// A seating plan, as the API gives it, and the tree that the list shows: area → block → row → seat.

import type { Plan as WholePlan } from "../api/client";

/** A seat, but for where it is drawn: the list needs no geometry. */
export type PlanSeat = Omit<WholePlan["seats"][number], "position">;

/** What the list uses of a plan. Seats are grouped by row, in the row's order; a seat's place is its number in the API. */
export interface Plan extends Pick<WholePlan, "name" | "categories" | "rows"> {
  areas: { name: string }[];
  seats: PlanSeat[];
}

export interface RowNode {
  index: number;
  area: number;
  name: string;
  /** Seats by their place in the plan, in the row's order. */
  seats: number[];
}

/** Rows that belong together: in some venues every block of an area starts again with row A. */
export interface BlockNode {
  rows: RowNode[];
}

export interface AreaNode {
  index: number;
  name: string;
  blocks: BlockNode[];
  seats: number;
}

export interface SeatInfo {
  index: number;
  area: string;
  row: string;
  number: string;
  category: string;
  color: string;
  price: number;
  kind: "standard" | "wheelchair" | "companion";
}

/** A plan with its prices, ready to be listed and looked up. */
export class Venue {
  readonly areas: AreaNode[];
  readonly rows: RowNode[];
  readonly seatCount: number;
  private readonly priceOf: number[];

  constructor(
    readonly plan: Plan,
    prices: readonly { category: string; price: number }[],
  ) {
    this.seatCount = plan.seats.length;
    const byName = new Map(prices.map(({ category, price }) => [category, price]));
    this.priceOf = plan.categories.map(({ name }) => byName.get(name) ?? 0);
    this.rows = plan.rows.map(({ area, name }, index) => ({ index, area, name, seats: [] }));
    plan.seats.forEach((seat, index) => {
      this.rows[seat.row]?.seats.push(index);
    });
    this.areas = plan.areas.map(({ name }, index) => ({ index, name, blocks: [], seats: 0 }));
    for (const row of this.rows) this.place(row);
  }

  private place(row: RowNode): void {
    const area = this.areas[row.area];
    if (!area || row.seats.length === 0) return;
    area.seats += row.seats.length;
    const block = area.blocks.at(-1);
    if (block && !block.rows.some(({ name }) => name === row.name)) block.rows.push(row);
    else area.blocks.push({ rows: [row] });
  }

  price(seat: number): number {
    return this.priceOf[this.plan.seats[seat]?.category ?? -1] ?? 0;
  }

  /** The seat's category, by its place in the plan. */
  category(seat: number): number {
    return this.plan.seats[seat]?.category ?? 0;
  }

  categoryPrice(category: number): number {
    return this.priceOf[category] ?? 0;
  }

  /** The row that a seat is in, by its place in the plan. */
  rowOf(seat: number): number {
    return this.plan.seats[seat]?.row ?? 0;
  }

  info(seat: number): SeatInfo | undefined {
    const found = this.plan.seats[seat];
    const row = found && this.plan.rows[found.row];
    if (!found || !row) return undefined;
    const category = this.plan.categories[found.category];
    return {
      index: seat,
      area: this.plan.areas[row.area]?.name ?? "",
      row: row.name,
      number: found.number,
      category: category?.name ?? "",
      color: category?.color ?? "#888888",
      price: this.price(seat),
      kind: found.kind ?? "standard",
    };
  }

  /** Seats by their rows, for their names; in the order in which they are given. */
  byRow(seats: readonly number[]): { index: number; area: string; row: string; numbers: string[] }[] {
    const rows = new Map<number, { index: number; area: string; row: string; numbers: string[] }>();
    for (const seat of seats) {
      const info = this.info(seat);
      if (!info) continue;
      const index = this.rowOf(seat);
      const numbers = [...(rows.get(index)?.numbers ?? []), info.number];
      rows.set(index, { index, area: info.area, row: info.row, numbers });
    }
    return [...rows.values()];
  }

  /** A row's seats in runs: between two runs there is an aisle. */
  runs(row: RowNode): number[][] {
    const runs: number[][] = [];
    for (const seat of row.seats) {
      const run = runs.at(-1);
      if (run && this.connected([run.at(-1) ?? -1, seat])) run.push(seat);
      else runs.push([seat]);
    }
    return runs;
  }

  /**
   * Free seats side by side in a row: of all runs long enough, the one nearest to the row's middle, where people want to
   * sit. Nothing if the row has none.
   */
  adjacent(row: RowNode, count: number, isFree: (seat: number) => boolean): number[] | undefined {
    const middle = (row.seats.length - 1) / 2;
    let best: { seats: number[]; distance: number } | undefined;
    for (let start = 0; start + count <= row.seats.length; start += 1) {
      const seats = row.seats.slice(start, start + count);
      if (!seats.every(isFree) || !this.connected(seats)) continue;
      const distance = Math.abs(start + (count - 1) / 2 - middle);
      if (!best || distance < best.distance) best = { seats, distance };
    }
    return best?.seats;
  }

  private connected(seats: readonly number[]): boolean {
    return seats.slice(1).every((seat, at) => {
      const before = this.plan.seats[seats[at] ?? -1];
      return before?.right === seat || this.plan.seats[seat]?.right === seats[at];
    });
  }
}
