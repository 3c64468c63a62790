import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import type { Block, Hold, MyPlace, Performance, Wishes } from "../api/client";
import { commands } from "../api/commands";
import { isProblem } from "../api/problem";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { clock } from "../live";
import { to } from "../routes";
import { Areas } from "../seats/areas";
import { Legend, PriceFilter, TogetherStepper } from "../seats/filter";
import { Found } from "../seats/found";
import { HoldPanel } from "../seats/panel";
import type { Plan } from "../seats/plan";
import { type Picking, Rows } from "../seats/rows";
import type { SeatStore } from "../seats/store";
import { bookedSeats, useHolding, useSeatStore, useStable } from "../seats/use-seats";
import { announce, toast } from "../ui/announce";
import { Button, ButtonLink } from "../ui/button";
import { Clock, useDeadline } from "../ui/countdown";
import { BackIcon } from "../ui/icons";
import { Page } from "../ui/page";
import { Failed, FailureNotice, Loading, Notice, Skeleton } from "../ui/states";
import { useAction } from "../ui/use-action";
import { useClaim } from "./claim";
import { useBookings } from "./my-bookings";

/** Seats chosen from a list: area, row, seat. Everything is text and buttons, and live. */
export function SeatsPage({ performance }: { performance: string }) {
  const t = useT();
  const format = useFormat();
  const about = useQuery(queries.performance(performance));
  const plan = useQuery({ ...queries.plan(about.data?.plan ?? ""), enabled: about.data !== undefined });
  const failure = about.error ?? plan.error;
  const me = useQuery(queries.me());
  const line = useQuery({ ...queries.line(performance), enabled: Boolean(me.data) });
  useClaim(performance, line.data);
  return (
    <Page
      title={t.titles.seats}
      width="wide"
      heading={t.seatsPage.heading}
      above={about.data && `${format.text(about.data.title)} · ${format.dateTime(about.data.starts_at)}`}
      beside={line.data?.session_ends_at && <Visit performance={performance} until={line.data.session_ends_at} />}
    >
      {failure && (!about.data || !plan.data) ? (
        <Failed failure={failure} retry={() => void (about.isError ? about.refetch() : plan.refetch())} />
      ) : about.data && plan.data ? (
        <Hall about={about.data} plan={plan.data} line={me.data === null ? null : line.data} />
      ) : (
        <Loading>
          <Skeleton className="h-11 w-full" />
          <div className="mt-6 grid gap-6 lg:grid-cols-[16rem_1fr_20rem]">
            <Skeleton className="h-72" />
            <Skeleton className="h-96" />
          </div>
        </Loading>
      )}
    </Page>
  );
}

/** How long one may still choose. */
function Visit({ performance, until }: { performance: string; until: string }) {
  const t = useT();
  const client = useQueryClient();
  const left = useDeadline(until, () => void client.invalidateQueries(queries.line(performance)), true);
  return (
    <p className="text-sm text-ink-2">
      {t.seatsPage.visitLeft} {left !== undefined && <Clock seconds={left} className="font-bold text-ink" />}
    </p>
  );
}

function Hall({ about, plan, line }: { about: Performance; plan: Plan; line: MyPlace | null | undefined }) {
  const prices = useStable(about.prices);
  const store = useSeatStore(about.performance_id, plan, prices);
  return <Chooser about={about} store={store} line={line} />;
}

/** Free seats offered after a lost race: as many as stand over the sheet of a phone. */
const OFFERED_MAX = 3;

/** Our idea of the server's clock may be this far behind it: its news that a hold ran out then comes before our countdown ends. */
const CLOCK_ERROR_MAX_MS = 2_000;

/** Whether a hold that has gone went because its time was over. */
function ranOut({ expires_at }: Hold): boolean {
  return clock.now() >= Date.parse(expires_at) - CLOCK_ERROR_MAX_MS;
}

interface Lost {
  seats: readonly number[];
  alternatives: readonly number[];
  /** As many seats as were asked for, elsewhere. */
  blocks: readonly Block[];
  /** Whether several seats were asked for at once. */
  together: boolean;
  /** Why it can't be had. */
  code: string;
}

