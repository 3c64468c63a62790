import { type ReactNode, useState } from "react";
import type { Hold } from "../api/client";
import { useFormat, useT } from "../i18n";
import { Button } from "../ui/button";
import { Clock, DeadlineBar } from "../ui/countdown";
import type { Venue } from "./plan";

/** Under this many seconds the offer of more time is made. */
const OFFER_MORE_BELOW = 60;

export interface PanelProps {
  venue: Venue;
  hold: Hold | null;
  /** A friend chose: it is theirs to change and to book. */
  byFriend: boolean;
  pending: readonly number[];
  /** Seconds the hold has left, and how many it began with. */
  left: number | undefined;
  holdSeconds: number;
  limit: number;
  busy: boolean;
  onRemove: (seat: number) => void;
  onClear: () => void;
  onExtend: () => void;
  onBook: () => void;
  /** News about what was asked for: it belongs where the eyes and the sheet are, however far the list is scrolled. */
  children: ReactNode;
}

/** What I hold: seats, prices, time, and the way on. A panel at the side; on a phone a sheet at the bottom. */
export function HoldPanel(props: PanelProps) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const { hold, pending } = props;
  const seats = [...(hold?.seats ?? []), ...pending];
  return (
    <section
      aria-label={t.seatsPage.mine}
      className="fixed inset-x-0 bottom-0 z-20 grid gap-3 border-line border-t bg-panel p-4 pb-[max(1rem,env(safe-area-inset-bottom))] shadow-lift lg:sticky lg:top-24 lg:rounded-card lg:border lg:p-5 lg:shadow-none"
    >
      {props.children}
      {seats.length === 0 ? (
        <Nothing limit={props.limit} />
      ) : (
        <>
          <div className="flex items-center justify-between gap-3">
            <h2 className="text-lg font-bold max-lg:hidden">{t.seatsPage.mine}</h2>
            <button
              type="button"
              aria-expanded={open}
              onClick={() => setOpen(!open)}
              className="flex min-h-11 items-center gap-2 rounded-lg text-left lg:hidden"
            >
              <span aria-hidden="true" className={`text-xs transition-transform ${open ? "rotate-180" : ""}`}>
                ▲
              </span>
              <Sum venue={props.venue} seats={seats} />
            </button>
            {props.left !== undefined && (
              <span className="flex items-center gap-2">
                <span className="text-sm text-ink-2 max-sm:sr-only">{t.seatsPage.holdLeft}</span>
                <Clock
                  seconds={props.left}
                  className={`rounded-lg px-2 text-xl font-extrabold ${props.left <= 30 ? "bg-lamp text-on-lamp" : ""}`}
                />
              </span>
            )}
          </div>
          {props.left !== undefined && <DeadlineBar seconds={props.left} of={props.holdSeconds} />}
          <div className={open ? "" : "max-lg:hidden"}>
            <Lines {...props} seats={seats} />
          </div>
          {!props.byFriend && <Buttons {...props} />}
        </>
      )}
    </section>
  );
}

function Nothing({ limit }: { limit: number }) {
  const t = useT();
  return (
    <div>
      <p className="font-semibold">{t.seatsPage.mineEmpty}</p>
      <p className="mt-0.5 text-sm text-ink-2">{t.seatsPage.mineEmptyHint(limit)}</p>
    </div>
  );
}

function Sum({ venue, seats }: { venue: Venue; seats: readonly number[] }) {
  const t = useT();
  const format = useFormat();
  return (
    <span className="tnum font-bold">
      {t.seats(seats.length)} · {format.won(total(venue, seats))}
    </span>
  );
}

function total(venue: Venue, seats: readonly number[]): number {
  return seats.reduce((sum, seat) => sum + venue.price(seat), 0);
}

function Lines({ venue, seats, pending, byFriend, onRemove, onClear }: PanelProps & { seats: readonly number[] }) {
  const t = useT();
  const format = useFormat();
  return (
    <>
      <ul className="grid max-h-64 gap-1 overflow-y-auto">
        {seats.map((seat) => {
          const info = venue.info(seat);
          if (!info) return null;
          const name = t.seatsPage.seatName(info.area, info.row, info.number);
          return (
            <li key={seat} className="flex items-center gap-3 border-line border-b py-2 last:border-b-0">
              <span
                aria-hidden="true"
                className="size-3.5 shrink-0 rounded-[5px_5px_2px_2px] border border-ink/25"
                style={{ background: info.color }}
              />
              <span className="min-w-0 flex-1">
                <span className="block text-sm font-semibold">{name}</span>
                <span className="tnum block text-sm text-ink-2">
                  {pending.includes(seat) ? t.seatsPage.state.pending : format.won(info.price)}
                </span>
              </span>
              {!byFriend && (
                <button
                  type="button"
                  aria-label={t.seatsPage.remove(name)}
                  onClick={() => onRemove(seat)}
                  className="grid size-9 shrink-0 place-items-center rounded-full text-lg hover:bg-well"
                >
                  <span aria-hidden="true">×</span>
                </button>
              )}
            </li>
          );
        })}
      </ul>
      <p className="mt-2 flex items-baseline justify-between gap-3 border-ink border-t-2 pt-3 max-lg:hidden">
        <span className="text-sm text-ink-2">{t.seatsPage.total}</span>
        <span className="tnum text-xl font-extrabold">{format.won(total(venue, seats))}</span>
      </p>
      {!byFriend && (
        <Button tone="quiet" size="small" className="px-0! lg:hidden" onClick={onClear}>
          {t.seatsPage.releaseAll}
        </Button>
      )}
    </>
  );
}

function Buttons({ hold, pending, left, busy, onClear, onExtend, onBook }: PanelProps) {
  const t = useT();
  const offer = hold !== null && !hold.extended && left !== undefined && left > 0 && left <= OFFER_MORE_BELOW;
  return (
    <div className="grid gap-2">
      {offer && (
        <Button wide onClick={onExtend}>
          {t.seatsPage.extend}
        </Button>
      )}
      <Button tone="lamp" size="large" wide disabled={!hold || pending.length > 0} busy={busy} onClick={onBook}>
        {t.seatsPage.book}
      </Button>
      <Button tone="quiet" size="small" className="max-lg:hidden" onClick={onClear}>
        {t.seatsPage.releaseAll}
      </Button>
    </div>
  );
}
