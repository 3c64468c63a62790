import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { useSearchParams } from "wouter";
import type { Performance, Remaining, Show } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { Button, ButtonLink } from "../ui/button";
import { Clock, useDeadline } from "../ui/countdown";
import { PeopleIcon } from "../ui/icons";
import { Motif } from "../ui/motif";
import { Page } from "../ui/page";
import { Failed, FailureNotice, Loading, Skeleton } from "../ui/states";
import { Status } from "./home";
import { useJoin } from "./join";
import { seatsOf, statusOf } from "./show-status";

export function ShowPage({ show: id }: { show: string }) {
  const t = useT();
  const format = useFormat();
  const show = useQuery(queries.show(id));
  if (!show.data)
    return (
      <Page title={t.titles.home} heading={show.isError ? t.failure.title : t.loading}>
        {show.isError ? <Failed failure={show.error} retry={() => void show.refetch()} /> : <ShowSkeleton />}
      </Page>
    );
  return (
    <Page heading={format.text(show.data.title)} above={format.text(show.data.venue)}>
      <OneShow show={show.data} />
    </Page>
  );
}

function OneShow({ show }: { show: Show }) {
  const [chosen, choose] = useChosenDate(show);
  const performance = useQuery({
    ...queries.performance(chosen ?? ""),
    enabled: chosen !== undefined,
    refetchInterval: 10_000,
  });
  return (
    <div className="grid items-start gap-6 *:min-w-0 lg:grid-cols-[minmax(0,1fr)_24rem]">
      <div className="grid gap-6">
        <div className="overflow-hidden rounded-[28px] bg-board text-on-board">
          <Motif
            seed={show.show_id}
            lit={soldShare(performance.data?.remaining)}
            board
            className="h-36 w-full sm:h-60"
          />
        </div>
        <Dates show={show} chosen={chosen} choose={choose} />
        <Prices show={show} performance={performance.data} />
        <Facts show={show} />
        {chosen !== undefined && <DrawLink show={show} performance={chosen} />}
      </div>
      {chosen !== undefined && <Buy show={show} performance={chosen} data={performance.data} />}
    </div>
  );
}

/** The chosen date stands in the address, so that it survives signing in and can be shared. */
function useChosenDate(show: Show): [string | undefined, (performance: string) => void] {
  const [search, setSearch] = useSearchParams();
  const asked = search.get("date");
  const now = clock.now();
  const sorted = [...show.performances].sort((a, b) => Date.parse(a.starts_at) - Date.parse(b.starts_at));
  const next = sorted.find(({ starts_at }) => Date.parse(starts_at) > now) ?? sorted.at(-1);
  const chosen = sorted.find(({ performance_id }) => performance_id === asked) ?? next;
  return [chosen?.performance_id, (performance) => setSearch({ date: performance }, { replace: true })];
}

function soldShare(remaining: readonly Remaining[] | undefined): number {
  if (!remaining) return 0;
  const { seats, free } = seatsOf(remaining);
  return seats > 0 ? 1 - free / seats : 0;
}

