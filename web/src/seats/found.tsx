import { useQuery } from "@tanstack/react-query";
import type { Block, Wishes } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { useMore } from "../i18n/more";
import { Button } from "../ui/button";
import { FailureNotice, Loading, Skeleton } from "../ui/states";
import type { Venue } from "./plan";
import type { SeatStore } from "./store";
import { useStoreVersion } from "./use-seats";

/** How often the server is asked anew while its answer is looked at; what is taken meanwhile goes from the list at once. */
const ASK_AGAIN_MS = 5_000;

/** Up to five blocks that the server ranks, the best first, each to be held with one tap. */
export function Found({
  performance,
  wishes,
  store,
  take,
  close,
}: {
  performance: string;
  wishes: Wishes;
  store: SeatStore;
  take: (seats: readonly number[]) => void;
  close: () => void;
}) {
  const t = useT();
  const m = useMore();
  useStoreVersion(store);
  const found = useQuery({ ...queries.find(performance, wishes), refetchInterval: ASK_AGAIN_MS });
  const blocks = found.data?.blocks.filter(({ seats }) => seats.every(store.isFree));
  return (
    <section
      aria-label={m.find.heading(wishes.people)}
      className="mt-4 grid gap-3 rounded-card border border-line bg-panel p-4 sm:p-5"
    >
      <div className="flex items-center justify-between gap-3">
        <h2 className="text-lg font-bold">{m.find.heading(wishes.people)}</h2>
        <Button size="small" tone="quiet" onClick={close}>
          {t.close}
        </Button>
      </div>
      {found.isPending && (
        <Loading>
          <Skeleton className="h-24" />
        </Loading>
      )}
      {found.isError && !found.data && <FailureNotice failure={found.error} />}
      {blocks?.length === 0 && <p className="text-ink-2">{m.find.none}</p>}
      {blocks && blocks.length > 0 && (
        <ol className="grid gap-2 sm:grid-cols-2 xl:grid-cols-3">
          {blocks.map((block, at) => (
            <li key={block.seats.join()}>
              <OneBlock rank={at + 1} block={block} venue={store.venue} take={() => take(block.seats)} />
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function OneBlock({ rank, block, venue, take }: { rank: number; block: Block; venue: Venue; take: () => void }) {
  const m = useMore();
  const format = useFormat();
  const together = block.kind === "contiguous";
  return (
    <button
      type="button"
      onClick={take}
      className="grid w-full gap-1 rounded-2xl border-[1.5px] border-line p-4 text-left hover:border-ink"
    >
      <span className="flex items-baseline justify-between gap-3">
        <span className="tnum text-sm text-ink-2">{m.find.rank(rank)}</span>
        <b className="tnum">{format.won(block.total)}</b>
      </span>
      {venue.byRow(block.seats).map(({ index, area, row, numbers }) => (
        <span key={index} className="font-semibold">
          {m.find.seats(area, row, numbers.join(", "))}
        </span>
      ))}
      <span className={`text-sm ${together ? "text-ink-2" : "font-semibold text-bad"}`}>
        {m.find.kinds[block.kind]}
      </span>
      <span className="text-sm font-bold underline underline-offset-4">{m.find.hold}</span>
    </button>
  );
}