function Chooser({ about, store, line }: { about: Performance; store: SeatStore; line: MyPlace | null | undefined }) {
  const t = useT();
  const client = useQueryClient();
  const [, go] = useLocation();
  const performance = about.performance_id;
  const me = useQuery(queries.me()).data;
  const signedIn = Boolean(me);
  const { bookings } = useBookings({ enabled: signedIn });
  const people = Math.max(1, line?.members.length ?? 1);
  const inside = line?.state === "inside";
  const limit = about.policies.seats_per_person * people;

  const [lost, setLost] = useState<Lost>();
  const [failure, setFailure] = useState<unknown>();
  const booking = useAction();

  const { holder, hold, pending, best } = useHolding(
    performance,
    signedIn,
    (thrown, asked) => {
      if (isProblem(thrown, "seat_taken", "seat_left_alone", "no_block")) {
        const { code, alternatives, blocks } = thrown;
        const seats = thrown.seats.length > 0 ? thrown.seats : asked;
        setLost({ seats, alternatives, blocks, together: asked.length > 1, code });
        return;
      }
      setFailure(thrown);
      if (isProblem(thrown, "not_admitted", "unauthenticated"))
        void client.invalidateQueries(queries.line(performance));
    },
    (gone) => {
      if (!booking.busy && ranOut(gone)) toast(t.seatsPage.expired, "bad");
    },
  );

  // A hold's first member is who chose; the friends see it, and leave it to that one.
  const byFriend = hold !== null && hold.members[0] !== me?.account_id;

  const booked = useMemo(() => bookedSeats(bookings, performance), [bookings, performance]);
  useEffect(() => store.own([...(hold?.seats ?? []), ...booked], pending), [store, hold, booked, pending]);
  useSpokenHold(store, hold?.seats);

  const left = useDeadline(
    hold?.expires_at,
    () => void client.setQueryData(queries.hold(performance).queryKey, null),
    true,
  );

  const add = useCallback(
    (seats: readonly number[]) => {
      setLost(undefined);
      setFailure(undefined);
      const more = seats.filter((seat) => !holder.seats.includes(seat));
      if (holder.seats.length + more.length > limit) toast(t.seatsPage.limit(limit), "bad");
      else holder.add(more);
    },
    [holder, limit, t],
  );
  const take = useCallback(
    (seats: readonly number[]) => {
      setLost(undefined);
      setFailure(undefined);
      holder.exchange(seats);
    },
    [holder],
  );
  const chooseBest = useCallback(
    (wishes: Wishes) => {
      setLost(undefined);
      setFailure(undefined);
      void best(wishes);
    },
    [best],
  );
  const pick = useCallback(
    (seat: number) => {
      if (holder.seats.includes(seat)) holder.remove(seat);
      else if (!booked.includes(seat)) add([seat]);
    },
    [holder, booked, add],
  );

  const extend = () =>
    booking.run(async () => {
      if (!hold) return;
      const longer = { ...(await commands.extendHold(performance, hold.hold_id)), extended: true };
      client.setQueryData(queries.hold(performance).queryKey, longer);
      toast(t.seatsPage.extended);
    });
  const book = () =>
    booking.run(async () => {
      if (!hold) return;
      const made = await commands.book(performance, hold.hold_id);
      holder.booked();
      client.setQueryData(queries.hold(performance).queryKey, null);
      go(to.pay(performance, made.booking_id));
    });

  const unpaid = bookings?.find(
    (one) => one.performance_id === performance && (one.state === "unpaid" || one.state === "paying"),
  );
  return (
    <>
      <div className="mb-5 grid gap-3 empty:hidden">
        {unpaid && (
          <Notice tone="lamp" title={t.seatsPage.unpaid}>
            <ButtonLink tone="ink" size="small" className="mt-2" href={to.pay(performance, unpaid.booking_id)}>
              {t.seatsPage.unpaidGo}
            </ButtonLink>
          </Notice>
        )}
        {!inside && line !== undefined && <NotInside about={about} line={line} />}
        {inside && people > 1 && !byFriend && <Notice title={t.seatsPage.partyHint(people)} />}
        {byFriend && <Notice tone="lamp" title={t.seatsPage.friendHolds} />}
        {inside && people > 1 && hold && <Claims performance={performance} hold={hold} store={store} />}
      </div>
      <List
        performance={performance}
        store={store}
        usable={inside && !byFriend}
        people={people}
        limit={limit}
        pick={pick}
        take={take}
        best={chooseBest}
      >
        {inside && (
          <HoldPanel
            venue={store.venue}
            hold={hold}
            byFriend={byFriend}
            pending={pending}
            left={hold ? left : undefined}
            holdSeconds={about.policies.hold_seconds * (hold?.extended ? 2 : 1)}
            limit={limit}
            busy={booking.busy}
            onRemove={(seat) => holder.remove(seat)}
            onClear={() => {
              holder.clear();
              announce(t.seatsPage.released);
            }}
            onExtend={() => void extend()}
            onBook={() => void book()}
          >
            {failure !== undefined && <FailureNotice failure={failure} />}
            {booking.failure !== undefined && <FailureNotice failure={booking.failure} />}
            {hold?.kind && hold.kind !== "contiguous" && hold.seats.length > 1 && (
              <Notice title={t.seatsPage.split[hold.kind]} />
            )}
            {lost && (
              <LostRace
                performance={performance}
                lost={lost}
                store={store}
                add={(seat) => add([seat])}
                take={take}
                close={() => setLost(undefined)}
              />
            )}
          </HoldPanel>
        )}
      </List>
    </>
  );
}

