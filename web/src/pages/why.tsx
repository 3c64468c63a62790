import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { queries } from "../api/queries";
import { moments, type RefusedHold, type Signed, said, type Why } from "../draw/statement";
import { useErrorTexts, useFormat, useT } from "../i18n";
import { useMore } from "../i18n/more";
import { to } from "../routes";
import { Venue } from "../seats/plan";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, Skeleton } from "../ui/states";
import { KeepStatement } from "./proof";
import { RequireAccount } from "./require-account";
import { ShowLink } from "./show-link";

/** Why one is where one is: what happened to one's place, and which holds were refused because of what. */
export function WhyPage({ performance }: { performance: string }) {
  return <RequireAccount>{() => <WhyOf performance={performance} />}</RequireAccount>;
}

function WhyOf({ performance }: { performance: string }) {
  const m = useMore();
  const why = useQuery(queries.why(performance));
  return (
    <Page heading={m.proof.heading} width="narrow" above={<ShowLink performance={performance} />}>
      <p className="mb-6 text-ink-2">{m.proof.lead}</p>
      {why.isPending && (
        <Loading>
          <Skeleton className="h-64 rounded-card" />
        </Loading>
      )}
      {why.isError && why.data === undefined && <Failed failure={why.error} retry={() => void why.refetch()} />}
      {why.data === null && <Empty title={m.proof.never} hint={m.proof.neverHint} />}
      {why.data && <Told performance={performance} signed={why.data} />}
    </Page>
  );
}

function Told({ performance, signed }: { performance: string; signed: Signed }) {
  const t = useT();
  const m = useMore();
  const format = useFormat();
  const why = useMemo(() => said<Why>(signed), [signed]);
  return (
    <div className="grid gap-5">
      <section className="rounded-card border border-line bg-panel p-5">
        <h2 className="text-lg font-bold">{m.proof.place}</h2>
        <p className="mt-1">{why.number > 0 ? m.proof.number(format.number(why.number)) : m.proof.noNumber}</p>
        <ol className="mt-4 grid gap-3">
          {moments(why).map(({ moment, position }) => (
            <li key={moment} className="border-l-2 border-edge pl-4">
              <p className="font-semibold">
                {m.proof.moments[moment]}
                {moment === "departed" && why.departure && `: ${m.proof.departures[why.departure] ?? why.departure}`}
              </p>
              <p className="tnum text-sm text-ink-2">{m.proof.position(format.number(position))}</p>
            </li>
          ))}
        </ol>
      </section>
      <Refused performance={performance} holds={why.refused_holds} />
      <KeepStatement label={m.proof.saveWhy} file={`socketing-why-${performance}.json`} get={async () => signed} />
      <p>
        <ButtonLink tone="quiet" size="small" href={to.draw(performance)}>
          {t.line.checkDraw}
        </ButtonLink>
      </p>
    </div>
  );
}

/** The holds that were refused, by the names of their seats once the plan is there. */
function Refused({ performance, holds }: { performance: string; holds: readonly RefusedHold[] }) {
  const m = useMore();
  const format = useFormat();
  const errors = useErrorTexts();
  const name = useSeatNames(performance, holds.length > 0);
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-3 text-lg font-bold">{m.proof.refused}</h2>
      {holds.length === 0 && <p className="text-ink-2">{m.proof.noneRefused}</p>}
      <ul className="grid gap-4">
        {holds.map(({ decided_at_position: decided, cause_position: cause, code, seats, at }) => (
          <li key={`${decided} ${at}`} className="border-l-2 border-edge pl-4">
            <p className="font-semibold">
              {seats && seats.length > 0 ? format.list(seats.map(name)) : m.proof.anySeats}
            </p>
            <p>{errors[code]?.title ?? code}</p>
            <p className="tnum text-sm text-ink-2">
              {format.time(at)} ·{" "}
              {cause === undefined
                ? m.proof.noCause(format.number(decided))
                : m.proof.cause(format.number(decided), format.number(cause))}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function useSeatNames(performance: string, wanted: boolean): (seat: number) => string {
  const t = useT();
  const m = useMore();
  const about = useQuery({ ...queries.performance(performance), enabled: wanted }).data;
  const plan = useQuery({ ...queries.plan(about?.plan ?? ""), enabled: wanted && about !== undefined }).data;
  const venue = useMemo(() => (about && plan ? new Venue(plan, about.prices) : undefined), [about, plan]);
  return (seat) => {
    const info = venue?.info(seat);
    return info ? t.seatsPage.seatName(info.area, info.row, info.number) : m.proof.seat(String(seat));
  };
}
