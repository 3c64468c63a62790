import { useInfiniteQuery } from "@tanstack/react-query";
import type { Ticket } from "../api/client";
import { queries } from "../api/queries";
import { useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, More, Skeleton } from "../ui/states";
import { TicketCard } from "./booking-parts";
import { RequireAccount } from "./require-account";

/** Every ticket that is mine, whoever booked it. */
export function TicketsPage() {
  return <RequireAccount>{() => <Tickets />}</RequireAccount>;
}

function Tickets() {
  const t = useT();
  const tickets = useInfiniteQuery(queries.tickets());
  const all = tickets.data?.pages.flatMap((page) => page.tickets);
  const now = clock.now();
  const coming = all?.filter(({ starts_at }) => Date.parse(starts_at) > now) ?? [];
  const past = all?.filter(({ starts_at }) => Date.parse(starts_at) <= now) ?? [];
  return (
    <Page title={t.titles.tickets} heading={t.titles.tickets}>
      {tickets.isPending && (
        <Loading>
          <Skeleton className="h-40 rounded-card" />
        </Loading>
      )}
      {tickets.isError && !all && <Failed failure={tickets.error} retry={() => void tickets.refetch()} />}
      {all?.length === 0 && (
        <Empty title={t.me.noTickets} hint={t.me.noTicketsHint}>
          <ButtonLink tone="ink" href={to.home}>
            {t.me.toShows}
          </ButtonLink>
        </Empty>
      )}
      <List tickets={coming} />
      {past.length > 0 && (
        <section className="mt-10 opacity-70">
          <h2 className="mb-4 text-xl font-bold">{t.me.past}</h2>
          <List tickets={past} />
        </section>
      )}
      <More query={tickets} />
    </Page>
  );
}

function List({ tickets }: { tickets: readonly Ticket[] }) {
  const t = useT();
  return (
    <ul className="grid gap-4 lg:grid-cols-2">
      {tickets.map((ticket) => (
        <li key={`${ticket.performance_id} ${ticket.seat}`}>
          <TicketCard
            ticket={{ ...ticket, ...(ticket.buyer_nickname && { note: t.booking.buyer(ticket.buyer_nickname) }) }}
          />
        </li>
      ))}
    </ul>
  );
}