/** The seats that the party holds, of which everyone claims one: the ticket will be theirs. */
function Claims({ performance, hold, store }: { performance: string; hold: Hold; store: SeatStore }) {
  const t = useT();
  const me = useQuery(queries.me()).data;
  const party = useQuery(queries.invitations()).data?.parties.find((one) => one.performance_id === performance);
  const client = useQueryClient();
  const action = useAction();
  const claim = (seat: number) =>
    action.run(async () => {
      await commands.claimSeat(performance, hold.hold_id, seat);
      await client.invalidateQueries(queries.hold(performance));
    });
  const name = (account: string) => (account === me?.account_id ? t.together.me : (party?.nicknames[account] ?? "···"));
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="font-bold text-lg">{t.together.claims}</h2>
      <ul aria-live="polite" className="mt-3 grid gap-2">
        {hold.seats.map((seat) => {
          const claimed = hold.claims?.find((one) => one.seat === seat);
          return (
            <li key={seat} className="flex items-center justify-between gap-3">
              <span className="font-semibold">{seatName(store, seat, t)}</span>
              {claimed ? (
                <span className="text-ink-2 text-sm">{t.together.claimed(name(claimed.account))}</span>
              ) : (
                <Button size="small" busy={action.busy} onClick={() => void claim(seat)}>
                  {t.together.claim}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      {action.failure !== undefined && <FailureNotice failure={action.failure} />}
    </section>
  );
}

/** Says what one has just got, by its full name. */
function useSpokenHold(store: SeatStore, seats: readonly number[] | undefined): void {
  const t = useT();
  const before = useRef<readonly number[]>([]);
  useEffect(() => {
    const now = seats ?? [];
    const names = now.filter((seat) => !before.current.includes(seat)).map((seat) => seatName(store, seat, t));
    if (names.length > 0) announce(t.seatsPage.held(names.join(", ")));
    before.current = now;
  }, [seats, store, t]);
}

function seatName(store: SeatStore, seat: number, t: ReturnType<typeof useT>): string {
  const info = store.venue.info(seat);
  return info ? t.seatsPage.seatName(info.area, info.row, info.number) : "";
}

/** Why one can't choose yet, and the way to get in. */
function NotInside({ about, line }: { about: Performance; line: MyPlace | null }) {
  const t = useT();
  if (line)
    return (
      <Notice title={t.seatsPage.inLine}>
        <ButtonLink tone="ink" size="small" className="mt-2" href={to.line(about.performance_id)}>
          {t.show.resume}
        </ButtonLink>
      </Notice>
    );
  return (
    <Notice title={t.seatsPage.lookOnly}>
      <p>{t.seatsPage.lookOnlyHint}</p>
      <ButtonLink tone="ink" size="small" className="mt-3" href={to.show(about.show_id, about.performance_id)}>
        {t.line.toShow}
      </ButtonLink>
    </Notice>
  );
}

/** A choice can't be had, since someone was faster or it leaves a single seat alone; and what can be had instead. */
function LostRace({
  performance,
  lost,
  store,
  add,
  take,
  close,
}: {
  performance: string;
  lost: Lost;
  store: SeatStore;
  add: (seat: number) => void;
  take: (seats: readonly number[]) => void;
  close: () => void;
}) {
  const t = useT();
  const format = useFormat();
  const near = lost.alternatives.filter((seat) => store.isFree(seat));
  const blocks = lost.together || near.length === 0 ? lost.blocks : []; // who lacks one seat is shown one
  const free = blocks.length > 0 ? [] : near;
  const names = (seats: readonly number[]) => format.list(seats.map((seat) => seatName(store, seat, t)));
  const titles: Record<string, string> = {
    seat_left_alone: t.seatsPage.leftAlone(names(lost.seats)),
    no_block: t.seatsPage.noBlock,
  };
  const some = blocks.length > 0 || free.length > 0;
  return (
    <Notice tone="lamp" alert title={titles[lost.code] ?? t.seatsPage.lost(names(lost.seats))}>
      <p>{some ? t.seatsPage.lostHint : t.seatsPage.lostNone}</p>
      <div className="mt-3 flex flex-wrap gap-2">
        {blocks.slice(0, OFFERED_MAX).map((block) => (
          <Button key={block.seats.join()} size="small" onClick={() => take(block.seats)}>
            {t.seatsPage.offered(names(block.seats), t.seatsPage.lies[block.kind], format.won(block.total))}
          </Button>
        ))}
        {free.slice(0, OFFERED_MAX).map((seat) => (
          <Button key={seat} size="small" onClick={() => add(seat)}>
            {t.seatsPage.take(seatName(store, seat, t), format.won(store.venue.price(seat)))}
          </Button>
        ))}
        <ButtonLink size="small" tone="quiet" href={to.why(performance)}>
          {t.seatsPage.why}
        </ButtonLink>
        <Button size="small" tone="quiet" onClick={close}>
          {t.close}
        </Button>
      </div>
    </Notice>
  );
}

function wished(people: number, category: number | undefined, area: number | undefined): Wishes {
  return { people, ...(category !== undefined && { category }), ...(area !== undefined && { area }) };
}

/** The list itself: filter, areas, rows and seats. The chosen area stands in the address, so that Back works. */
function List({
  performance,
  store,
  usable,
  people,
  limit,
  pick,
  take,
  best,
  children,
}: Pick<Picking, "store" | "usable" | "pick" | "take"> & {
  performance: string;
  people: number;
  limit: number;
  best: (wishes: Wishes) => void;
  children: React.ReactNode;
}) {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const [category, setCategory] = useState<number>();
  const [together, setTogether] = useState<number>();
  const [finding, setFinding] = useState(false);
  const asked = search.get("area");
  const area = asked === null ? undefined : store.venue.areas[Number(asked)];
  const fits = useCallback(
    (seat: number) => category === undefined || store.venue.category(seat) === category,
    [category, store],
  );
  const count = together ?? Math.min(people, limit);
  const picking = useMemo(
    () => ({ store, usable, together: count, fits, pick, take }),
    [store, usable, count, fits, pick, take],
  );
  const rows = useRef<HTMLHeadingElement>(null);
  const choose = (index: number) => {
    setSearch({ area: String(index) });
    requestAnimationFrame(() => rows.current?.focus({ preventScroll: false }));
  };
  return (
    <>
      <PriceFilter store={store} chosen={category} choose={setCategory} />
      {usable && (
        <div className="mt-4 flex flex-wrap items-center gap-3">
          {limit > 1 && <TogetherStepper value={count} max={limit} onChange={setTogether} />}
          <Button tone="ink" size="small" onClick={() => best(wished(count, category, area?.index))}>
            {area ? t.seatsPage.bestHere(count, area.name) : t.seatsPage.best(count)}
          </Button>
          <Button size="small" aria-expanded={finding} onClick={() => setFinding(!finding)}>
            {t.seatsPage.find}
          </Button>
        </div>
      )}
      {usable && finding && (
        <Found
          performance={performance}
          wishes={wished(count, category, area?.index)}
          store={store}
          take={(seats) => {
            setFinding(false);
            take(seats);
          }}
          close={() => setFinding(false)}
        />
      )}
      <div className="mt-5 grid items-start gap-5 *:min-w-0 lg:grid-cols-[12.5rem_minmax(0,1fr)_17rem] 2xl:grid-cols-[15rem_minmax(0,1fr)_19rem]">
        <div className={`lg:sticky lg:top-24 ${area ? "max-lg:hidden" : ""}`}>
          <Areas store={store} chosen={area?.index} fits={fits} choose={choose} />
        </div>
        <div className={area ? "" : "max-lg:hidden"}>
          {area ? (
            <>
              <button
                type="button"
                onClick={() => setSearch({})}
                className="-ml-2 flex min-h-11 items-center gap-1 rounded-lg px-2 text-sm font-semibold lg:hidden"
              >
                <BackIcon /> {t.seatsPage.otherArea}
              </button>
              <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
                <h2 ref={rows} tabIndex={-1} className="text-xl font-extrabold outline-none">
                  {area.name}
                </h2>
              </div>
              {usable && <p className="sr-only">{t.seatsPage.help}</p>}
              <div className="grid gap-4">
                <div className="max-lg:order-last">
                  <Legend />
                </div>
                <Rows key={area.index} area={area} picking={picking} />
              </div>
            </>
          ) : (
            <div className="grid min-h-64 place-items-center rounded-card border border-dashed border-edge p-8 text-center text-ink-2">
              {t.seatsPage.chooseArea}
            </div>
          )}
        </div>
        {children}
      </div>
    </>
  );
}
