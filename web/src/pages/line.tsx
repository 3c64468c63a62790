import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import type { MyPlace } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { useMore } from "../i18n/more";
import { live } from "../live";
import type { LineCounters, LineDelta, LineSnapshot } from "../live/protocol";
import { to } from "../routes";
import { announce, toast } from "../ui/announce";
import { Button, ButtonLink } from "../ui/button";
import { Clock, Lamps, useDeadline } from "../ui/countdown";
import { Dialog } from "../ui/dialog";
import { Page } from "../ui/page";
import { Empty, Failed, FailureNotice, Loading, Skeleton } from "../ui/states";
import { useAction } from "../ui/use-action";
import { useClaim } from "./claim";
import { move, type Place, placeOf, shareDone } from "./line-progress";
import { Proof } from "./proof";
import { RequireAccount } from "./require-account";

const Look = lazy(async () => ({ default: (await import("./inside")).Look }));

/** One's place in the line, falling live. Being called leads to the seats by itself. */
export function LinePage({ performance }: { performance: string }) {
  return <RequireAccount>{() => <Line performance={performance} />}</RequireAccount>;
}

function Line({ performance }: { performance: string }) {
  const t = useT();
  const m = useMore();
  const format = useFormat();
  const about = useQuery(queries.performance(performance));
  // The live connection tells at once; asking now and then holds the place to the truth.
  const line = useQuery({ ...queries.line(performance), refetchInterval: 15_000 });
  const [ahead, setAhead] = useState<number>();
  const waiting = line.data?.state === "waiting" && ahead !== undefined;
  return (
    <Page
      title={waiting ? t.line.titleWaiting(ahead) : t.titles.line}
      heading={t.line.heading}
      width="narrow"
      above={about.data && `${format.text(about.data.title)} · ${format.dateTime(about.data.starts_at)}`}
    >
      {line.isPending && (
        <Loading>
          <Skeleton className="h-80 rounded-[28px]" />
        </Loading>
      )}
      {line.isError && line.data === undefined && <Failed failure={line.error} retry={() => void line.refetch()} />}
      {line.data === null && (
        <Empty title={t.line.notIn} hint={t.line.notInHint}>
          <ButtonLink tone="ink" href={about.data ? to.show(about.data.show_id, performance) : to.home}>
            {t.line.toShow}
          </ButtonLink>
        </Empty>
      )}
      {line.data?.state === "lobby" && (
        <Lobby performance={performance} line={line.data} opensAt={about.data?.sale_opens_at} />
      )}
      {line.data?.state === "waiting" && (
        <Waiting performance={performance} line={line.data} opensAt={about.data?.sale_opens_at} onAhead={setAhead} />
      )}
      {line.data?.state === "called" && <Pass performance={performance} line={line.data} />}
      {line.data?.state === "inside" && <Inside performance={performance} />}
      {line.data && line.data.state !== "inside" && (
        <>
          <WhileWaiting performance={performance} />
          <Proof performance={performance} />
        </>
      )}
      {line.data === null && (
        <p className="mt-6">
          <ButtonLink tone="quiet" size="small" href={to.why(performance)}>
            {m.proof.why}
          </ButtonLink>
        </p>
      )}
      {about.data?.policies.line.mode === "draw" && (
        <p className="mt-6">
          <ButtonLink tone="quiet" size="small" href={to.draw(performance)}>
            {t.line.checkDraw}
          </ButtonLink>
        </p>
      )}
    </Page>
  );
}

/** The seats as they are now, for who wants to see them: so many wait that nobody loads them unasked. */
function WhileWaiting({ performance }: { performance: string }) {
  const m = useMore();
  const [open, setOpen] = useState(false);
  return (
    <section className="mt-6 grid gap-4">
      <Button aria-expanded={open} onClick={() => setOpen(!open)}>
        {m.look.open}
      </Button>
      {open && (
        <Suspense fallback={<Skeleton className="h-48 rounded-card" />}>
          <Look performance={performance} />
        </Suspense>
      )}
    </section>
  );
}

