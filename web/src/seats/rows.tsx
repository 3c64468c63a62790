import { memo, useId, useMemo, useState } from "react";
import { useFormat, useT } from "../i18n";
import { Button } from "../ui/button";
import type { AreaNode, RowNode } from "./plan";
import type { SeatStore } from "./store";
import { moveAmongSeats, Tile } from "./tile";
import { useRowVersion, useStoreVersion } from "./use-seats";

/** So many seats of an area are shown at first, row by row; the rows after them begin closed, so that a stand of
    thousands opens at once. */
const OPEN_UP_TO_SEATS = 480;

export interface Picking {
  store: SeatStore;
  /** Whether seats may be chosen now, or only looked at. */
  usable: boolean;
  /** How many want to sit side by side. */
  together: number;
  fits: (seat: number) => boolean;
  /** Chooses a seat, or gives it up. */
  pick: (seat: number) => void;
  /** Takes seats side by side, instead of what was chosen before. */
  take: (seats: readonly number[]) => void;
}

/** The rows of one area, each with its seats. */
export function Rows({ area, picking }: { area: AreaNode; picking: Picking }) {
  const t = useT();
  const open = useMemo(() => firstRows(area), [area]);
  useStoreVersion(picking.store);
  const nothing = picking.store.position !== undefined && picking.store.freeInArea(area.index, picking.fits) === 0;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the seats inside are the controls; their arrow keys bubble up here
    <div className="grid gap-6" onKeyDown={moveAmongSeats}>
      {nothing && <p className="text-ink-2">{t.seatsPage.noneHere}</p>}
      {area.blocks.map((block, at) => (
        <section key={block.rows[0]?.index} aria-label={t.seatsPage.block(at + 1)}>
          {area.blocks.length > 1 && <h3 className="mb-2 text-sm font-bold text-ink-2">{t.seatsPage.block(at + 1)}</h3>}
          <div className="grid gap-2">
            {block.rows.map((row) => (
              <Row key={row.index} row={row} open={open.has(row.index)} picking={picking} />
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}

/** The rows that are open at first. */
function firstRows(area: AreaNode): Set<number> {
  const open = new Set<number>();
  let seats = 0;
  for (const row of area.blocks.flatMap(({ rows }) => rows)) {
    seats += row.seats.length;
    if (seats > OPEN_UP_TO_SEATS) break;
    open.add(row.index);
  }
  return open;
}

const Row = memo(function Row({ row, open: openAtFirst, picking }: { row: RowNode; open: boolean; picking: Picking }) {
  const t = useT();
  const { store, fits } = picking;
  useRowVersion(store, row.index);
  const free = row.seats.filter((seat) => store.state(seat) === "free" && fits(seat)).length;
  const [open, setOpen] = useState(openAtFirst && free > 0);
  const seats = useId();
  return (
    <section
      data-row={row.index}
      aria-label={t.seatsPage.row(row.name)}
      className="rounded-2xl border border-line bg-panel px-3 py-2.5 [contain-intrinsic-size:auto_6.5rem] [content-visibility:auto] sm:px-3.5"
    >
      <div className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1">
        <button
          type="button"
          aria-expanded={open}
          aria-controls={seats}
          onClick={() => setOpen(!open)}
          className="flex flex-1 flex-wrap items-baseline gap-x-3 rounded-lg py-1.5 text-left"
        >
          <span className="flex items-baseline gap-2 text-base font-extrabold">
            <span aria-hidden="true" className={`text-xs text-ink-2 transition-transform ${open ? "rotate-90" : ""}`}>
              ▶
            </span>
            {t.seatsPage.row(row.name)}
          </span>
          <RowPrices row={row} store={store} />
          <span className={`tnum ml-auto text-sm ${free > 0 ? "font-semibold" : "text-ink-2"}`}>
            {free > 0 ? t.seatsPage.free(free) : t.seatsPage.none}
          </span>
        </button>
        {picking.together > 1 && picking.usable && <SideBySide row={row} picking={picking} />}
      </div>
      <div id={seats} hidden={!open}>
        {open && <Seats row={row} picking={picking} />}
      </div>
    </section>
  );
});

function RowPrices({ row, store }: { row: RowNode; store: SeatStore }) {
  const format = useFormat();
  const categories = [...new Set(row.seats.map((seat) => store.venue.category(seat)))];
  return (
    <span className="flex flex-wrap gap-x-3 text-sm text-ink-2">
      {categories.map((category) => (
        <span key={category} className="tnum whitespace-nowrap">
          {format.won(store.venue.categoryPrice(category))}
        </span>
      ))}
    </span>
  );
}

function SideBySide({ row, picking }: { row: RowNode; picking: Picking }) {
  const t = useT();
  const { store, together, fits } = picking;
  const seats = store.venue.adjacent(row, together, (seat) => store.isFree(seat) && fits(seat));
  if (!seats) return null;
  return (
    <Button size="small" aria-label={t.seatsPage.adjacentLabel(row.name, together)} onClick={() => picking.take(seats)}>
      {t.seatsPage.adjacent(together)}
    </Button>
  );
}

function Seats({ row, picking }: { row: RowNode; picking: Picking }) {
  const t = useT();
  const { store, usable, fits, pick } = picking;
  useRowVersion(store, row.index);
  const [stop, setStop] = useState(() => row.seats.find((seat) => store.isFree(seat)) ?? row.seats[0]);
  const tile = (seat: number) => {
    const info = store.venue.info(seat);
    return (
      info && (
        <Tile
          key={seat}
          info={info}
          state={store.state(seat)}
          faded={!fits(seat)}
          tabStop={seat === stop}
          usable={usable}
          onPick={() => pick(seat)}
          onFocus={() => setStop(seat)}
        />
      )
    );
  };
  return (
    <fieldset className="flex flex-wrap gap-x-4 gap-y-[3px] pt-1.5 pb-1">
      <legend className="sr-only">{t.seatsPage.row(row.name)}</legend>
      {store.venue.runs(row).map((run) => (
        <div key={run[0]} className="flex flex-wrap gap-x-0.5 gap-y-[3px]">
          {run.map(tile)}
        </div>
      ))}
    </fieldset>
  );
}
