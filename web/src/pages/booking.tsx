import type { Booking } from "../api/client";
import { useFormat, useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, Skeleton } from "../ui/states";
import { CancelBooking, Lines } from "./booking-parts";
import { BookingState } from "./bookings";
import { useBooking } from "./my-bookings";
import { RequireAccount } from "./require-account";
import { Shares } from "./shares";

/** One booking: seats, money, how it stands, and cancelling it. */
export function BookingPage({ booking }: { performance: string; booking: string }) {
  return <RequireAccount>{() => <OneBooking id={booking} />}</RequireAccount>;
}

function OneBooking({ id }: { id: string }) {
  const t = useT();
  const format = useFormat();
  const { booking, ...bookings } = useBooking(id);
  return (
    <Page
      title={t.titles.booking}
      heading={booking ? format.text(booking.title) : t.titles.booking}
      width="narrow"
      above={booking && `${format.day(booking.starts_at)} ${format.time(booking.starts_at)}`}
    >
      {booking === undefined && !bookings.isError && (
        <Loading>
          <Skeleton className="h-64 rounded-card" />
        </Loading>
      )}
      {bookings.isError && !bookings.data && <Failed failure={bookings.error} retry={() => void bookings.refetch()} />}
      {booking === null && <Empty title={t.pay.notMine} hint={t.pay.notMineHint} />}
      {booking && <Details booking={booking} />}
    </Page>
  );
}

function Details({ booking }: { booking: Booking }) {
  const t = useT();
  const format = useFormat();
  const { performance_id, booking_id, state } = booking;
  const begun = Date.parse(booking.starts_at) <= clock.now();
  return (
    <div className="grid gap-5">
      <section className="rounded-card border border-line bg-panel p-5">
        <BookingState booking={booking} />
        <div className="mt-3">
          <Lines lines={booking.lines} />
        </div>
        <dl className="grid gap-2 border-ink border-t-2 pt-4">
          <Pair name={t.pay.total} value={format.won(booking.total)} strong />
          {booking.paid > 0 && <Pair name={t.booking.paid} value={format.won(booking.paid)} />}
          <Pair name={t.booking.number} value={booking_id.slice(-12).toUpperCase()} />
        </dl>
      </section>
      <Shares booking={booking} />
      <div className="flex flex-wrap gap-3">
        {state === "unpaid" && (
          <ButtonLink tone="lamp" href={to.pay(performance_id, booking_id)}>
            {t.booking.pay}
          </ButtonLink>
        )}
        {(state === "unpaid" || state === "paid") && !begun && <CancelBooking booking={booking} />}
        {(state === "cancelled" || state === "expired") && !begun && (
          <ButtonLink tone="lamp" href={to.show(booking.show_id, performance_id)}>
            {t.booking.rebook}
          </ButtonLink>
        )}
      </div>
    </div>
  );
}

function Pair({ name, value, strong = false }: { name: string; value: string; strong?: boolean }) {
  return (
    <div className="flex items-baseline justify-between gap-4">
      <dt className="text-ink-2">{name}</dt>
      <dd className={`tnum ${strong ? "text-xl font-extrabold" : "font-semibold"}`}>{value}</dd>
    </div>
  );
}