function Dates({ show, chosen, choose }: { show: Show; chosen: string | undefined; choose: (id: string) => void }) {
  const t = useT();
  const format = useFormat();
  return (
    <fieldset>
      <legend className="mb-3 text-lg font-bold">{t.show.dates}</legend>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(9.5rem,1fr))] gap-2">
        {show.performances.map(({ performance_id, starts_at }) => {
          const leaf = format.leaf(starts_at);
          const over = Date.parse(starts_at) <= clock.now();
          return (
            <label
              key={performance_id}
              className={`flex cursor-pointer items-center gap-3 rounded-2xl border-[1.5px] bg-panel p-3 has-checked:border-lamp has-checked:bg-lamp has-checked:text-on-lamp has-focus-visible:outline-3 has-focus-visible:outline-offset-2 has-focus-visible:outline-ink ${over ? "border-line opacity-60" : "border-line hover:border-edge"}`}
            >
              <input
                type="radio"
                name="date"
                className="sr-only"
                checked={performance_id === chosen}
                onChange={() => choose(performance_id)}
              />
              <span className="tnum text-3xl leading-none font-extrabold">{leaf.day}</span>
              <span className="text-sm leading-tight">
                <span className="block font-semibold">{leaf.month}</span>
                <span className="tnum block">
                  {leaf.weekday} {format.time(starts_at)}
                </span>
              </span>
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}

function Prices({ show, performance }: { show: Show; performance: Performance | undefined }) {
  const t = useT();
  const format = useFormat();
  const plan = useQuery(queries.plan(show.plan));
  const rows = performance?.remaining ?? show.prices.map((price) => ({ ...price, seats: 0, free: 0 }));
  const sorted = [...rows].sort((a, b) => b.price - a.price);
  const color = (category: string) => plan.data?.categories.find(({ name }) => name === category)?.color;
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-2 text-lg font-bold">{t.show.prices}</h2>
      <table className="w-full">
        <thead className="sr-only">
          <tr>
            <th scope="col">{t.show.category}</th>
            <th scope="col">{t.show.price}</th>
            <th scope="col">{t.show.remaining}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ category, price, seats, free }) => (
            <tr key={category} className="border-line border-t first:border-t-0">
              <th scope="row" className="py-3 pr-3 text-left font-semibold">
                <span className="flex items-center gap-2.5">
                  <Swatch color={color(category)} />
                  {category}
                </span>
              </th>
              <td className="tnum py-3 pr-3 text-right font-bold whitespace-nowrap">{format.won(price)}</td>
              <td className="tnum w-32 py-3 text-right text-sm text-ink-2">
                {seats === 0 ? "" : free === 0 ? t.show.soldOut : t.show.remainingOf(free, seats)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Swatch({ color }: { color: string | undefined }) {
  return (
    <span
      aria-hidden="true"
      className="inline-block size-3.5 shrink-0 rounded-[5px_5px_2px_2px] border border-ink/25"
      style={{ background: color }}
    />
  );
}

function Facts({ show }: { show: Show }) {
  const t = useT();
  const format = useFormat();
  const { policies } = show;
  const duration = (seconds: number) =>
    seconds % 60 === 0 ? t.show.minutes(seconds / 60) : t.show.secondsValue(seconds);
  const facts = [
    [t.show.venue, format.text(show.venue)],
    [t.show.opening, format.dateTime(show.sale_opens_at)],
    [t.show.perPerson, t.show.perPersonValue(policies.seats_per_person)],
    [t.show.visitTime, duration(policies.session_seconds)],
    [t.show.holdTime, duration(policies.hold_seconds)],
    [t.show.payTime, duration(policies.payment_seconds)],
    [t.show.cancelRule, t.show.cancelRuleValue],
  ] as const;
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-3 text-lg font-bold">{t.show.facts}</h2>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-sm text-ink-2">{name}</dt>
            <dd className="font-semibold">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** After the draw: to where anybody works it out again. */
function DrawLink({ show, performance }: { show: Show; performance: string }) {
  const t = useT();
  const opening = useDeadline(show.sale_opens_at);
  if (opening !== 0 || show.policies.line.mode !== "draw") return null;
  return (
    <p>
      <ButtonLink tone="quiet" size="small" href={to.draw(performance)}>
        {t.line.checkDraw}
      </ButtonLink>
    </p>
  );
}

/** What one can do now: the board at the side, or at the bottom of a phone. */
function Buy({ show, performance, data }: { show: Show; performance: string; data: Performance | undefined }) {
  const t = useT();
  const starts = show.performances.find(({ performance_id }) => performance_id === performance)?.starts_at;
  const seats = data && seatsOf(data.remaining);
  const opening = useDeadline(show.sale_opens_at);
  const lobby = useDeadline(lobbyOpensAt(show));
  const status = statusOf({ opensAt: show.sale_opens_at, lastStart: starts, seats }, clock.now());
  const ended = status === "ended";
  return (
    <section
      aria-label={t.show.ways}
      className="sticky bottom-0 z-20 -mx-4 grid gap-3 border-line border-t bg-panel p-4 pb-[max(1rem,env(safe-area-inset-bottom))] sm:static sm:mx-0 sm:gap-4 sm:rounded-card sm:border sm:p-6 lg:sticky lg:top-24"
    >
      <div className="flex items-center justify-between gap-3">
        <Status status={status} />
        {seats && !ended && <span className="tnum text-sm font-semibold text-ink-2">{t.home.left(seats.free)}</span>}
      </div>
      {opening !== undefined && opening > 0 && (
        <div>
          <p className="text-sm text-ink-2">{t.show.opensIn}</p>
          <Clock seconds={opening} className="text-3xl font-extrabold tracking-tight sm:text-5xl" />
        </div>
      )}
      {ended ? (
        <p>{t.show.ended}</p>
      ) : (
        <Ways show={show} performance={performance} open={opening === 0 || lobby === 0} />
      )}
    </section>
  );
}

/** When people may come into the lobby, if there is a draw. */
function lobbyOpensAt(show: Show): string | undefined {
  const { mode, lobby_seconds } = show.policies.line;
  if (mode !== "draw") return undefined;
  return new Date(Date.parse(show.sale_opens_at) - lobby_seconds * 1000).toISOString();
}

function Ways({ show, performance, open }: { show: Show; performance: string; open: boolean }) {
  const t = useT();
  const format = useFormat();
  const me = useQuery(queries.me());
  const signedIn = Boolean(me.data);
  const wallet = useQuery({ ...queries.wallet(), enabled: signedIn });
  const line = useQuery({ ...queries.line(performance), enabled: signedIn });
  const here = to.show(show.show_id, performance);

  if (!me.data)
    return (
      <>
        <ButtonLink tone="lamp" size="large" wide href={to.signIn(here)}>
          {t.show.signInToJoin}
        </ButtonLink>
        <ButtonLink wide href={to.signIn(to.together(performance))}>
          <PeopleIcon /> {t.show.together}
        </ButtonLink>
        {!open && <p className="text-sm text-ink-2 max-sm:hidden">{t.show.signInFirst}</p>}
      </>
    );
  return (
    <>
      {line.data ? (
        <ButtonLink
          tone="lamp"
          size="large"
          wide
          href={line.data.state === "inside" ? to.seats(performance) : to.line(performance)}
        >
          {line.data.state === "inside" ? t.show.toSeats : t.show.resume}
        </ButtonLink>
      ) : (
        <Join performance={performance} open={open} />
      )}
      <ButtonLink wide href={to.together(performance)}>
        <PeopleIcon /> {t.show.together}
      </ButtonLink>
      <p className="text-sm text-ink-2 max-sm:hidden">
        {wallet.data && t.show.ready(me.data.nickname, format.won(wallet.data.balance))}
      </p>
      <ButtonLink tone="quiet" size="small" href={to.seats(performance)} className="max-sm:hidden">
        {t.show.look}
      </ButtonLink>
      {me.data.role !== "fan" && (
        <ButtonLink tone="quiet" size="small" href={to.run(performance)}>
          {t.show.run}
        </ButtonLink>
      )}
    </>
  );
}

function Join({ performance, open }: { performance: string; open: boolean }) {
  const t = useT();
  const join = useJoin(performance);
  const why = useId();
  return (
    <>
      <Button
        tone="lamp"
        size="large"
        wide
        busy={join.busy}
        disabled={!open}
        aria-describedby={open ? undefined : why}
        onClick={() => void join.join(undefined)}
      >
        {t.show.join}
      </Button>
      {!open && (
        <p id={why} className="text-sm text-ink-2">
          {t.show.notYet}
        </p>
      )}
      {join.failure !== undefined && <FailureNotice failure={join.failure} />}
    </>
  );
}

function ShowSkeleton() {
  return (
    <Loading>
      <div className="grid gap-6 lg:grid-cols-[1fr_24rem]">
        <Skeleton className="h-64 rounded-[28px]" />
        <Skeleton className="h-64 rounded-card" />
      </div>
      <Skeleton className="mt-6 h-40 rounded-card" />
    </Loading>
  );
}