/** Called: the pass is claimed by itself, as we are here. The button is for when that failed. */
function Pass({ performance, line }: { performance: string; line: MyPlace }) {
  const t = useT();
  const { busy, failure, claim } = useClaim(performance, line);
  const left = useDeadline(line.claim_by ?? undefined);
  return (
    <section className="on-board rounded-[28px] bg-board p-6 text-on-board sm:p-10">
      <p className="text-on-board-2">{t.line.called}</p>
      {left !== undefined && (
        <Clock seconds={left} className="text-6xl font-extrabold tracking-tight text-lamp sm:text-7xl" />
      )}
      {failure !== undefined && <FailureNotice failure={failure} />}
      <Button tone="lamp" size="large" wide busy={busy} onClick={() => void claim()}>
        {t.line.enter}
      </Button>
    </section>
  );
}

/** The number comes within this time after the draw: not everybody asks at once. */
const DRAWN_SPREAD_MS = 3000;

/** Before the opening: everybody here is drawn, whoever came first. */
function Lobby({ performance, line, opensAt }: { performance: string; line: MyPlace; opensAt: string | undefined }) {
  const t = useT();
  const client = useQueryClient();
  const [waiting, setWaiting] = useState(line.waiting);
  const left = useDeadline(opensAt);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.follow(
      { topic: "line", performance },
      {
        onMessage(_, body) {
          const counters = body as unknown as LineCounters;
          setWaiting(counters.waiting);
          if (counters.phase === "line" && timer === undefined)
            timer = setTimeout(
              () => void client.invalidateQueries(queries.line(performance)),
              Math.random() * DRAWN_SPREAD_MS,
            );
        },
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [performance, client]);
  return (
    <>
      <section className="on-board rounded-[28px] bg-board p-6 text-on-board sm:p-10">
        <div className="py-10 sm:py-14">
          <p className="text-on-board-2">{left === 0 ? t.line.drawing : t.show.opensIn}</p>
          {left !== undefined && left > 0 && (
            <Clock seconds={left} className="text-6xl font-extrabold tracking-tight text-lamp sm:text-7xl" />
          )}
          <p className="mt-4 text-on-board-2">{t.line.lobby}</p>
        </div>
        <p className="tnum text-sm text-on-board-2">{t.line.waiting(waiting)}</p>
      </section>
      <p className="my-6 text-ink-2">{t.line.keep}</p>
      <Company performance={performance} line={line} />
    </>
  );
}

/** It is our turn: to the seats. The button is for who comes back to this page. */
function Inside({ performance }: { performance: string }) {
  const t = useT();
  const [, go] = useLocation();
  useEffect(() => {
    toast(t.line.admitted);
    go(to.seats(performance), { replace: true });
  }, [performance, go, t]);
  return (
    <ButtonLink tone="lamp" size="large" wide href={to.seats(performance)}>
      {t.line.enter}
    </ButtonLink>
  );
}

/** The place, from the server's answer and what the live connection says since. */
function usePlace(performance: string, line: MyPlace): Place | undefined {
  const [place, setPlace] = useState<Place>();
  const known = useRef(line.ahead);
  known.current = line.ahead;
  const { number } = line;
  useEffect(
    () =>
      live.follow(
        { topic: "line", performance, number },
        {
          onMessage(kind, body) {
            if (kind === "snapshot") setPlace(placeOf(body as unknown as LineSnapshot, known.current));
            else setPlace((before) => before && move(before, number, body as unknown as LineDelta));
          },
        },
      ),
    [performance, number],
  );
  return place;
}

/** Where one began, remembered for the visit so that a reload doesn't empty the bar. */
function useStart(entry: string, ahead: number): number {
  const [start] = useState(() => {
    const name = `socketing.line.${entry}`;
    const before = Number(sessionStorage.getItem(name) ?? "0");
    const start = Math.max(before, ahead);
    sessionStorage.setItem(name, String(start));
    return start;
  });
  return start;
}

function Waiting({
  performance,
  line,
  opensAt,
  onAhead,
}: {
  performance: string;
  line: MyPlace;
  opensAt: string | undefined;
  onAhead: (ahead: number) => void;
}) {
  const t = useT();
  const place = usePlace(performance, line);
  const ahead = Math.min(place?.ahead ?? line.ahead, line.ahead);
  const start = useStart(line.entry_id, line.ahead);
  const share = shareDone(start, ahead);
  const untilOpening = useDeadline(opensAt);
  const closed = untilOpening !== undefined && untilOpening > 0;
  useEffect(() => onAhead(ahead), [ahead, onAhead]);
  useSpokenPlace(ahead, share);
  return (
    <>
      <section className="on-board rounded-[28px] bg-board p-6 text-on-board sm:p-10">
        <div className="flex items-center justify-between text-sm text-on-board-2">
          <span className="tnum">{t.line.number(line.number)}</span>
          <span className="flex items-center gap-2 font-semibold">
            <span aria-hidden="true" className="size-2 animate-pulse rounded-full bg-lamp" />
            {t.line.live}
          </span>
        </div>
        {closed ? (
          <div className="py-10 sm:py-14">
            <p className="text-on-board-2">{t.show.opensIn}</p>
            <Clock seconds={untilOpening} className="text-6xl font-extrabold tracking-tight text-lamp sm:text-7xl" />
            <p className="mt-4 text-on-board-2">{t.line.closed}</p>
          </div>
        ) : (
          <div className="py-8 sm:py-12">
            <p className="text-on-board-2">{ahead === 0 ? t.line.almost : t.line.ahead}</p>
            <p
              data-testid="ahead"
              className="tnum text-7xl leading-tight font-extrabold tracking-tighter text-lamp sm:text-8xl"
            >
              {ahead === 0 ? (
                <span className="text-4xl tracking-tight sm:text-5xl">{t.line.next}</span>
              ) : (
                <Big value={ahead} />
              )}
            </p>
          </div>
        )}
        <Lamps
          share={share}
          label={t.line.progress}
          text={t.line.progressText(Math.round(share * 100))}
          className="h-5"
          breathing
        />
        {place && (
          <p className="tnum mt-5 flex flex-wrap gap-x-5 gap-y-1 text-sm text-on-board-2">
            <span>{t.line.waiting(place.counters.waiting)}</span>
            <span>{t.line.inside(place.counters.inside, place.counters.capacity)}</span>
          </p>
        )}
      </section>
      <p className="my-6 text-ink-2">{t.line.keep}</p>
      <Company performance={performance} line={line} />
    </>
  );
}

function Big({ value }: { value: number }) {
  return useFormat().number(value);
}

/** Reads the place out each tenth of the way, and when it is nearly there. */
function useSpokenPlace(ahead: number, share: number): void {
  const t = useT();
  const tenth = Math.floor(share * 10);
  const spoken = useRef(-1);
  useEffect(() => {
    if (tenth === spoken.current) return;
    spoken.current = tenth;
    announce(ahead === 0 ? t.line.next : t.line.position(ahead));
  }, [tenth, ahead, t]);
}

/** Who waits on this place; giving it up is the leader's to do. */
function Company({ performance, line }: { performance: string; line: MyPlace }) {
  const t = useT();
  const me = useQuery(queries.me()).data;
  const mine = useQuery({ ...queries.invitations(), enabled: Boolean(line.party_id) }).data;
  const party = mine?.parties.find(({ party_id }) => party_id === line.party_id);
  const others = party ? party.members.map((account) => party.nicknames[account] ?? "···") : [];
  return (
    <>
      {others.length > 1 && (
        <p className="mb-6">
          <span className="text-ink-2">{t.line.party}</span> <b>{others.join(", ")}</b>
        </p>
      )}
      {(!line.party_id || party?.leader === me?.account_id) && <Leave performance={performance} />}
    </>
  );
}

function Leave({ performance }: { performance: string }) {
  const t = useT();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const action = useAction();
  const leave = () =>
    action.run(async () => {
      await commands.leaveLine(performance);
      setAsking(false);
      await client.invalidateQueries(queries.line(performance));
      toast(t.line.left);
    });
  return (
    <>
      <Button onClick={() => setAsking(true)}>{t.line.leave}</Button>
      <Dialog open={asking} title={t.line.leaveTitle} onClose={() => setAsking(false)}>
        <p className="mt-2 text-ink-2">{t.line.leaveText}</p>
        {action.failure !== undefined && <FailureNotice failure={action.failure} />}
        <div className="mt-6 grid gap-2 sm:grid-cols-2">
          <Button tone="ink" onClick={() => setAsking(false)}>
            {t.line.leaveNo}
          </Button>
          <Button tone="bad" busy={action.busy} onClick={() => void leave()}>
            {t.line.leaveYes}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
