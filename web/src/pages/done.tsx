import { useQuery } from "@tanstack/react-query";
import type { Booking } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { to } from "../routes";
import { Button, ButtonLink } from "../ui/button";
import { download } from "../ui/download";
import { CheckIcon } from "../ui/icons";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, Skeleton } from "../ui/states";
import { TicketCard } from "./booking-parts";
import { calendarEntry } from "./calendar";
import { useBooking } from "./my-bookings";
import { RequireAccount } from "./require-account";

/** It is booked and paid: the tickets. */
export function DonePage({ performance, booking }: { performance: string; booking: string }) {
  return <RequireAccount>{() => <Done performance={performance} booking={booking} />}</RequireAccount>;
}

function Done({ performance, booking: id }: { performance: string; booking: string }) {
  const t = useT();
  const { booking, ...bookings } = useBooking(id);
  return (
    <Page
      title={t.titles.done}
      heading={t.done.heading}
      width="narrow"
      above={
        <span className="grid size-14 place-items-center rounded-[18px_18px_10px_10px] bg-lamp text-on-lamp">
          <CheckIcon className="size-8" />
        </span>
      }
    >
      {booking === undefined && !bookings.isError && (
        <Loading>
          <Skeleton className="h-40 rounded-card" />
        </Loading>
      )}
      {bookings.isError && !bookings.data && <Failed failure={bookings.error} retry={() => void bookings.refetch()} />}
      {booking === null && <Empty title={t.pay.notMine} hint={t.pay.notMineHint} />}
      {booking && <Tickets booking={booking} performance={performance} />}
    </Page>
  );
}

function Tickets({ booking, performance }: { booking: Booking; performance: string }) {
  const t = useT();
  const about = useQuery(queries.performance(performance));
  const format = useFormat();
  const friends = booking.lines.some(({ mine }) => !mine);
  const save = () => {
    const text = calendarEntry({
      id: booking.booking_id,
      title: format.text(booking.title),
      place: about.data ? format.text(about.data.venue) : "",
      startsAt: booking.starts_at,
      seats: booking.lines.map(({ area, row, number }) => t.seatsPage.seatName(area, row, number)),
    });
    download(text, "socketing.ics", "text/calendar");
  };
  return (
    <>
      <p className="mb-6 text-ink-2">
        {t.done.lead(booking.lines.length)} {friends && t.done.friends}
      </p>
      <ul className="grid gap-4">
        {booking.lines.map((line) => (
          <li key={line.seat}>
            <TicketCard
              ticket={{
                ...line,
                title: booking.title,
                starts_at: booking.starts_at,
                note: line.mine ? t.pay.holderMe : t.pay.holderFriend,
              }}
            />
          </li>
        ))}
      </ul>
      <div className="mt-8 grid gap-3 sm:grid-cols-2">
        <ButtonLink tone="ink" href={to.tickets}>
          {t.done.toTickets}
        </ButtonLink>
        <ButtonLink href={to.booking(booking.performance_id, booking.booking_id)}>{t.done.toBooking}</ButtonLink>
        <Button onClick={save} className="sm:col-span-2">
          {t.done.calendar}
        </Button>
      </div>
    </>
  );
}
