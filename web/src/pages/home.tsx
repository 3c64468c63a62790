import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import type { ShowSummary } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { Clock, useDeadline } from "../ui/countdown";
import { ArrowIcon } from "../ui/icons";
import { Motif } from "../ui/motif";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, More, Skeleton } from "../ui/states";
import { priceRange, type Seats, type ShowStatus, seatsOfShow, span, statusOf } from "./show-status";

interface Listed {
  show: ShowSummary;
  status: ShowStatus;
  seats: Seats | undefined;
}

export function HomePage() {
  const t = useT();
  const shows = useInfiniteQuery({ ...queries.shows(), refetchInterval: 20_000 });
  return (
    <Page title={t.titles.home} heading={t.home.heading} beside={<p className="text-ink-2">{t.home.lead}</p>}>
      {shows.isPending && <HomeSkeleton />}
      {shows.isError && !shows.data && <Failed failure={shows.error} retry={() => void shows.refetch()} />}
      {shows.data && (
        <Shows shows={shows.data.pages.flatMap((page) => page.shows)} onOpened={() => void shows.refetch()} />
      )}
      <More query={shows} />
    </Page>
  );
}

function Shows({ shows, onOpened }: { shows: readonly ShowSummary[]; onOpened: () => void }) {
  const t = useT();
  const listed = shows.map((show) => listing(show));
  const soon = listed.filter(({ status }) => status === "soon").sort(byOpening);
  const open = listed
    .filter(({ status }) => status === "onSale" || status === "few" || status === "soldOut")
    .sort(byDate);
  const ended = listed.filter(({ status }) => status === "ended").sort(byDate);
  const first = soon[0] ?? open.find(({ status }) => status !== "soldOut");
  if (listed.length === 0) return <Empty title={t.home.empty} hint={t.home.emptyHint} />;
  return (
    <>
      {first && <Marquee {...first} onOpened={onOpened} />}
      <Section title={t.home.soon} shows={without(soon, first)} onOpened={onOpened} />
      <Section title={t.home.onSale} shows={without(open, first)} onOpened={onOpened} />
      <Section title={t.home.ended} shows={ended} onOpened={onOpened} />
    </>
  );
}

/** The others, as the first one stands on the board already. */
function without(all: readonly Listed[], first: Listed | undefined): readonly Listed[] {
  return all.filter((one) => one !== first);
}

function listing(show: ShowSummary): Listed {
  const now = clock.now();
  const seats = seatsOfShow(show, now);
  return { show, seats, status: statusOf({ opensAt: show.sale_opens_at, lastStart: span(show)?.last, seats }, now) };
}

const byOpening = (a: Listed, b: Listed) => Date.parse(a.show.sale_opens_at) - Date.parse(b.show.sale_opens_at);
const byDate = (a: Listed, b: Listed) => firstStart(a.show) - firstStart(b.show);

function firstStart(show: ShowSummary): number {
  return Date.parse(span(show)?.first ?? "");
}

/** The show that matters most now, on the board: the next opening, or the one that can be booked. */
function Marquee({ show, status, seats, onOpened }: Listed & { onOpened: () => void }) {
  const t = useT();
  const format = useFormat();
  const dates = span(show);
  const soon = status === "soon";
  const left = useDeadline(soon ? show.sale_opens_at : undefined, onOpened);
  return (
    <Link
      href={to.show(show.show_id)}
      className="on-board group relative block overflow-hidden rounded-[28px] bg-board text-on-board"
    >
      <Motif
        seed={show.show_id}
        lit={sold(seats)}
        board
        className="absolute inset-0 h-full w-full max-sm:opacity-40 sm:left-auto sm:w-3/5 sm:[mask-image:linear-gradient(to_right,transparent,black_45%)]"
      />
      <div className="relative flex min-h-72 flex-col justify-between gap-10 p-6 sm:p-10">
        <div>
          <Status status={status} board />
          <h2 className="mt-4 max-w-2xl text-3xl font-extrabold sm:text-5xl">{format.text(show.title)}</h2>
          <p className="mt-3 text-on-board-2">
            {format.text(show.venue)}
            {dates && <> · {format.range(dates.first, dates.last)}</>}
          </p>
        </div>
        <div className="flex flex-wrap items-end justify-between gap-4">
          <div>
            {left !== undefined ? (
              <>
                <p className="text-sm text-on-board-2">{t.home.opensIn}</p>
                <Clock seconds={left} className="text-4xl font-extrabold tracking-tight text-lamp sm:text-6xl" />
              </>
            ) : (
              seats && <p className="tnum text-2xl font-bold text-lamp sm:text-3xl">{t.home.left(seats.free)}</p>
            )}
          </div>
          <span className="grid size-12 place-items-center rounded-full bg-lamp text-on-lamp transition-transform group-hover:translate-x-1">
            <ArrowIcon />
          </span>
        </div>
      </div>
    </Link>
  );
}

