import type { Plan, PlanSeat } from "./plan";

/** A small hall for tests: two areas; the first has two blocks whose rows repeat their names, and an aisle. */
export function smallPlan(): Plan {
  const plan: Plan = {
    name: "hall",
    categories: [
      { name: "VIP", color: "#aa0000" },
      { name: "R", color: "#00aa00" },
    ],
    areas: [{ name: "Floor" }, { name: "Balcony" }],
    rows: [],
    seats: [],
  };
  row(plan, 0, "A", 6, 0, 2);
  row(plan, 0, "B", 6, 0);
  row(plan, 0, "A", 3, 1);
  row(plan, 1, "1", 4, 1);
  return plan;
}

/** Adds a row; an aisle comes after `aisleAfter` seats. */
function row(plan: Plan, area: number, name: string, count: number, category: number, aisleAfter?: number): void {
  const rowIndex = plan.rows.push({ area, name }) - 1;
  const first = plan.seats.length;
  for (let at = 0; at < count; at += 1) {
    const seat: PlanSeat = { id: `${rowIndex}-${at}`, number: String(at + 1), row: rowIndex, category };
    if (at > 0 && at !== aisleAfter) seat.left = first + at - 1;
    if (at < count - 1 && at + 1 !== aisleAfter) seat.right = first + at + 1;
    plan.seats.push(seat);
  }
}

export const smallPrices = [
  { category: "VIP", price: 150_000 },
  { category: "R", price: 90_000 },
];
