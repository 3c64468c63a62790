import type { KeyboardEvent } from "react";
import { useFormat, useT } from "../i18n";
import type { SeatInfo } from "./plan";
import type { SeatState } from "./store";

/** One seat as a button. It stays in its place whatever happens to the seat, so that nobody loses the focus. */
export function Tile({
  info,
  state,
  faded,
  tabStop,
  usable,
  onPick,
  onFocus,
}: {
  info: SeatInfo;
  state: SeatState;
  /** It doesn't fit the filter. */
  faded: boolean;
  /** The one seat of its row that Tab reaches. */
  tabStop: boolean;
  usable: boolean;
  onPick: () => void;
  onFocus: () => void;
}) {
  const t = useT();
  const format = useFormat();
  const can = usable && (state === "free" || state === "mine");
  const kind = info.kind === "standard" ? "" : `, ${t.seatsPage.kind[info.kind]}`;
  return (
    <button
      type="button"
      className="tile"
      data-seat={info.index}
      data-state={state}
      data-faded={faded && state !== "mine"}
      style={{ "--category": info.color } as React.CSSProperties}
      tabIndex={tabStop ? 0 : -1}
      aria-pressed={state === "mine"}
      aria-disabled={!can}
      onClick={() => can && onPick()}
      onFocus={onFocus}
    >
      <b aria-hidden="true">{info.number}</b>
      <i aria-hidden="true" className="tnum">
        {state === "free" ? format.wonShort(info.price) : t.seatsPage.short[state]}
      </i>
      <span className="sr-only">
        {t.seatsPage.seatLabel(info.number, format.won(info.price), t.seatsPage.state[state]) + kind}
      </span>
    </button>
  );
}

/** Moves the focus among the seats with the arrow keys, Home and End; up and down go to the neighbouring rows. */
export function moveAmongSeats(event: KeyboardEvent<HTMLElement>): void {
  const from = event.target as HTMLElement;
  if (from.dataset.seat === undefined) return;
  const row = from.closest("[data-row]");
  const inRow = seatsOf(row);
  const at = inRow.indexOf(from);
  const target = targetOf(event.key, row, inRow, at);
  if (!target) return;
  event.preventDefault();
  target.focus();
}

function targetOf(key: string, row: Element | null, inRow: HTMLElement[], at: number): HTMLElement | undefined {
  switch (key) {
    case "ArrowRight":
      return inRow[at + 1];
    case "ArrowLeft":
      return inRow[at - 1];
    case "Home":
      return inRow[0];
    case "End":
      return inRow.at(-1);
    case "ArrowDown":
      return nearestIn(neighbour(row, 1), at);
    case "ArrowUp":
      return nearestIn(neighbour(row, -1), at);
    default:
      return undefined;
  }
}

function seatsOf(row: Element | null | undefined): HTMLElement[] {
  return row ? [...row.querySelectorAll<HTMLElement>("[data-seat]")] : [];
}

/** The next row, in that direction, that shows its seats. */
function neighbour(row: Element | null, step: 1 | -1): Element | undefined {
  const rows = [...document.querySelectorAll("[data-row]")].filter((one) => seatsOf(one).length > 0);
  return row ? rows[rows.indexOf(row) + step] : undefined;
}

function nearestIn(row: Element | undefined, at: number): HTMLElement | undefined {
  const seats = seatsOf(row);
  return seats[Math.min(at, seats.length - 1)];
}
