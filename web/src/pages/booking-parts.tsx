import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Booking, BookingLine, Ticket } from "../api/client";
import { commands } from "../api/commands";
import { useFormat, useT } from "../i18n";
import { toast } from "../ui/announce";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { FailureNotice } from "../ui/states";
import { useAction } from "../ui/use-action";

/** Seats, prices and whose tickets they are. */
export function Lines({ lines }: { lines: readonly BookingLine[] }) {
  const t = useT();
  const format = useFormat();
  return (
    <ul className="divide-y divide-line">
      {lines.map(({ seat, area, row, number, price, mine }) => (
        <li key={seat} className="flex items-baseline justify-between gap-4 py-3">
          <span>
            <span className="block font-semibold">{t.seatsPage.seatName(area, row, number)}</span>
            <span className="block text-sm text-ink-2">{mine ? t.pay.holderMe : t.pay.holderFriend}</span>
          </span>
          <span className="tnum font-bold whitespace-nowrap">{format.won(price)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Cancels a booking, after saying what that does. */
export function CancelBooking({ booking }: { booking: Booking }) {
  const t = useT();
  const format = useFormat();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const action = useAction();
  const seats = format.list(booking.lines.map(({ area, row, number }) => t.seatsPage.seatName(area, row, number)));
  const cancel = () =>
    action.run(async () => {
      await commands.cancel(booking.performance_id, booking.booking_id);
      setAsking(false);
      toast(t.booking.cancelled);
      await client.invalidateQueries({ queryKey: ["mine"] });
    });
  return (
    <>
      <Button tone="bad" onClick={() => setAsking(true)}>
        {t.booking.cancel}
      </Button>
      <Dialog open={asking} title={t.booking.cancelTitle} onClose={() => setAsking(false)}>
        <ul className="mt-4 grid list-disc gap-2 pl-5">
          <li>{t.booking.cancelSeats(seats)}</li>
          {booking.lines.some(({ mine }) => !mine) && <li>{t.booking.cancelFriends}</li>}
          <li className="font-bold">
            {booking.paid > 0 ? t.booking.cancelRefund(format.won(booking.paid)) : t.booking.cancelFree}
          </li>
        </ul>
        {action.failure !== undefined && (
          <div className="mt-4">
            <FailureNotice failure={action.failure} />
          </div>
        )}
        <div className="mt-6 grid gap-2 sm:grid-cols-2">
          <Button tone="ink" onClick={() => setAsking(false)}>
            {t.booking.cancelNo}
          </Button>
          <Button tone="bad" busy={action.busy} onClick={() => void cancel()}>
            {t.booking.cancelYes}
          </Button>
        </div>
      </Dialog>
    </>
  );
}

/** A ticket that looks like one: what, when, where, and a stub with the seat. */
export function TicketCard({
  ticket,
}: {
  ticket: Pick<Ticket, "title" | "starts_at" | "area" | "row" | "number" | "price"> & { note?: string };
}) {
  const t = useT();
  const format = useFormat();
  return (
    <article className="ticket flex overflow-hidden rounded-card bg-panel [--at:calc(100%-7.5rem)] sm:[--at:calc(100%-10rem)]">
      <div className="min-w-0 flex-1 p-5 sm:p-6">
        <p className="text-xs font-bold tracking-wide text-lamp-ink">{t.me.admit}</p>
        <h3 className="mt-1 text-lg font-extrabold sm:text-xl">{format.text(ticket.title)}</h3>
        <p className="mt-1 text-sm text-ink-2">
          {format.day(ticket.starts_at)}
          <br />
          <span className="tnum">{format.time(ticket.starts_at)}</span>
        </p>
        {ticket.note && <p className="mt-3 text-sm font-semibold">{ticket.note}</p>}
      </div>
      <dl className="ticket-stub grid w-[7.5rem] shrink-0 grid-cols-2 content-center gap-x-3 gap-y-1.5 bg-lamp px-4 py-4 text-on-lamp sm:w-40 sm:px-5">
        <div className="col-span-2">
          <dt className="text-xs">{t.seatsPage.step.area}</dt>
          <dd className="leading-tight font-bold">{ticket.area}</dd>
        </div>
        <div>
          <dt className="text-xs">{t.seatsPage.step.row}</dt>
          <dd className="tnum text-2xl leading-tight font-extrabold">{ticket.row}</dd>
        </div>
        <div>
          <dt className="text-xs">{t.seatsPage.step.seat}</dt>
          <dd className="tnum text-2xl leading-tight font-extrabold">{ticket.number}</dd>
        </div>
      </dl>
    </article>
  );
}
