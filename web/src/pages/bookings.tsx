import { useState } from "react";
import { Link } from "wouter";
import type { Booking } from "../api/client";
import { useFormat, useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, More, Skeleton } from "../ui/states";
import { useBookings } from "./my-bookings";
import { RequireAccount } from "./require-account";

export function BookingsPage() {
  return <RequireAccount>{() => <Bookings />}</RequireAccount>;
}

const KINDS = ["upcoming", "past", "cancelled"] as const;
type Kind = (typeof KINDS)[number];

/** Under which heading a booking belongs. */
export function kindOf(booking: Booking, nowMs: number): Kind {
  if (booking.state === "cancelled" || booking.state === "expired") return "cancelled";
  return Date.parse(booking.starts_at) > nowMs ? "upcoming" : "past";
}

function Bookings() {
  const t = useT();
  const [kind, setKind] = useState<Kind>("upcoming");
  const { bookings: all, ...bookings } = useBookings();
  const now = clock.now();
  const count = (one: Kind) => all?.filter((booking) => kindOf(booking, now) === one).length;
  return (
    <Page
      title={t.titles.bookings}
      heading={t.titles.bookings}
      beside={
        <fieldset className="flex rounded-2xl bg-well p-1">
          <legend className="sr-only">{t.me.tabs}</legend>
          {KINDS.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={kind === one}
              onClick={() => setKind(one)}
              className={`min-h-10 rounded-xl px-4 text-sm font-bold ${kind === one ? "bg-panel shadow-card" : "text-ink-2 hover:text-ink"}`}
            >
              {t.me[one]} <span className="tnum font-normal">{count(one) ?? ""}</span>
            </button>
          ))}
        </fieldset>
      }
    >
      {bookings.isPending && (
        <Loading>
          <Skeleton className="h-32 rounded-card" />
        </Loading>
      )}
      {bookings.isError && !all && <Failed failure={bookings.error} retry={() => void bookings.refetch()} />}
      {all && <Listed bookings={all.filter((one) => kindOf(one, now) === kind)} kind={kind} />}
      <More query={bookings} />
    </Page>
  );
}

function Listed({ bookings, kind }: { bookings: readonly Booking[]; kind: Kind }) {
  const t = useT();
  const title = { upcoming: t.me.noUpcoming, past: t.me.noPast, cancelled: t.me.noCancelled }[kind];
  if (bookings.length === 0)
    return (
      <Empty title={title} {...(kind === "upcoming" && { hint: t.me.noBookingsHint })}>
        {kind === "upcoming" && (
          <ButtonLink tone="ink" href={to.home}>
            {t.me.toShows}
          </ButtonLink>
        )}
      </Empty>
    );
  return (
    <ul className="grid gap-3 lg:grid-cols-2">
      {bookings.map((booking) => (
        <li key={booking.booking_id}>
          <Item booking={booking} />
        </li>
      ))}
    </ul>
  );
}

function Item({ booking }: { booking: Booking }) {
  const t = useT();
  const format = useFormat();
  const { performance_id, booking_id, state } = booking;
  const leaf = format.leaf(booking.starts_at);
  const href =
    state === "unpaid" || state === "paying"
      ? to.pay(performance_id, booking_id)
      : to.booking(performance_id, booking_id);
  return (
    <Link
      href={href}
      className="flex h-full items-center gap-5 rounded-card border border-line bg-panel p-5 transition-shadow hover:shadow-lift"
    >
      <span className="w-14 shrink-0 text-center leading-tight">
        <span className="block text-sm text-ink-2">{leaf.month}</span>
        <span className="tnum block text-3xl font-extrabold">{leaf.day}</span>
        <span className="block text-sm text-ink-2">{leaf.weekday}</span>
      </span>
      <span className="min-w-0 flex-1">
        <BookingState booking={booking} />
        <span className="mt-1.5 block truncate text-lg font-bold">{format.text(booking.title)}</span>
        <span className="tnum block text-sm text-ink-2">
          {format.time(booking.starts_at)} · {t.seats(booking.lines.length)} · {format.won(booking.total)}
        </span>
      </span>
    </Link>
  );
}

/** How a booking stands, in a word, and its refund. */
export function BookingState({ booking }: { booking: Booking }) {
  const t = useT();
  const look = {
    unpaid: "bg-lamp text-on-lamp",
    paying: "bg-lamp text-on-lamp",
    paid: "bg-good-soft text-good",
    cancelled: "bg-well text-ink-2",
    expired: "bg-well text-ink-2",
  }[booking.state];
  return (
    <span className="flex flex-wrap gap-2 text-xs font-bold">
      <span className={`rounded-full px-3 py-0.5 ${look}`}>{t.booking.states[booking.state]}</span>
      {booking.refund_state && (
        <span
          className={`rounded-full px-3 py-0.5 ${booking.refund_state === "completed" ? "bg-good-soft text-good" : "bg-well text-ink-2"}`}
        >
          {t.booking.refund[booking.refund_state]}
        </span>
      )}
    </span>
  );
}
