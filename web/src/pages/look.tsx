import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Performance } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { useMore } from "../i18n/more";
import { Areas } from "../seats/areas";
import { Legend } from "../seats/filter";
import type { Plan } from "../seats/plan";
import { type Picking, Rows } from "../seats/rows";
import { useSeatStore, useStable, useStoreVersion } from "../seats/use-seats";
import { Failed, Loading, Skeleton } from "../ui/states";

/** The seats as they are right now, to be looked at while one waits: areas first, then their rows. */
export function Look({ performance }: { performance: string }) {
  const about = useQuery(queries.performance(performance));
  const plan = useQuery({ ...queries.plan(about.data?.plan ?? ""), enabled: about.data !== undefined });
  const failure = about.error ?? plan.error;
  if (about.data && plan.data) return <LiveSeats about={about.data} plan={plan.data} />;
  if (failure)
    return <Failed failure={failure} retry={() => void (about.isError ? about.refetch() : plan.refetch())} />;
  return (
    <Loading>
      <Skeleton className="h-48 rounded-card" />
    </Loading>
  );
}

const everySeat = () => true;
const nothing = () => undefined;

function LiveSeats({ about, plan }: { about: Performance; plan: Plan }) {
  const t = useT();
  const m = useMore();
  const format = useFormat();
  const prices = useStable(about.prices);
  const store = useSeatStore(about.performance_id, plan, prices);
  useStoreVersion(store);
  const [chosen, choose] = useState<number>();
  const picking = useMemo<Picking>(
    () => ({ store, usable: false, together: 1, fits: everySeat, pick: nothing, take: nothing }),
    [store],
  );
  const area = chosen === undefined ? undefined : store.venue.areas[chosen];
  const { free, sold } = store.counts();
  return (
    <div className="grid gap-4">
      <p data-testid="sold" aria-live="polite" className="tnum text-sm font-semibold">
        {store.position === undefined
          ? t.seatsPage.waiting
          : m.look.counts(format.number(sold), format.number(free), format.number(store.venue.seatCount))}
      </p>
      <Areas
        store={store}
        chosen={chosen}
        fits={everySeat}
        choose={(index) => choose(index === chosen ? undefined : index)}
      />
      {area && (
        <>
          <h2 className="text-lg font-bold">{area.name}</h2>
          <Legend />
          <Rows key={area.index} area={area} picking={picking} />
        </>
      )}
    </div>
  );
}