function sold(seats: Seats | undefined): number {
  return seats && seats.seats > 0 ? 1 - seats.free / seats.seats : 0;
}

function Section({ title, shows, onOpened }: { title: string; shows: readonly Listed[]; onOpened: () => void }) {
  if (shows.length === 0) return null;
  return (
    <section className="mt-12">
      <h2 className="mb-4 flex items-baseline gap-2 text-xl font-bold">
        {title} <span className="tnum text-base font-semibold text-ink-2">{shows.length}</span>
      </h2>
      <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
        {shows.map((listed) => (
          <li key={listed.show.show_id}>
            <Card {...listed} onOpened={onOpened} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card({ show, status, seats, onOpened }: Listed & { onOpened: () => void }) {
  const t = useT();
  const format = useFormat();
  const dates = span(show);
  const prices = priceRange(show.prices);
  const left = useDeadline(status === "soon" ? show.sale_opens_at : undefined, onOpened);
  return (
    <Link
      href={to.show(show.show_id)}
      className="group flex h-full flex-col overflow-hidden rounded-card border border-line bg-panel transition-shadow hover:shadow-lift"
    >
      <Motif
        seed={show.show_id}
        lit={sold(seats)}
        className={`h-28 w-full border-line border-b bg-well text-ink ${status === "ended" ? "opacity-40 grayscale" : ""}`}
      />
      <div className="flex flex-1 flex-col p-5">
        <Status status={status} />
        <h3 className="mt-3 text-xl font-bold">{format.text(show.title)}</h3>
        <p className="mt-1 text-sm text-ink-2">{format.text(show.venue)}</p>
        {dates && (
          <p className="text-sm text-ink-2">
            {format.range(dates.first, dates.last)}
            {show.performances.length > 1 && <> · {t.home.dates(show.performances.length)}</>}
          </p>
        )}
        <div className="mt-auto flex items-end justify-between gap-3 pt-5">
          {prices && <span className="tnum text-sm font-bold">{t.home.from(format.won(prices.low))}</span>}
          {left !== undefined ? (
            <span className="text-right text-sm">
              <span className="block text-ink-2">{t.home.opensIn}</span>
              <Clock seconds={left} className="font-bold" />
            </span>
          ) : (
            seats &&
            seats.free > 0 &&
            status !== "ended" && <span className="tnum text-sm text-ink-2">{t.home.left(seats.free)}</span>
          )}
        </div>
      </div>
    </Link>
  );
}

const STATUS_LOOK: Record<ShowStatus, string> = {
  soon: "border-current",
  onSale: "border-lamp bg-lamp text-on-lamp",
  few: "border-lamp bg-lamp-soft text-lamp-ink",
  soldOut: "border-transparent bg-well text-ink-2",
  ended: "border-transparent bg-well text-ink-2",
};

export function Status({ status, board = false }: { status: ShowStatus; board?: boolean }) {
  const t = useT();
  const quiet = board && (status === "soldOut" || status === "ended") ? "border-current" : STATUS_LOOK[status];
  return (
    <span className={`inline-flex w-fit items-center rounded-full border px-3 py-0.5 text-xs font-bold ${quiet}`}>
      {t.home.status[status]}
    </span>
  );
}

function HomeSkeleton() {
  return (
    <Loading>
      <Skeleton className="h-72 w-full rounded-[28px]" />
      <div className="mt-12 grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
        <Skeleton className="h-72 rounded-card" />
        <Skeleton className="h-72 rounded-card" />
        <Skeleton className="h-72 rounded-card" />
      </div>
    </Loading>
  );
}
